#!/usr/bin/env bash
# The Debian packages that the set-up needs: root gets what is missing installed, others are told the command.
#   dev/packages.sh NAME...
. "$(dirname "$0")/common.sh"

missing=()
for name in $(printf '%s\n' "$@" | sort -u); do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
    die "these Debian packages are missing; as root, run: apt-get install --no-install-recommends ${missing[*]}"
fi
say "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
locked packages
# First without a new list: where the list is current, that saves a download.
if ! apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    logged apt-update apt-get update -q
    logged apt-install apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
