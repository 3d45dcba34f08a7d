"""The command line: one module a command, each a call or two of the client."""
