-- coverage: what each source and scope was seen to cover.
-- Answers: which logs could have shown a use, from when and up to when?
-- Reads: coverage, rejects, source_facts
-- Cannot show: holes inside the interval; the event density per hour is in `coverage`.
SELECT
    c.source,
    c.source_scope,
    min(c.first_time) AS start_time,
    max(c.last_time) AS watermark_time,
    sum(c.record_count) AS event_count,
    count(DISTINCT c.hour_time) AS observed_hours,
    max(coalesce(r.reject_count, 0)) AS reject_count,
    min(f.delay) AS delay,
    min(f.blind_spots) AS blind_spots
FROM coverage AS c
LEFT JOIN (
    SELECT source, coalesce(source_scope, '') AS source_scope, count(*) AS reject_count
    FROM rejects
    GROUP BY 1, 2
) AS r ON r.source = c.source AND r.source_scope = coalesce(c.source_scope, '')
LEFT JOIN source_facts AS f ON f.source = c.source
GROUP BY c.source, c.source_scope
ORDER BY c.source, c.source_scope
