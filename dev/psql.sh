#!/usr/bin/env bash
# Opens psql on the local server, or on PGLORE_DSN.
#   dev/psql.sh [PSQL ARGUMENT...]
#   dev/psql.sh --which             prints the path of the psql that fits
. "$(dirname "$0")/common.sh"

which_psql() {
    local psql
    psql=$("$checkout/dev/server.sh" pg_config demo | sed 's/pg_config$/psql/')
    if [ ! -x "$psql" ]; then
        psql=$(command -v psql) || die "psql is missing; as root, run: apt-get install postgresql-client"
    fi
    echo "$psql"
}

if [ "${1:-}" = --which ]; then
    which_psql
    exit 0
fi
dsn=$("$checkout/dev/up.sh" | tail -n 1)
psql=$(which_psql)
exec "$psql" "$dsn" "$@"
