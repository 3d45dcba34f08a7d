#!/usr/bin/env bash
# Runs the tests against servers made for this run alone, which are stopped and removed at the end, also after a failure.
# The whole suite is run by two processes side by side, a file of tests in one of them, each with a server of its own.
#   dev/test.sh [PYTEST ARGUMENT...]   with arguments one process runs them
. "$(dirname "$0")/common.sh"

"$checkout/dev/setup.sh"
workers=1
[ $# -gt 0 ] || workers=${PGLORE_TEST_WORKERS:-2}
# A run that was killed left its servers behind: their names hold the process id of that run.
for folder in "$place"/test-*; do
    if [ -e "$folder/pg_config" ] && [ ! -d "/proc/${folder##*-}" ]; then
        "$checkout/dev/server.sh" remove "${folder##*/}"
    fi
done
trap 'rc=$?; [ $rc = 0 ] || keep_logs; remove_servers; exit $rc' EXIT
trap 'exit 130' INT TERM HUP

names() { seq -f "test-%g-$$" "$workers"; }

remove_servers() {
    for name in $(names); do
        "$checkout/dev/server.sh" remove "$name" 9>&- || true
    done
}

keep_logs() {
    mkdir -p "$place/log"
    for name in $(names); do
        cp "$place/$name/data/server.log" "$place/log/${name%-*}-server.log" 2>/dev/null || return 0
        cp "$place/$name/data/pglore/host.log" "$place/log/${name%-*}-host.log" 2>/dev/null || true
    done
    say "the servers' and the model hosts' logs are kept in $place/log"
}

PGLORE_TEST_DSN=
for name in $(names); do  # a line each; tests/conftest.py takes the one of its process
    PGLORE_TEST_DSN+=$("$checkout/dev/server.sh" start "$name" fsync=off full_page_writes=off synchronous_commit=off shared_buffers=256MB)$'\n'
done
PGLORE_TEST_BIN=$(dirname "$("$checkout/dev/server.sh" pg_config "$name")")
export PGLORE_TEST_DSN PGLORE_TEST_BIN
unset PGLORE_DSN
cd "$checkout"
say "running pytest"
[ "$workers" = 1 ] || set -- -n "$workers" --dist loadfile
"$checkout/.venv/bin/python" -m pytest "$@"
