"""What ends a call early: an error to hand back as data, or a connection that broke."""


class Failure(Exception):
    """An error to report to the caller, with its SQLSTATE."""

    def __init__(self, code, message, hint=None):
        super().__init__(message)
        self.error = {"code": code, "message": message, "hint": hint}


class HostGone(Exception):
    """The connection to the host broke, or there is none to be had right now."""
