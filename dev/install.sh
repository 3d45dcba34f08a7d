#!/usr/bin/env bash
# Installs the extension into any server: PG_CONFIG names its pg_config, DESTDIR a staging root for packagers.
. "$(dirname "$0")/common.sh"

pg_config=${PG_CONFIG:-pg_config}
command -v "$pg_config" >/dev/null || die "no pg_config at '$pg_config': make install PG_CONFIG=/path/to/pg_config"
pkglibdir=$("$pg_config" --pkglibdir)
sharedir=$("$pg_config" --sharedir)
[ -e "$pkglibdir/plpython3.so" ] || say "plpython3u is missing from this server: CREATE EXTENSION pglore will ask for it (Debian: postgresql-plpython3-NN)"
[ -e "$sharedir/extension/vector.control" ] || say "vector is missing from this server: CREATE EXTENSION pglore will ask for it (Debian: postgresql-NN-pgvector)"
"$python" "$checkout/extension/build.py" --build "$(mktemp -d)" --install "$pg_config" --root "${DESTDIR:-}"
say "installed; next, tell the server where its model host is: docs/install.md"
