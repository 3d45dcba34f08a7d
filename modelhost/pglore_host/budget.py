"""Budgets: what has been spent, by role and by statement, and the end of it, LO304.

A request is charged to the role that runs it, to the one that logged in where that is another, and to its statement.
What it will read is charged before it is run, and refused where it does not fit; what it writes is charged token by
token, and it ends where a budget does. Seconds are those in which a model worked on it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from . import errors
from .errors import HostError
from .frames import Caller
from .policy import Budget, Policy

STATEMENTS = 4096  # whose spending is remembered: those that called last
SAVE_TOKENS = 50  # written since the ledger was last told


@dataclass(slots=True)
class Account:
    """What has been spent since a moment."""

    since: float = 0.0  # seconds of the epoch
    tokens: int = 0
    seconds: float = 0.0

    def roll(self, budget: Budget, now: float) -> None:
        """Begin anew where a period has ended."""
        start = budget.set_at
        if budget.period_s:
            start += (now - start) // budget.period_s * budget.period_s
        if self.since < start:
            self.since, self.tokens, self.seconds = start, 0, 0.0


@dataclass(frozen=True, slots=True)
class Limit:
    """An account with its bounds."""

    account: Account
    tokens: int | None
    seconds: float | None
    whose: str  # for messages
    role: int | None  # None for a statement
    ends_at: float | None = None  # of the period, seconds of the epoch

    def spent(self, what: str, used: float, bound: float, more: str = "") -> HostError:
        """The error for a budget that is spent."""
        unit = f"{used:,} of {bound:,} tokens" if what == "tokens" else f"{used:.3g} of {bound:.3g} seconds"
        if self.role is None:
            hint = "Split the statement, or ask a member of lore_admin for a larger budget; lore.budgets shows it."
        elif self.ends_at is None:
            hint = "A member of lore_admin can raise it with lore.set_budget; lore.budgets shows it."
        else:
            left = max(1, round(self.ends_at - time.time()))
            hint = f"The next period begins in {left:,} s; lore.budgets shows it, lore.set_budget raises it."
        return HostError(errors.BUDGET_SPENT, f"the budget of {self.whose} is spent: {unit}{more}", hint)


class Meter:
    """The limits that one request is under, and what it has been charged."""

    __slots__ = ("_save", "_seconds", "_unsaved", "limits")

    def __init__(self, limits: list[Limit], save: Callable[["Meter"], None]) -> None:
        self.limits, self._save, self._seconds, self._unsaved = limits, save, 0.0, 0

    def admit(self) -> None:
        """Whether there is anything left to spend; raises HostError LO304."""
        for limit in self.limits:
            account = limit.account
            if limit.tokens is not None and account.tokens >= limit.tokens:
                raise limit.spent("tokens", account.tokens, limit.tokens)
            if limit.seconds is not None and account.seconds >= limit.seconds:
                raise limit.spent("seconds", account.seconds, limit.seconds)

    def charge(self, tokens: int) -> None:
        """Charge what will be read; raises HostError LO304 where it does not fit, and then charges nothing."""
        self.admit()
        for limit in self.limits:
            if limit.tokens is not None and limit.account.tokens + tokens > limit.tokens:
                raise limit.spent("tokens", limit.account.tokens, limit.tokens, f", and this takes {tokens:,} more")
        self.add(tokens)

    def grown(self, tokens: int) -> None:
        """Charge what has been written; raises HostError LO304 where that ends a budget."""
        self.add(tokens)
        self._unsaved += tokens
        if self._unsaved >= SAVE_TOKENS:
            self._unsaved = 0
            self._save(self)
        self.admit()

    def add(self, tokens: int) -> None:
        """Charge, or give back, whatever the bounds say."""
        for limit in self.limits:
            limit.account.tokens += tokens

    def worked(self, seconds: float) -> None:
        """A model has worked on the request for so many seconds so far."""
        more, self._seconds = seconds - self._seconds, seconds
        for limit in self.limits:
            limit.account.seconds += more

    def left_s(self) -> float | None:
        """Seconds until the first budget ends, or None where none of them counts seconds."""
        left = [limit.seconds - limit.account.seconds for limit in self.limits if limit.seconds is not None]
        return min(left) if left else None

    def over_time(self) -> HostError:
        """The error for the budget of seconds that ended first."""
        limit = min(
            (limit for limit in self.limits if limit.seconds is not None),
            key=lambda limit: limit.seconds - limit.account.seconds,
        )
        assert limit.seconds is not None
        return limit.spent("seconds", limit.account.seconds, limit.seconds)


class Budgets:
    """The accounts of roles and of statements; used on the event loop alone."""

    def __init__(self, policy: Policy, save: Callable[[Meter], None]) -> None:
        self._policy, self._save = policy, save
        self.accounts: dict[int, Account] = {}  # of roles
        self._statements: OrderedDict[tuple[str, int], Account] = OrderedDict()

    def bind(self, caller: Caller | None) -> bool:
        """Whether any budget binds a caller."""
        policy = self._policy
        return (
            bool(policy.budgets)
            and caller is not None
            and bool(policy.budget(caller.role) or policy.budget(caller.login))
        )

    def meter(self, caller: Caller | None) -> Meter | None:
        """What a request is to be charged to, or None where no budget binds it."""
        if caller is None or not self.bind(caller):
            return None
        limits: list[Limit] = []
        for role in {caller.role, caller.login}:
            if budget := self._policy.budget(role):
                limits += self._limits(role, budget, caller.statement)
        return Meter(limits, self._save) if limits else None

    def _limits(self, role: int, budget: Budget, statement: str) -> list[Limit]:
        account = self.account(role, budget)
        ends = account.since + budget.period_s if budget.period_s else None
        found = [Limit(account, budget.tokens, budget.seconds, "the role", role, ends)]
        if budget.per_statement_tokens is not None or budget.per_statement_seconds is not None:
            key = statement, role
            own = self._statements.setdefault(key, Account())
            self._statements.move_to_end(key)
            if len(self._statements) > STATEMENTS:
                self._statements.popitem(last=False)
            found.append(Limit(own, budget.per_statement_tokens, budget.per_statement_seconds, "a statement", None))
        return found

    def account(self, role: int, budget: Budget) -> Account:
        """A role's account in the period of now."""
        account = self.accounts.setdefault(role, Account())
        account.roll(budget, time.time())
        return account
