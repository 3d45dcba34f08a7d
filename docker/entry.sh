#!/bin/sh
# Entry of the image: makes the cluster at the first start, brings extension and catalog up to date, runs the server.
#   POSTGRES_PASSWORD            password of the superuser postgres; asked for at the first start
#   POSTGRES_PASSWORD_FILE       or a file that holds it
#   POSTGRES_HOST_AUTH_METHOD    scram-sha-256, or "trust" to need no password (for trials)
#   POSTGRES_DB                  database that gets pglore (default pglore)
set -eu

[ "${1:-postgres}" = postgres ] || exec "$@"
[ $# = 0 ] || shift

export PGDATA="${PGDATA:-/var/lib/postgresql/data}"
database=${POSTGRES_DB:-pglore}
method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}

# PostgreSQL refuses to run as root: prepare what only root can, then start again as its own account.
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres:postgres /var/run/postgresql
    find "$PGDATA" ! -user postgres -exec chown postgres:postgres {} +
    chmod 700 "$PGDATA"
    export HOME=/var/lib/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" postgres "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        echo "pglore: set POSTGRES_PASSWORD (or POSTGRES_HOST_AUTH_METHOD=trust to need none)" >&2
        exit 1
    fi
    secret=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD:-$(head -c 24 /dev/urandom | base64)}" >"$secret"
    initdb --username=postgres --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
        --auth-local=trust --auth-host="$method" --no-instructions      # local: who is in the container already
    rm -f "$secret"
    echo "host all all all $method" >>"$PGDATA/pg_hba.conf"
    cat >>"$PGDATA/postgresql.conf" <<'CONF'
listen_addresses = '*'
client_connection_check_interval = 200ms    # so that a dead client's work is stopped
shared_buffers = 512MB
maintenance_work_mem = 512MB
work_mem = 32MB
CONF
fi
unset POSTGRES_PASSWORD

# At every start, since a newer image may bring a newer extension: on the socket alone, before anyone can connect.
# A container that was killed leaves its lock file behind, with a process id that means another process here.
if [ -e "$PGDATA/postmaster.pid" ] && [ "$(cat "/proc/$(head -n 1 "$PGDATA/postmaster.pid")/comm" 2>/dev/null)" != postgres ]; then
    rm -f "$PGDATA/postmaster.pid"
fi
pg_ctl start -w -t 300 -s -o "-c listen_addresses=''"
psql() { command psql -X -q -A -t -v ON_ERROR_STOP=1 -U postgres "$@"; }
if [ -z "$(psql -d postgres -v name="$database" <<'SQL'
SELECT 1 FROM pg_database WHERE datname = :'name'
SQL
)" ]; then
    psql -d postgres -v name="$database" <<'SQL'
CREATE DATABASE :"name"
SQL
fi
if [ -n "$(psql -d "$database" -c "SELECT 1 FROM pg_extension WHERE extname = 'pglore'")" ]; then
    psql -d "$database" -c 'ALTER EXTENSION pglore UPDATE'
fi
PGHOST=/var/run/postgresql PGUSER=postgres PGDATABASE="$database" pglore init
pg_ctl stop -w -m fast -s

exec postgres "$@"
