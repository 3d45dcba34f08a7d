SELECT answer, jsonb_path_query_array(sources, '$[*].key') AS pages, timings
FROM lore.ask(:'collection', :'question');
