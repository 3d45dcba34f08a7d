#!/usr/bin/env bash
# The whole of it: a server, the PostgreSQL manual loaded, three questions, each answered by one SQL statement.
. "$(dirname "$0")/common.sh"

[ -z "${PGLORE_DSN:-}" ] || "$checkout/dev/setup.sh" client
dsn=$("$checkout/dev/up.sh" | tail -n 1)
psql=$("$checkout/dev/psql.sh" --which)
pglore=$checkout/.venv/bin/pglore
[ -z "${PGLORE_DSN:-}" ] || "$pglore" init --dsn "$dsn" >&2

folder=$("$checkout/dev/manual.sh")
if [ "$folder" = "$checkout/docs" ]; then
    collection=docs
    questions=("How do I load a folder of documents?" "How do I let a role search but not add?" "What does a filter look like?")
else
    collection=manual
    questions=("How do I reclaim disk space from a table?" "How do I create an index without blocking writes?"
        "How long can an identifier be?")
fi
say "loading $folder into the collection $collection (what is there already is left alone)"
"$pglore" ingest "$folder" --collection $collection --dsn "$dsn"

say "asking three questions; each is one statement, and [1] cites the first of the pages"
for question in "${questions[@]}"; do
    printf '\n'
    "$psql" "$dsn" -X -q -e -x -A -F $':\n  ' -v ON_ERROR_STOP=1 -v question="$question" -v collection=$collection \
        -f "$checkout/dev/ask.sql" | fold -s -w 120
done

cat <<TEXT

What next?
  make psql        and in it:  SELECT answer FROM lore.ask('$collection', 'your question');
                               SELECT rank, key, heading, score FROM lore.search('$collection', 'your words');
  export PGLORE_DSN='$dsn'
  .venv/bin/pglore ask "your question" -c $collection
  .venv/bin/pglore ingest FOLDER -c mine
  docs/tutorial.md tells the rest, step by step. make down stops the server.
TEXT
