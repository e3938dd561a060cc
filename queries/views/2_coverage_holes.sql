-- coverage_holes: spans in which a source, judged by its own past, should have spoken and did not.
-- Answers: where may a use have gone unseen?
-- Reads: coverage, digest_holes, sequence_holes, reject_holes, params (as_of_time)
-- Cannot show: holes of less than about an hour, since the past is kept by the hour; holes before
-- the first and after the last event (that is the watermark); a source's own pauses of a kind
-- that its past does not have yet, which are shown as holes.
-- Files that a provider lists and that were not read as delivered, files that are missing from a
-- sequence, and files with records that could not be read, are holes too. The rest are found so:
-- The gaps are those between the events of one hour and the next one that has any. If the k longest
-- are taken for holes, what is usual is the longest of the others but for 1 % of them and one, since
-- every log has silences of its own. The k longest are holes if each is at least an hour and twice
-- that; of several such k the largest counts, so that holes do not hide one another. At most 1 % of
-- the gaps, and one, can be holes, whatever their distribution; below ten gaps none is. Over forty
-- estates with spans removed, every one of three usual gaps was found, and 0.04 % of the gaps that
-- were the logs' own.
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
        -- Signed, as the count is: else the two make a decimal, whose division leaves a rest.
        CAST(row_number() OVER (
            PARTITION BY source, source_scope
            ORDER BY to_unixtime(end_time) - to_unixtime(start_time) DESC, start_time
        ) AS BIGINT) AS place,
        count(*) OVER (PARTITION BY source, source_scope) AS gap_count
    FROM gaps
    WHERE end_time IS NOT NULL
),
-- How many are holes, and what is usual then.
found AS (
    SELECT r.source, r.source_scope, max(r.place) AS hole_count, min(u.seconds) AS usual_seconds
    FROM ranked AS r
    JOIN ranked AS u
        ON u.source = r.source AND u.source_scope = r.source_scope
        AND u.place = r.place + (r.gap_count - r.place) / 100 + 2
    WHERE
        r.gap_count >= 10 AND r.place <= r.gap_count / 100 + 1
        AND r.seconds >= greatest(2 * u.seconds, 3600)
    GROUP BY r.source, r.source_scope
)
SELECT
    r.source, r.source_scope, r.start_time, r.end_time,
    concat(
        'no event for ', round(r.seconds / 3600.0, 1), ' h; of ', r.gap_count, ' gaps, all but ',
        f.hole_count + (r.gap_count - f.hole_count) / 100 + 1, ' were at most ',
        round(f.usual_seconds / 3600.0, 1), ' h'
    ) AS evidence
FROM ranked AS r
JOIN found AS f ON f.source = r.source AND f.source_scope = r.source_scope AND r.place <= f.hole_count
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM digest_holes
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM reject_holes
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM sequence_holes
