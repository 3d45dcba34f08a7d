#!/usr/bin/env bash
# Makes .venv: the client, the command line, the model host and the tests, at the versions of constraints.txt.
. "$(dirname "$0")/common.sh"

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$python is older than Python 3.11"

# Root's environment lies in the cache, because the server's account starts the model host from it and may not enter the checkout.
venv=$checkout/.venv
[ "$(id -u)" != 0 ] || venv=$place/venv

gpu=no
[ ! -e /proc/driver/nvidia/version ] || gpu=yes
# An editable install knows the packages by name, so a new one counts as a change.
stamp=$(cd "$checkout" && { cat pyproject.toml constraints.txt dev/venv.sh && ls -d */pglore*; } | sha256sum | cut -c1-16)
stamp="$stamp $("$python" -V) gpu=$gpu $checkout"

link() {
    [ "$venv" = "$checkout/.venv" ] || [ "$(readlink "$checkout/.venv" || true)" = "$venv" ] || ln -sfnT "$venv" "$checkout/.venv"
}

if [ "$(cat "$venv/pglore.stamp" 2>/dev/null || true)" = "$stamp" ]; then
    link
    exit 0
fi
locked "checkouts/$(basename "$place")/venv"
mkdir -p "$place" "$(dirname "$venv")"
echo "$checkout" >"$place/checkout"

# What belongs to checkouts that are gone (a CI's, say) goes too, unless a server of theirs still runs.
for folder in "$cache"/checkouts/*; do
    if [ -e "$folder/checkout" ] && [ ! -d "$(cat "$folder/checkout")" ] && ! ls "$folder"/*/data/postmaster.pid >/dev/null 2>&1; then
        say "removing $folder, whose checkout is gone"
        rm -rf "$folder"
    fi
done

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "making a virtual environment with $("$python" -V)"
    rm -rf "$venv"
    logged venv "$python" -m venv "$venv"
fi
link

pip=("$venv/bin/python" -m pip --disable-pip-version-check --no-input)
logged pip "${pip[@]}" install -q -c "$checkout/constraints.txt" pip setuptools

# torch first and alone: where there is no GPU, a build without CUDA saves gigabytes.
if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
    torch=$(grep '^torch==' "$checkout/constraints.txt")
    index=()
    if [ $gpu = no ]; then
        logged torch "${pip[@]}" install -q --dry-run --report "$place/torch.json" -c "$checkout/constraints.txt" "$torch"
        if grep -qi '"name": *"nvidia-' "$place/torch.json"; then
            if [ -n "${PGLORE_TORCH_INDEX:-}" ]; then
                index=(--index-url "$PGLORE_TORCH_INDEX")
            else
                say "the default build of torch brings CUDA along: set PGLORE_TORCH_INDEX to PyTorch's index of CPU builds to save gigabytes"
            fi
        fi
    fi
    say "installing $torch (GPU: $gpu)"
    if [ ${#index[@]} = 0 ]; then
        logged torch "${pip[@]}" install -q -c "$checkout/constraints.txt" "$torch"
    elif ! (logged torch "${pip[@]}" install -q --retries 1 --timeout 20 "${index[@]}" "$torch") 2>/dev/null; then
        say "no CPU build of $torch can be had from PGLORE_TORCH_INDEX: installing the default build, with CUDA"
        logged torch "${pip[@]}" install -q -c "$checkout/constraints.txt" "$torch"
    fi
fi
say "installing the Python packages of constraints.txt"
logged pip "${pip[@]}" install -q -c "$checkout/constraints.txt" -e "${checkout}[host,dev]"
# What an earlier state of the checkout asked for goes, so that the environment is the same however it came about.
unwanted=$("$venv/bin/python" - "$checkout/constraints.txt" <<'PYTHON'
import re, sys
from importlib.metadata import distributions
normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
wanted = {normal(line.partition("==")[0]) for line in open(sys.argv[1])} | {"pglore", "triton"}
print(*{found.name for found in distributions() if not normal(found.name).startswith(("nvidia-", "cuda-"))
        and normal(found.name) not in wanted})
PYTHON
)
# shellcheck disable=SC2086  # names, apart
[ -z "$unwanted" ] || logged pip "${pip[@]}" uninstall -q -y $unwanted
printf '%s\n' "$stamp" >"$venv/pglore.stamp"
