#!/usr/bin/env bash
# Installs the extension into any server.
#   PG_CONFIG     its pg_config
#   HOST_PYTHON   the Python of the environment that holds pglore[host]; written into SHAREDIR/pglore/host.json
#   DESTDIR       a staging root, for packagers
. "$(dirname "$0")/common.sh"

pg_config=${PG_CONFIG:-pg_config}
command -v "$pg_config" >/dev/null || die "no pg_config at '$pg_config': make install PG_CONFIG=/path/to/pg_config"
pkglibdir=$("$pg_config" --pkglibdir)
sharedir=$("$pg_config" --sharedir)
[ -e "$pkglibdir/plpython3.so" ] || say "plpython3u is missing from this server, and CREATE EXTENSION needs it (Debian: postgresql-plpython3-NN)"
[ -e "$sharedir/extension/vector.control" ] || say "vector is missing from this server, and CREATE EXTENSION needs it (Debian: postgresql-NN-pgvector)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$checkout/extension/build.py" --build "$work" --install "$pg_config" --root "${DESTDIR:-}"

settings=${DESTDIR:-}$sharedir/pglore/host.json
if [ -n "${HOST_PYTHON:-}" ]; then
    (cd / && "$HOST_PYTHON" -c 'import pglore_host') || die "$HOST_PYTHON has no pglore[host]: see docs/install.md"
    mkdir -p "$(dirname "$settings")"
    "$python" -c 'import json, sys; print(json.dumps({"command": [sys.argv[1], "-m", "pglore_host"]}))' "$HOST_PYTHON" >"$settings"
    unit=$(dirname "$settings")/pglore-host@.service
    sed "s|^ExecStart=[^ ]*|ExecStart=$HOST_PYTHON|" "$checkout/extension/pglore-host@.service" >"$unit"
    chmod 644 "$settings" "$unit"
    echo "$settings"
elif [ ! -e "$settings" ]; then
    say "next, tell the server where its model host is: make install again with HOST_PYTHON=..., or docs/install.md"
fi
