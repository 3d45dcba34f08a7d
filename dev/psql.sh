#!/usr/bin/env bash
# Opens psql on the local server, or on PGLORE_DSN.
#   dev/psql.sh [PSQL ARGUMENT...]
. "$(dirname "$0")/common.sh"

dsn=$("$checkout/dev/up.sh" | tail -n 1)
psql=$("$checkout/dev/server.sh" pg_config demo | sed 's/pg_config$/psql/')
[ -x "$psql" ] || psql=psql
exec "$psql" "$dsn" "$@"
