-- digest_holes: log files that a provider says it delivered and that were not read as delivered.
-- Answers: which files are missing or altered, and of what time are they?
-- Reads: digests, files, params (as_of_time)
-- Cannot show: what no digest lists; whether the newest digest is genuine, since only the one that
-- follows holds its signature; signatures at all, unless `ingest --digest-keys` was given the keys.
-- A file counts as read by what it holds, whatever it is called now. Names, which tell missing
-- files from altered ones, are compared without folders and the ending of a compression.
-- Times of CloudTrail are whole seconds, so a span lasts until the end of its last second.
WITH listed AS (
    SELECT
        d.source, d.source_scope, d.kind, d.chain, d.file_uid, d.object, d.content_sha256,
        d.start_time, d.end_time, d.state,
        regexp_replace(d.object, '^.*/', '') AS file_name
    FROM digests AS d
    CROSS JOIN params AS p
    WHERE d.start_time <= p.as_of_time
),
logs AS (
    SELECT
        source, source_scope, content_sha256, file_name,
        min(start_time) AS start_time, max(end_time) + INTERVAL '1 second' AS end_time
    FROM listed
    WHERE kind = 'log'
    GROUP BY 1, 2, 3, 4
),
contents AS (
    SELECT DISTINCT source, content_sha256
    FROM files
    WHERE state = 'complete' AND content_sha256 IS NOT NULL
),
names AS (
    SELECT
        source,
        regexp_replace(regexp_replace(path, '^.*/', ''), '\.(gz|zst)$', '') AS file_name,
        bool_or(state = 'complete') AS is_complete,
        bool_or(content_sha256 IS NOT NULL) AS is_hashed
    FROM files
    GROUP BY 1, 2
),
unread AS (
    SELECT
        l.source, l.source_scope, l.start_time, l.end_time,
        concat('`', l.file_name, '`, which a digest lists, ', CASE
            WHEN n.file_name IS NULL THEN 'was not read'
            WHEN NOT n.is_complete THEN 'was not read to its end'
            WHEN n.is_hashed THEN 'was altered after it was delivered'
            ELSE 'cannot be compared with it'
        END) AS evidence
    FROM logs AS l
    LEFT JOIN contents AS c ON c.source = l.source AND c.content_sha256 = l.content_sha256
    LEFT JOIN names AS n
        ON n.source = l.source AND n.file_name = regexp_replace(l.file_name, '\.(gz|zst)$', '')
    WHERE c.content_sha256 IS NULL
),
-- The digests that were read, each once, and when the one before it in its chain ended.
present AS (
    SELECT
        source, source_scope, chain, object, file_name, start_time, end_time,
        lag(end_time) OVER (
            PARTITION BY source, source_scope, chain ORDER BY end_time, object
        ) AS before_time
    FROM (
        SELECT
            source, source_scope, chain, object, file_name,
            min(start_time) AS start_time, max(end_time) AS end_time
        FROM listed
        WHERE kind = 'digest'
        GROUP BY 1, 2, 3, 4, 5
    )
),
versions AS (
    SELECT DISTINCT source, object, content_sha256 FROM listed WHERE kind = 'digest'
),
-- What the digests after them say of digests: whether such a one was read, and is the same.
followed AS (
    SELECT
        f.source, f.object, f.file_name,
        bool_or(v.object IS NOT NULL) AS is_present,
        bool_or(v.content_sha256 = f.content_sha256) AS is_same
    FROM listed AS f
    LEFT JOIN versions AS v ON v.source = f.source AND v.object = f.object
    WHERE f.kind = 'previous'
    GROUP BY 1, 2, 3
),
signed AS (
    SELECT source, object, bool_or(state = 'valid') AS is_valid
    FROM listed
    WHERE kind = 'signature'
    GROUP BY 1, 2
),
untrue AS (
    SELECT
        d.source, d.source_scope, d.start_time, d.end_time,
        concat('digest `', d.file_name, '` ', CASE
            WHEN f.is_same THEN 'is not signed by its provider'
            ELSE 'was altered after it was delivered'
        END) AS evidence
    FROM present AS d
    JOIN followed AS f ON f.source = d.source AND f.object = d.object
    LEFT JOIN signed AS s ON s.source = d.source AND s.object = d.object
    WHERE NOT f.is_same OR NOT coalesce(s.is_valid, TRUE)
),
-- Of the first digest of a chain, the one before it may be of a time before the logs.
absent AS (
    SELECT
        d.source, d.source_scope, d.before_time AS start_time, d.start_time AS end_time,
        concat('digest `', f.file_name, '`, which the next one names, was not read') AS evidence
    FROM followed AS f
    JOIN listed AS n ON n.source = f.source AND n.kind = 'previous' AND n.object = f.object
    JOIN listed AS o ON o.source = n.source AND o.kind = 'digest' AND o.file_uid = n.file_uid
    JOIN present AS d ON d.source = o.source AND d.object = o.object
    WHERE NOT f.is_present AND d.before_time < d.start_time
    GROUP BY 1, 2, 3, 4, 5
)
SELECT
    h.source, h.source_scope, h.start_time, least(h.end_time, p.as_of_time) AS end_time, h.evidence
FROM (
    SELECT source, source_scope, start_time, end_time, evidence FROM unread
    UNION ALL
    SELECT source, source_scope, start_time, end_time, evidence FROM untrue
    UNION ALL
    SELECT source, source_scope, start_time, end_time, evidence FROM absent
) AS h
CROSS JOIN params AS p
WHERE h.start_time <= p.as_of_time
