-- sequence_holes: files that are missing from a sequence of numbered or dated files.
-- Answers: which files are missing between others, and of what time are they?
-- Reads: file_gaps, files, events, params (as_of_time)
-- Cannot show: what is missing before the first or after the last file of a sequence; which of its
-- records are missing if a file was read without them.
-- A missing file was of the time from the last record of the one before it to the first record of
-- the one after it, in the scopes of both. A gap is written down a second time when it was filled,
-- with nothing missing.
WITH gaps AS (
    SELECT
        before_file_uid, after_file_uid, before_name, after_name, first_missing_name,
        last_missing_name, min(missing_count) AS missing_count
    FROM file_gaps
    GROUP BY 1, 2, 3, 4, 5, 6
    HAVING min(missing_count) > 0
),
missing AS (
    SELECT
        g.before_file_uid, g.after_file_uid,
        b.source, coalesce(b.source_scope, '') AS source_scope,
        least(b.last_event_time, a.first_event_time) AS start_time,
        greatest(b.last_event_time, a.first_event_time) AS end_time,
        concat(
            '`', g.first_missing_name, '` ',
            CASE WHEN g.missing_count > 1
                THEN concat('to `', g.last_missing_name, '` (', g.missing_count, ' files) ')
                ELSE ''
            END,
            'between `', g.before_name, '` and `', g.after_name, '` ',
            CASE WHEN g.missing_count > 1 THEN 'were' ELSE 'was' END, ' not read'
        ) AS evidence
    FROM gaps AS g
    JOIN files AS b ON b.file_uid = g.before_file_uid
    JOIN files AS a ON a.file_uid = g.after_file_uid
),
sides AS (
    SELECT before_file_uid, after_file_uid, before_file_uid AS file_uid FROM missing
    UNION ALL
    SELECT before_file_uid, after_file_uid, after_file_uid AS file_uid FROM missing
),
scopes AS (
    SELECT DISTINCT
        s.before_file_uid, s.after_file_uid, coalesce(e.source_scope, '') AS source_scope
    FROM sides AS s
    JOIN events AS e ON e.file_uid = s.file_uid
)
SELECT
    m.source,
    coalesce(s.source_scope, m.source_scope) AS source_scope,
    m.start_time,
    least(m.end_time, p.as_of_time) AS end_time,
    m.evidence
FROM missing AS m
LEFT JOIN scopes AS s
    ON s.before_file_uid = m.before_file_uid AND s.after_file_uid = m.after_file_uid
CROSS JOIN params AS p
WHERE m.start_time <= p.as_of_time
