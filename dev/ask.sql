SELECT answer, string_agg(format('[%s] %s  %s', source ->> 'n', source ->> 'key', source ->> 'heading'), E'\n' ORDER BY (source ->> 'n')::integer) AS cited, timings
FROM lore.ask(:'collection', :'question'), jsonb_array_elements(sources) AS source
GROUP BY answer, timings;
