#!/usr/bin/env bash
# Makes the local server ready, with the database pglore: extension at the checkout's state, catalog at its newest revision.
# Prints the DSN as its last line. With PGLORE_DSN set, that server is used, and nothing is started.
. "$(dirname "$0")/common.sh"

if [ -n "${PGLORE_DSN:-}" ]; then
    say "using the server of PGLORE_DSN"
    echo "$PGLORE_DSN"
    exit 0
fi
"$checkout/dev/setup.sh"
server=$("$checkout/dev/server.sh" start demo)
dsn=${server/@\/postgres?/@\/pglore?}
cluster=$place/demo
bin=$(dirname "$("$checkout/dev/server.sh" pg_config demo)")
query() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

[ -n "$(query "$server" -c "SELECT 1 FROM pg_database WHERE datname = 'pglore'")" ] || query "$server" -c 'CREATE DATABASE pglore'

# The extension is made anew when its files have changed under the same version. No data is lost: the catalog and the
# collections are not members of the extension.
files=$(cd "$("$bin/pg_config" --sharedir)/extension" && find pglore* -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
installed=$(query "$dsn" -c "SELECT 1 FROM pg_extension WHERE extname = 'pglore'")
if [ -z "$installed" ]; then
    say "creating the extension pglore"
    query "$dsn" -c 'SET client_min_messages = warning; CREATE EXTENSION pglore CASCADE'
elif [ "$(cat "$cluster/extension.sha256" 2>/dev/null || true)" != "$files" ]; then
    say "replacing the extension pglore, whose files have changed"
    query "$dsn" --single-transaction -c 'DROP EXTENSION pglore' -c 'CREATE EXTENSION pglore' ||
        die "objects of yours in the local database depend on the extension: drop them, or take the new files in by hand"
fi
echo "$files" >"$cluster/extension.sha256"
[ ! -d "$checkout/migrations" ] || "$checkout/.venv/bin/pglore" init --dsn "$dsn" >&2
echo "$dsn"
