#!/usr/bin/env bash
# Runs one benchmark, bench/NAME.py, against the local server or PGLORE_DSN.
. "$(dirname "$0")/common.sh"

[ -n "${NAME:-}" ] || die "which one? make bench NAME=$(cd "$checkout/bench" && ls [a-z]*.py | sed 's/\.py$//' | paste -sd '|')"
[ -z "${PGLORE_DSN:-}" ] || "$checkout/dev/setup.sh" client
dsn=$("$checkout/dev/up.sh" | tail -n 1)
cd "$checkout"
PGLORE_CACHE=$cache PGLORE_DSN=$dsn exec .venv/bin/python -m "bench.$NAME" ${ARGS:-}
