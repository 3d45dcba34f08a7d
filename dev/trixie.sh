#!/usr/bin/env bash
# Downloads from Debian's suite trixie into the current folder, by an apt configuration of its own: nothing of the system is changed.
#   dev/trixie.sh source NAME      the upstream source of a package
#   dev/trixie.sh package NAME     a binary package
. "$(dirname "$0")/common.sh"

kind=$1
name=$2
apt=$cache/apt-$kind
keyring=$(ls /usr/share/keyrings/debian-archive-keyring.* 2>/dev/null | head -n 1)
[ -n "$keyring" ] || die "Debian's signing keys are missing: apt-get install debian-archive-keyring"
mirror=$("$checkout/dev/mirror.sh")
type=deb
[ "$kind" = package ] || type=deb-src
folder=$PWD

locked "apt-$kind"
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
echo "$type [signed-by=$keyring] $mirror trixie main" >"$apt/sources.list"
get=(apt-get -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State="$apt/state"
    -o Dir::State::Lists="$apt/state/lists" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$apt/cache"
    -o APT::Sandbox::User= -o Acquire::Languages=none -o APT::Update::Error-Mode=any)
say "reading the package lists of $mirror trixie (PGLORE_DEBIAN_MIRROR names another archive)"
logged apt-update "${get[@]}" update
cd "$folder"
if [ "$kind" = package ]; then
    logged apt-package "${get[@]}" download "$name"
else
    logged apt-source "${get[@]}" source --download-only --tar-only "$name"
fi
rm -rf "$apt"
