#!/usr/bin/env bash
# Everything that does not run: Debian packages, PostgreSQL, the virtual environment. Quick when all is there.
. "$(dirname "$0")/common.sh"

"$checkout/dev/packages.sh" python3-venv
# The two take about as long as each other, and little of it is the same resource.
"$checkout/dev/postgres.sh" >/dev/null &
assembling=$!
"$checkout/dev/venv.sh" || { wait $assembling || true; exit 1; }
wait $assembling
