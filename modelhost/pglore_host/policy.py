"""The policy: which roles may use which models, and how much each may spend. Set by the operator, kept in policy.json.

Roles are oids, which outlive a change of name. PUBLIC, every role, is 0.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from . import errors, log, store
from .entry import shown
from .errors import HostError
from .frames import Caller

NAME = "policy.json"
FORMAT = 1
PUBLIC = 0
NO_RIGHT = "42501"  # PostgreSQL's insufficient_privilege


@dataclass(frozen=True, slots=True)
class Budget:
    """What a role may spend in each period, and in each statement; None is any amount."""

    tokens: int | None = None
    seconds: float | None = None
    period_s: float | None = None  # None never ends
    per_statement_tokens: int | None = None
    per_statement_seconds: float | None = None
    set_at: float = 0.0  # seconds of the epoch; periods are counted from here


class Policy:
    """What the operator allows; changed on the event loop alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.budgets: dict[int, Budget] = {}
        self.rights: dict[str, frozenset[int]] = {}  # by alias: whose members may use it; PUBLIC where missing
        self.damage: str | None = None  # why policy.json could not be read: no model may be used then
        self._read()

    def _read(self) -> None:
        try:
            found = json.loads((self._folder / NAME).read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise ValueError(f"format {found['format']}")
            self.budgets = {int(role): Budget(**budget) for role, budget in found["budgets"].items()}
            self.rights = {alias: frozenset(map(int, roles)) for alias, roles in found["rights"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.damage = f"{self._folder / NAME} cannot be read: {error!r}"
            log.write("policy damaged", error=self.damage)

    def restricted(self, alias: str) -> bool:
        """Whether not every role may use a model."""
        return PUBLIC not in self.granted(alias) or self.damage is not None

    def granted(self, alias: str) -> frozenset[int]:
        """The roles whose members may use a model."""
        return self.rights.get(alias, frozenset({PUBLIC}))

    def check(self, alias: str, caller: Caller | None) -> None:
        """Whether a caller may use a model; who comes without a name is the server's own account.

        raises  HostError 42501, LO204 where the policy cannot be read
        """
        if caller is None or not self.restricted(alias):
            return
        if self.damage is not None:
            why = "the list of rights and budgets is damaged, so that no model may be used"
            raise HostError(
                errors.MODEL_NOT_LOADED,
                why,
                f"Mend or remove pglore/{NAME}, then stop the model host: the log says more.",
            )
        allowed = self.granted(alias)
        if caller.role in allowed or (caller.member and caller.member & allowed):
            return
        hint = f"A member of lore_admin can allow it: lore.grant_model('{alias}', 'the_role')."
        ask = sorted(allowed) if caller.member is None else None
        raise HostError(NO_RIGHT, f'permission denied for model "{shown(alias)}"', hint, roles=ask)

    def budget(self, role: int) -> Budget | None:
        """A role's own budget, else that of PUBLIC."""
        return self.budgets.get(role) or self.budgets.get(PUBLIC)

    def grant(self, alias: str, role: int) -> None:
        """Let a role and its members use a model; as in SQL, also one that PUBLIC may use, for the time it may not."""
        self._write(self.budgets, {**self.rights, alias: self.granted(alias) | {role}})

    def revoke(self, alias: str, role: int, admin: int) -> None:
        """Take it from a role; once it is taken from PUBLIC, `admin` and those to whom it is granted are left."""
        left = self.granted(alias) - ({role} - {admin})
        self._write(self.budgets, {**self.rights, alias: left if PUBLIC in left else left | {admin}})

    def forget(self, alias: str) -> None:
        """A model has been dropped: its rights go too."""
        if alias in self.rights:
            self._write(self.budgets, {name: roles for name, roles in self.rights.items() if name != alias})

    def set_budget(self, role: int, budget: Budget | None) -> None:
        """Give a role a budget, or take its budget away."""
        others = {other: its for other, its in self.budgets.items() if other != role}
        self._write({**others, role: budget} if budget else others, self.rights)

    def _write(self, budgets: Mapping[int, Budget], rights: Mapping[str, frozenset[int]]) -> None:
        if self.damage is not None:
            why = "the list of rights and budgets is damaged"
            raise HostError(errors.BAD_ARGUMENT, why, f"Mend or remove pglore/{NAME}, then stop the model host.")
        whole = {
            "format": FORMAT,
            "budgets": {str(role): asdict(budget) for role, budget in budgets.items()},
            "rights": {alias: sorted(roles) for alias, roles in rights.items()},
        }
        store.replace(self._folder / NAME, json.dumps(whole, indent=2) + "\n")
        self.budgets, self.rights = dict(budgets), dict(rights)
        log.write("policy written", budgets=len(budgets), models=len(rights), pid=os.getpid())
