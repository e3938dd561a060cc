-- coverage_holes: spans in which a source, judged by its own past, should have spoken and did not.
-- Answers: where may a use have gone unseen?
-- Reads: coverage, digest_holes, sequence_holes, reject_holes, params (as_of_time)
-- Cannot show: holes of less than about an hour, since the past is kept by the hour; holes before
-- the first and after the last event (that is the watermark); a source's own pauses of a kind
-- that its past does not have yet, which are shown as holes; several holes of less than three times
-- the longest of a source's own pauses, if it makes few events.
-- Files that a provider lists and that were not read as delivered, files that are missing from a
-- sequence, and files with records that could not be read, are holes too. The rest are found so:
-- The gaps are those between the events of one hour and the next one that has any. A gap is usual
-- up to the longest there was but for 1 % of them and one: the holes themselves must not count as
-- usual. A hole is at least three times that, and at least an hour. What is found so is left out,
-- and what is usual is taken once more of the others: long holes would hide a short one. So at most
-- 1 % of a source's gaps, and one, can be called holes, whatever their distribution; below ten gaps
-- none is.
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
        count(*) OVER (PARTITION BY source, source_scope) AS gap_count,
        count(*) OVER (PARTITION BY source, source_scope) / 100 + 1 AS most
    FROM gaps
    WHERE end_time IS NOT NULL
),
-- What is usual as long as the holes count.
first_look AS (
    SELECT
        *,
        max(CASE WHEN place = most + 1 THEN seconds END)
            OVER (PARTITION BY source, source_scope) AS usual_seconds
    FROM ranked
    WHERE gap_count >= 10
),
found AS (
    SELECT
        *,
        sum(
            CASE WHEN place <= most AND seconds >= greatest(3 * usual_seconds, 3600) THEN 1 ELSE 0 END
        ) OVER (PARTITION BY source, source_scope) AS found_count
    FROM first_look
),
second_look AS (
    SELECT
        source, source_scope, start_time, end_time, seconds, place, gap_count, most,
        most + found_count AS longer_count,
        max(CASE WHEN place = most + found_count + 1 THEN seconds END)
            OVER (PARTITION BY source, source_scope) AS usual_seconds
    FROM found
)
SELECT
    source, source_scope, start_time, end_time,
    concat(
        'no event for ', round(seconds / 3600.0, 1), ' h; of ', gap_count,
        ' gaps, all but ', longer_count, ' were at most ',
        round(usual_seconds / 3600.0, 1), ' h'
    ) AS evidence
FROM second_look
WHERE place <= most AND seconds >= greatest(3 * usual_seconds, 3600)
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM digest_holes
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM reject_holes
UNION ALL
SELECT source, source_scope, start_time, end_time, evidence FROM sequence_holes
