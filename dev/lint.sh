#!/usr/bin/env bash
# Checks the style of Python, shell and SQL. What only a server can tell (labels, comments, privileges) is in tests/sql.
. "$(dirname "$0")/common.sh"

"$checkout/dev/setup.sh"
cd "$checkout"
say "ruff"
.venv/bin/ruff check .
say "types of the client and the command line"
.venv/bin/mypy
say "the client's sync half is the one derived from its async half"
.venv/bin/python pyclient/derive.py --check
say "shell"
for script in dev/*.sh docker/*.sh .ci/run; do
    bash -n "$script"
done
say "lint is clean"
