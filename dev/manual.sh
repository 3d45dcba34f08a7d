#!/usr/bin/env bash
# Prints a folder with documents to try things on: the PostgreSQL 17 manual as HTML, from Debian's package
# postgresql-doc-17 (cached), or the project's own docs where that cannot be had.
. "$(dirname "$0")/common.sh"

manual=$cache/manual
html=$manual/usr/share/doc/postgresql-doc-17/html
[ -e "$html/index.html" ] || locked manual
if [ ! -e "$html/index.html" ]; then
    say "getting the PostgreSQL 17 manual"
    rm -rf "$manual" "$manual.new"
    mkdir -p "$manual.new"
    if ! (cd "$manual.new" && "$checkout/dev/trixie.sh" package postgresql-doc-17 9>&- && dpkg -x ./*.deb . && rm ./*.deb); then
        say "the manual cannot be had: the project's own docs take its place"
        rm -rf "$manual.new"
        echo "$checkout/docs"
        exit 0
    fi
    mv "$manual.new" "$manual"
fi
echo "$html"
