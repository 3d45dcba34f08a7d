"""Errors: what a caller gets instead of a result. The codes are those of sql/errcodes.txt; a test compares."""

EMPTY_INPUT = "LO101"
INPUT_TOO_LONG = "LO102"
BAD_ARGUMENT = "LO103"
BAD_FILTER = "LO104"
BAD_SCHEMA = "LO105"
UNKNOWN_MODEL = "LO201"
CATALOG_MISSING = "LO202"
UNKNOWN_COLLECTION = "LO203"
MODEL_NOT_LOADED = "LO204"
DIMENSION_MISMATCH = "LO205"
UNKNOWN_ENGINE = "LO206"
HOST_DOWN = "LO301"
HOST_BUSY = "LO302"
OUT_OF_MEMORY = "LO303"
BUDGET_SPENT = "LO304"
INDEX_BUSY = "LO305"
INTERNAL_ERROR = "LO901"

HINTS = {
    EMPTY_INPUT: "Pass a text with at least one visible character, or NULL to get NULL.",
    INPUT_TOO_LONG: "Split the input: lore.chunk cuts a text into pieces that a model reads whole.",
    BAD_ARGUMENT: r"See the function's comment for the values it takes: \df+ in psql.",
    BAD_SCHEMA: "Pass a JSON schema object.",
    UNKNOWN_MODEL: "SELECT alias, task FROM lore.models lists the models.",
    MODEL_NOT_LOADED: "The model host's log says why: pglore/host.log in the data directory.",
    UNKNOWN_ENGINE: "Install what the engine needs, or leave the choice to the host.",
    HOST_BUSY: "Try again in a moment.",
    OUT_OF_MEMORY: "Try again with fewer or shorter texts.",
    BUDGET_SPENT: "Wait for the next period, or ask for a larger budget.",
    INTERNAL_ERROR: "Please report it, with pglore/host.log in the data directory.",
}


class HostError(Exception):
    """An error of the list: its code, a message, and what to do about it (the list's hint if not given)."""

    def __init__(self, code: str, message: str, hint: str | None = None, roles: list[int] | None = None) -> None:
        """`roles` are those (oids) whose members would not get it: the bridge asks the server about the caller."""
        super().__init__(message)
        self.code, self.message, self.hint, self.roles = code, message, hint or HINTS.get(code), roles

    def as_dict(self) -> dict:
        """The error as a reply carries it: what neither JSON nor jsonb can hold is left out."""
        message = self.message.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
        found = {"code": self.code, "message": message, "hint": self.hint}
        return found if self.roles is None else {**found, "roles": self.roles}
