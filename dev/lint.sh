#!/usr/bin/env bash
# Checks the style of Python, shell and SQL. What only a server can tell (labels, comments, privileges) is in tests/sql.
. "$(dirname "$0")/common.sh"

"$checkout/dev/setup.sh"
cd "$checkout"
say "ruff"
.venv/bin/ruff check .
say "shell syntax"
for script in dev/*.sh docker/*.sh .ci/run; do
    [ ! -e "$script" ] || bash -n "$script"
done
say "lint is clean"
