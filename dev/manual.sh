#!/usr/bin/env bash
# Prints a folder with documents to try things on: the PostgreSQL 17 manual as HTML, from Debian's package
# postgresql-doc-17 (cached), or the project's own docs where that cannot be had.
. "$(dirname "$0")/common.sh"

html=usr/share/doc/postgresql-doc-17/html
if [ ! -e "$cache/manual/$html/index.html" ]; then
    say "getting the PostgreSQL 17 manual"
    locked manual
    rm -rf "$cache/manual" "$cache/manual.new"
    mkdir -p "$cache/manual.new"
    if ! (cd "$cache/manual.new" && "$checkout/dev/trixie.sh" package postgresql-doc-17 9>&- && dpkg -x ./*.deb . && rm ./*.deb); then
        say "the manual cannot be had: the project's own docs take its place"
        rm -rf "$cache/manual.new"
        echo "$checkout/docs"
        exit 0
    fi
    mv "$cache/manual.new" "$cache/manual"
fi
echo "$cache/manual/$html"
