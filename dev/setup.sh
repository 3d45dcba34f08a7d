#!/usr/bin/env bash
# Everything that does not run: Debian packages, the virtual environment, PostgreSQL. Quick when all is there.
#   dev/setup.sh          all of it
#   dev/setup.sh client   without PostgreSQL, for work on another server
. "$(dirname "$0")/common.sh"

if [ "${1:-}" = client ]; then
    "$checkout/dev/packages.sh" python3-venv
    exec "$checkout/dev/venv.sh"
fi
read -ra packages <<<"$("$checkout/dev/postgres.sh" --packages)"
"$checkout/dev/packages.sh" python3-venv "${packages[@]}"
# Side by side: one waits for the network and the disk while the other compiles.
"$checkout/dev/postgres.sh" >/dev/null &
assembling=$!
"$checkout/dev/venv.sh" || {
    wait $assembling || true
    exit 1
}
wait $assembling
