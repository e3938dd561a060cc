-- source_coverage: what each source and scope was seen to cover.
-- Answers: from when and up to when did it speak, and where are its holes?
-- Reads: coverage, coverage_holes, rejects, source_facts, params (as_of_time)
-- Cannot show: holes of less than an hour that nothing else tells of; the view `coverage_holes`
-- says how they are found.
-- Counts are those of whole hours, the one of the report included. Rejected records whose scope
-- could not be read stand under the scope that their file was given.
WITH seen AS (
    SELECT
        c.source,
        coalesce(c.source_scope, '') AS source_scope,
        min(c.first_time) AS start_time,
        max(least(c.last_time, p.as_of_time)) AS watermark_time,
        sum(c.record_count) AS event_count,
        count(DISTINCT c.hour_time) AS observed_hours
    FROM coverage AS c
    CROSS JOIN params AS p
    WHERE c.first_time <= p.as_of_time
    GROUP BY 1, 2
),
silent AS (
    SELECT
        source, source_scope, count(*) AS hole_count,
        array_agg(
            named_struct('start_time', start_time, 'end_time', end_time, 'evidence', evidence)
            ORDER BY start_time, end_time, evidence
        ) AS holes
    FROM coverage_holes
    GROUP BY 1, 2
),
refused AS (
    SELECT source, coalesce(source_scope, '') AS source_scope, count(*) AS reject_count
    FROM rejects
    GROUP BY 1, 2
)
SELECT
    coalesce(s.source, r.source, h.source) AS source,
    coalesce(s.source_scope, r.source_scope, h.source_scope) AS source_scope,
    s.start_time,
    s.watermark_time,
    coalesce(s.event_count, 0) AS event_count,
    coalesce(s.observed_hours, 0) AS observed_hours,
    coalesce(r.reject_count, 0) AS reject_count,
    coalesce(h.hole_count, 0) AS hole_count,
    f.delay,
    f.blind_spots,
    h.holes
FROM seen AS s
FULL JOIN refused AS r ON r.source = s.source AND r.source_scope = s.source_scope
FULL JOIN silent AS h
    ON h.source = coalesce(s.source, r.source)
    AND h.source_scope = coalesce(s.source_scope, r.source_scope)
LEFT JOIN source_facts AS f ON f.source = coalesce(s.source, r.source, h.source)
