#!/usr/bin/env bash
# Stops and removes this checkout's servers, with their data, its environment and what was built. The shared cache stays.
. "$(dirname "$0")/common.sh"

for folder in "$place"/*/pg_config; do
    [ ! -e "$folder" ] || "$checkout/dev/server.sh" remove "$(basename "$(dirname "$folder")")"
done
rm -rf "$place" "$checkout/.venv" "$checkout/build"
find "$checkout" -name __pycache__ -prune -exec rm -rf {} +
say "removed; the assembled PostgreSQL stays in $cache"
