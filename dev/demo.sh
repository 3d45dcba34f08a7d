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
    questions=("How do I reclaim disk space from a table without locking it?" "What does wal_level do?"
        "How can I find out which queries are slow?")
fi
say "loading $folder into the collection $collection (what is there already is left alone)"
"$pglore" ingest "$folder" --collection $collection --dsn "$dsn"

for question in "${questions[@]}"; do
    printf '\n'
    "$psql" "$dsn" -X -q -e -x -P format=wrapped -P columns=120 -P footer=off -v ON_ERROR_STOP=1 -v question="$question" -v collection=$collection \
        -f "$checkout/dev/ask.sql"
done

cat <<TEXT
What next?
  make psql                                   then type:  SELECT answer FROM lore.ask('$collection', 'your question');
  .venv/bin/pglore ask "your question" -c $collection --dsn "$dsn"
  .venv/bin/pglore ingest FOLDER -c mine --dsn "$dsn"
  docs/tutorial.md                            the rest, step by step
  make down                                   stops the server
TEXT
