"""Exceptions of pglore, one for each SQLSTATE of `sql/errcodes.txt`, raised `from` the driver's own.

    Error
    +-- CallerError          LO1xx  what was asked cannot be done: change the call
    |   +-- EmptyInput       LO101
    |   +-- InputTooLong     LO102
    |   +-- BadArgument      LO103
    |   +-- BadFilter        LO104
    |   +-- BadSchema        LO105
    +-- SetupError           LO2xx  something must be set up first: the hint says what
    |   +-- UnknownModel     LO201
    |   +-- CatalogMissing   LO202
    |   +-- UnknownCollection LO203
    |   +-- ModelNotLoaded   LO204
    |   +-- DimensionMismatch LO205
    |   +-- UnknownEngine    LO206
    |   +-- ExtensionMissing        the database has no extension pglore
    +-- TryAgain             LO3xx  the same call may succeed later
    |   +-- HostDown         LO301
    |   +-- HostBusy         LO302
    |   +-- OutOfMemory      LO303
    |   +-- BudgetSpent      LO304
    |   +-- IndexBusy        LO305
    +-- InternalError        LO9xx  a fault of pglore

Errors that are PostgreSQL's (a cancelled statement, a missing privilege, a lost connection) stay psycopg's.
"""

from __future__ import annotations


class Error(Exception):
    """What the server said: `str(error)`, with `sqlstate` and `hint` (each None where there is none)."""

    sqlstate: str | None = None

    def __init__(self, message: str, *, sqlstate: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate or type(self).sqlstate
        self.hint = hint


class CallerError(Error):
    """What was asked cannot be done; the call must change."""


class EmptyInput(CallerError):
    """The text is empty or blank."""

    sqlstate = "LO101"


class InputTooLong(CallerError):
    """The text is longer than the function or the model takes."""

    sqlstate = "LO102"


class BadArgument(CallerError):
    """An argument is outside what the function accepts."""

    sqlstate = "LO103"


class BadFilter(CallerError):
    """The filter is not one that the filter language knows."""

    sqlstate = "LO104"


class BadSchema(CallerError):
    """The JSON schema, grammar or regular expression cannot be used."""

    sqlstate = "LO105"


class SetupError(Error):
    """Something must be set up before the call can work; the hint says what."""


class UnknownModel(SetupError):
    """No model has this alias."""

    sqlstate = "LO201"


class CatalogMissing(SetupError):
    """The catalog is not there yet: run `pglore init`."""

    sqlstate = "LO202"


class UnknownCollection(SetupError):
    """No collection has this name."""

    sqlstate = "LO203"


class ModelNotLoaded(SetupError):
    """The model's files cannot be loaded."""

    sqlstate = "LO204"


class DimensionMismatch(SetupError):
    """The vector's length differs from the collection's or the model's."""

    sqlstate = "LO205"


class UnknownEngine(SetupError):
    """No engine that is installed can do this."""

    sqlstate = "LO206"


class ExtensionMissing(SetupError):
    """The database has no extension pglore, or an older one without this function."""


class TryAgain(Error):
    """The same call may succeed later."""


class HostDown(TryAgain):
    """The model host cannot be reached or started."""

    sqlstate = "LO301"


class HostBusy(TryAgain):
    """The model host's queue is full."""

    sqlstate = "LO302"


class OutOfMemory(TryAgain):
    """The device has not enough free memory."""

    sqlstate = "LO303"


class BudgetSpent(TryAgain):
    """The budget of tokens or seconds is spent."""

    sqlstate = "LO304"


class IndexBusy(TryAgain):
    """Another session builds an index of the collection."""

    sqlstate = "LO305"


class InternalError(Error):
    """A fault of pglore itself; please report it."""

    sqlstate = "LO901"


def _tree(root: type[Error]) -> dict[str, type[Error]]:
    found = {} if root.sqlstate is None else {root.sqlstate: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


_BY_SQLSTATE = _tree(Error)
_BY_CLASS = {"LO1": CallerError, "LO2": SetupError, "LO3": TryAgain, "LO9": InternalError}
_ABSENT = {"3F000", "42883", "42P01"}  # no such schema, function, relation


def from_driver(error: BaseException) -> Error | None:
    """The pglore error behind a psycopg error, or None where it is PostgreSQL's own.

    A code that this version does not know yet becomes the base of its class, so `except TryAgain` keeps its meaning.
    """
    sqlstate, diag = getattr(error, "sqlstate", None), getattr(error, "diag", None)
    if sqlstate is None or diag is None:
        return None
    message = diag.message_primary or str(error)
    if sqlstate[:2] == "LO":
        kind = _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:3], Error)
        return kind(message, sqlstate=sqlstate, hint=diag.message_hint)
    if sqlstate in _ABSENT and "lore" in message:
        hint = "Run CREATE EXTENSION pglore CASCADE in this database (pglore init does it), or update the extension."
        if "=>" in message:  # called by the names of its arguments, whose types stand in the message
            hint = f"Give each argument a value of its type, such as a whole number for k. Else: {hint}"
        return ExtensionMissing(message, sqlstate=sqlstate, hint=hint)
    return None
