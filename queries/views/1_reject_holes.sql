-- reject_holes: files with records that could not be read.
-- Answers: where may a use stand in a record that was rejected?
-- Reads: files, events, params (as_of_time)
-- Cannot show: which record of the file it was, and so which time: the hole is as long as the file.
-- A file's events tell of which scopes it is. Of a file without any event only the time is known
-- up to which it was written; that instant is its hole.
WITH refused AS (
    SELECT
        source, coalesce(source_scope, '') AS source_scope, file_uid, rejected_count,
        regexp_replace(path, '^.*/', '') AS file_name,
        coalesce(first_event_time, modified_time) AS start_time,
        coalesce(last_event_time, modified_time) AS end_time
    FROM files
    WHERE rejected_count > 0
),
scopes AS (
    SELECT DISTINCT r.file_uid, coalesce(e.source_scope, '') AS source_scope
    FROM refused AS r
    JOIN events AS e ON e.file_uid = r.file_uid
)
SELECT
    r.source,
    coalesce(s.source_scope, r.source_scope) AS source_scope,
    r.start_time,
    least(r.end_time, p.as_of_time) AS end_time,
    concat(
        r.rejected_count, CASE WHEN r.rejected_count = 1 THEN ' record' ELSE ' records' END,
        ' of `', r.file_name, '` could not be read'
    ) AS evidence
FROM refused AS r
LEFT JOIN scopes AS s ON s.file_uid = r.file_uid
CROSS JOIN params AS p
WHERE r.start_time <= p.as_of_time
