#!/usr/bin/env bash
# Prints the address of the Debian archive that this machine's apt is set up with (or PGLORE_DEBIAN_MIRROR).
. "$(dirname "$0")/common.sh"

mirror=${PGLORE_DEBIAN_MIRROR:-}
if [ -z "$mirror" ]; then
    # Of the archives that have this release, the one that has its updates too is Debian's; else the first.
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(apt-get --print-uris update | awk -F"'" -v release="/dists/$codename/InRelease" -v updates="/dists/$codename-updates/InRelease" '
        index($2, release) { archives[++count] = substr($2, 1, index($2, release) - 1) }
        index($2, updates) { updated[substr($2, 1, index($2, updates) - 1)] = 1 }
        END {
            for (i = 1; i <= count; i++) if (archives[i] in updated) { print archives[i]; exit }
            if (count) print archives[1]
        }')
fi
[ -n "$mirror" ] || die "no Debian archive in apt's sources: set PGLORE_DEBIAN_MIRROR to the address of one"
echo "$mirror"
