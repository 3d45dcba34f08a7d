#!/usr/bin/env bash
# Runs the tests against a server made for this run alone, which is stopped and removed at the end, also after a failure.
#   dev/test.sh [PYTEST ARGUMENT...]
. "$(dirname "$0")/common.sh"

"$checkout/dev/setup.sh"
name=test-$$
# A run that was killed left its server behind: its name holds the process id of that run.
for folder in "$place"/test-*; do
    if [ -e "$folder/pg_config" ] && [ ! -d "/proc/${folder##*-}" ]; then
        "$checkout/dev/server.sh" remove "${folder##*/}"
    fi
done
trap 'rc=$?; [ $rc = 0 ] || keep_logs; "$checkout/dev/server.sh" remove $name 9>&- || true; exit $rc' EXIT
trap 'exit 130' INT TERM HUP

keep_logs() {
    mkdir -p "$place/log"
    cp "$place/$name/data/server.log" "$place/log/test-server.log" 2>/dev/null || return 0
    cp "$place/$name/data/pglore/host.log" "$place/log/test-host.log" 2>/dev/null || true
    say "the server's and the model host's logs are kept in $place/log"
}

PGLORE_TEST_DSN=$("$checkout/dev/server.sh" start $name fsync=off full_page_writes=off synchronous_commit=off shared_buffers=256MB)
PGLORE_TEST_BIN=$(dirname "$("$checkout/dev/server.sh" pg_config $name)")
export PGLORE_TEST_DSN PGLORE_TEST_BIN
unset PGLORE_DSN
cd "$checkout"
say "running pytest"
"$checkout/.venv/bin/python" -m pytest "$@"
