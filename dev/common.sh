# What every script in dev/ shares: names of places, messages, and the account the server runs under. Sourced, not run.
set -euo pipefail
umask 022

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Root's home is closed to the account the server runs under, so root's cache lies where every account can read it.
if [ -n "${PGLORE_CACHE:-}" ]; then
    cache=$(realpath -m "$PGLORE_CACHE")
elif [ "$(id -u)" = 0 ]; then
    cache=/var/cache/pglore
else
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/pglore
fi

# Clusters, and root's virtual environment, are kept per checkout, so that two checkouts never disturb each other.
place=$cache/checkouts/$(basename "$checkout" | tr -c 'A-Za-z0-9._\n' -)-$(printf %s "$checkout" | sha256sum | cut -c1-8)

# Not from PATH: a version manager's Python may be unreachable for the server's account, and lacks the headers PL/Python needs.
python=/usr/bin/python3

say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf 'pglore: %s\n' "$*" >&2
    exit 1
}

# logged NAME COMMAND... : run quietly; when it fails, show the end of its log.
logged() {
    local log=$place/log/$1.log
    shift
    mkdir -p "$place/log"
    if ! "$@" >"$log" 2>&1 </dev/null 9>&-; then
        tail -n 40 "$log" >&2
        die "this failed: $* (the whole log: $log)"
    fi
}

# locked NAME: wait until no other run of this step is under way; held until the script ends.
locked() {
    mkdir -p "$(dirname "$cache/$1")"
    exec 9>"$cache/$1.lock"
    if ! flock -n 9; then
        say "waiting for another run of the step $1"
        flock 9
    fi
}

# as_server COMMAND... : run as the account that owns the clusters: nobody for root (PostgreSQL refuses to run as root), else oneself.
# The environment is the server's and the model host's, so it holds nothing of the caller's Python.
as_server() {
    local drop=()
    [ "$(id -u)" != 0 ] || drop=(setpriv --reuid=nobody --regid=nogroup --clear-groups --)
    env -u PYTHONPATH -u PYTHONHOME -u VIRTUAL_ENV -u PGLORE_DSN HOME="${cluster:-/nonexistent}" LC_ALL=C.UTF-8 TZ=UTC "${drop[@]}" "$@"
}
