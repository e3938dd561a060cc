-- coverage_holes: spans in which a source, judged by its own past, should have spoken and did not.
-- Answers: where may a use have gone unseen?
-- Reads: coverage, digest_holes, reject_holes, params (as_of_time)
-- Cannot show: holes of less than about an hour, since the past is kept by the hour; holes before
-- the first and after the last event (that is the watermark); a source's own pauses of a kind
-- that its past does not have yet, which are shown as holes.
-- Files that a provider lists and that were not read as delivered, and files with records that
-- could not be read, are holes too. The rest are found so:
-- The gaps are those between the events of one hour and the next one that has any. A gap is usual
-- up to the longest there was but for 1 % of them and one: the holes themselves must not count as
-- usual. A hole is at least three times that, and at least an hour. So at most 1 % of a source's
-- gaps, and one, can be called holes, whatever their distribution; below ten gaps none is.
WITH hours AS (
    SELECT
        c.source, coalesce(c.source_scope, '') AS source_scope, c.hour_time,
        min(c.first_time) AS first_time,
        max(least(c.last_time, p.as_of_time)) AS last_time
    FROM coverage AS c
    CROSS JOIN params AS p
    WHERE c.first_time <= p.as_of_time
    GROUP BY 1, 2, 3
),
gaps AS (
    SELECT
        source, source_scope,
        last_time AS start_time,
        lead(first_time) OVER (PARTITION BY source, source_scope ORDER BY hour_time) AS end_time
    FROM hours
),
ranked AS (
    SELECT
        source, source_scope, start_time, end_time,
        to_unixtime(end_time) - to_unixtime(start_time) AS seconds,
        row_number() OVER (
            PARTITION BY source, source_scope
            ORDER BY to_unixtime(end_time) - to_unixtime(start_time) DESC, start_time
        ) AS place,
        count(*) OVER (PARTITION BY source, source_scope) AS gap_count
    FROM gaps
    WHERE end_time IS NOT NULL
),
usual AS (
    SELECT source, source_scope, gap_count, seconds
    FROM ranked
    WHERE place = gap_count / 100 + 2 AND gap_count >= 10
)
SELECT
    r.source, r.source_scope, r.start_time, r.end_time,
    concat(
        'no event for ', round(r.seconds / 3600.0, 1), ' h; of ', r.gap_count,
        ' gaps, all but ', r.gap_count / 100 + 1, ' were at most ',
        round(u.seconds / 3600.0, 1), ' h'
    ) AS evidence
FROM usual AS u
JOIN ranked AS r ON r.source = u.source AND r.source_scope = u.source_scope
WHERE r.place < r.gap_count / 100 + 2 AND r.seconds >= greatest(3 * u.seconds, 3600)
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM digest_holes
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM reject_holes
