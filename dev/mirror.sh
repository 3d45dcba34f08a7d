#!/usr/bin/env bash
# Prints the address of the Debian archive that this machine's apt is set up with (or PGLORE_DEBIAN_MIRROR).
. "$(dirname "$0")/common.sh"

mirror=${PGLORE_DEBIAN_MIRROR:-}
if [ -z "$mirror" ]; then
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$codename" '$1 == release && $2 == "main" { print $3; exit }')
fi
[ -n "$mirror" ] || die "no Debian archive in apt's sources: set PGLORE_DEBIAN_MIRROR to the address of one"
echo "$mirror"
