"""The operations on what calls cost: the log of calls, budgets, and the rights to models."""

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import errors
from .accounting import Accounting
from .arguments import integer, number, text
from .budget import Account
from .entry import shown
from .errors import HostError
from .frames import Caller
from .policy import PUBLIC, Budget
from .registry import Registry

if TYPE_CHECKING:
    from .metrics import Observation

MOST_CALLS = 100_000
OID = 1 << 32
MOST_TOKENS = 1 << 60
MOST_S = 1e9


async def calls(accounts: Accounting, caller: Caller | None, arguments: dict) -> list[dict]:
    """The last calls of the caller's role, newest first."""
    return await _calls(accounts, caller.role if caller else None, arguments)


async def all_calls(accounts: Accounting, registry: Registry, caller: Caller | None, arguments: dict) -> list[dict]:
    """The last calls of all roles, newest first; the texts of the caller's own alone."""
    found = await _calls(accounts, None, arguments)
    for row in found:
        if caller is not None and row["role"] != caller.role:
            row["input"] = row["output"] = None
    return found


async def _calls(accounts: Accounting, role: int | None, arguments: dict) -> list[dict]:
    most = integer(arguments, "most", 1, MOST_CALLS, 10_000)
    since = number(arguments, "since", 0, MOST_S * 100, 0.0)
    if accounts.ledger is None:
        return []
    return await asyncio.to_thread(accounts.ledger.calls, role, most, since or 0.0)


async def budgets(accounts: Accounting, caller: Caller | None, arguments: dict) -> list[dict]:
    """The budget that binds the caller's role."""
    budget = accounts.policy.budget(caller.role) if caller else None
    return [_row(accounts, caller.role, budget)] if caller and budget else []


async def all_budgets(accounts: Accounting, registry: Registry, caller: Caller | None, arguments: dict) -> list[dict]:
    """All budgets, and what roles have spent under that of PUBLIC."""
    given = accounts.policy.budgets
    roles = set(given) | (set(accounts.budgets.accounts) if PUBLIC in given else set())
    found = ((role, accounts.policy.budget(role)) for role in sorted(roles))
    return [_row(accounts, role, budget) for role, budget in found if budget]


def _row(accounts: Accounting, role: int, budget: Budget) -> dict:
    account = accounts.budgets.account(role, budget) if role != PUBLIC else Account()
    ends = account.since + budget.period_s if budget.period_s and role != PUBLIC else None
    spent = {"tokens_spent": account.tokens, "seconds_spent": account.seconds, "ends_at": ends}
    return {"role": role, **asdict(budget), **(spent if role != PUBLIC else {})}


async def set_budget(accounts: Accounting, registry: Registry, caller: Caller | None, arguments: dict) -> dict:
    """Give a role a budget in place of the one it has, whose spending stays; raises HostError LO103."""
    role = _role(arguments)
    budget = Budget(
        integer(arguments, "tokens", 0, MOST_TOKENS),
        number(arguments, "seconds", 0, MOST_S),
        number({"period in seconds": arguments.get("period_s")}, "period in seconds", 1, MOST_S),
        integer(arguments, "per_statement_tokens", 0, MOST_TOKENS),
        number(arguments, "per_statement_seconds", 0, MOST_S),
        time.time(),
    )
    before = accounts.policy.budgets.get(role)
    if before and before.period_s == budget.period_s:  # the period goes on, and what was spent in it counts
        budget = Budget(**{**asdict(budget), "set_at": before.set_at})
    bounds = asdict(budget)
    if all(bounds[name] is None for name in ("tokens", "seconds", "per_statement_tokens", "per_statement_seconds")):
        raise HostError(errors.BAD_ARGUMENT, "a budget needs a bound", "Pass tokens, seconds, or those per statement.")
    await asyncio.to_thread(accounts.policy.set_budget, role, budget)
    return {}


async def drop_budget(accounts: Accounting, registry: Registry, caller: Caller | None, arguments: dict) -> dict:
    """Whether a role had a budget; it has none now."""
    role = _role(arguments)
    found = role in accounts.policy.budgets
    if found:
        await asyncio.to_thread(accounts.policy.set_budget, role, None)
        accounts.budgets.accounts.pop(role, None)
    return {"dropped": found}


async def grant_model(accounts: Accounting, registry: Registry, caller: Caller | None, arguments: dict) -> dict:
    """Let a role use a model; raises HostError LO103, LO201."""
    await asyncio.to_thread(accounts.policy.grant, _alias(registry, arguments), _role(arguments))
    return {}


async def revoke_model(accounts: Accounting, registry: Registry, caller: Caller | None, arguments: dict) -> dict:
    """Take a model from a role, or from all but those to whom it is granted; raises HostError LO103, LO201."""
    admin = integer(arguments, "admin", 1, OID)
    alias, role = _alias(registry, arguments), _role(arguments)
    granted = accounts.policy.granted(alias)
    if PUBLIC in granted and role not in granted:
        raise HostError(
            errors.BAD_ARGUMENT,
            f'every role may use the model "{alias}"',
            f"Take it from all first: lore.revoke_model('{alias}', 'public').",
        )
    await asyncio.to_thread(accounts.policy.revoke, alias, role, admin)
    return {}


async def model_grants(accounts: Accounting, registry: Registry, caller: Caller | None, arguments: dict) -> list[dict]:
    """Which roles may use which models; PUBLIC is 0."""
    return [
        {"alias": alias, "role": role} for alias in registry.entries for role in sorted(accounts.policy.granted(alias))
    ]


def _role(arguments: dict) -> int:
    role = integer(arguments, "role", 0, OID)
    if role is None:
        raise HostError(errors.BAD_ARGUMENT, "role must be a role")
    return role


def _alias(registry: Registry, arguments: dict) -> str:
    alias = text(arguments, "alias", limit=5000)
    if alias not in registry.entries:
        raise HostError(errors.UNKNOWN_MODEL, f'there is no model "{shown(alias)}"')
    return alias


def note(seen: "Observation", result: Any, more: bool, texts: bool) -> None:
    """Keep of a result what spans and the log of calls tell of it."""
    many = [one for one in (result if isinstance(result, list) else [result]) if isinstance(one, dict)]
    if not more:
        reasons = {reason for one in many if isinstance(reason := one.get("finish_reason"), str)}
        seen.finish_reason = ",".join(sorted(reasons)) or None
        seen.outcome = next((one["error"]["code"] for one in many if one.get("error")), None)
    if texts:
        if isinstance(result, dict) and "text" in result:  # the pieces of a stream are one text
            seen.said = f"{seen.said or ''}{result['text']}"
        else:
            seen.said = [one.get("text", one) for one in many] if isinstance(result, list) else result
