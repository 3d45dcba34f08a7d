"""What ends a call early: an error to hand back as data, or a connection that broke."""


class Failure(Exception):
    """An error to report to the caller, with its SQLSTATE; `roles` (oids) are those whose members would not get it."""

    def __init__(self, code, message, hint=None, roles=()):
        super().__init__(message)
        self.error, self.roles = {"code": code, "message": message, "hint": hint}, roles


class HostGone(Exception):
    """The connection to the host broke, or there is none to be had right now."""
