-- last_use: when each secret version was last used, and by how many consumers.
-- Answers: which versions are quiet, and up to when do the logs say so?
-- Reads: consumer_facts, secret_versions, version_credentials, credential_ids, version_tails,
-- version_sources, usage_totals, coverage, params (as_of_time)
-- Cannot show: use where the logs are silent; `coverage` names the sources that could have shown
-- it and the instant up to which each was read; of a credential that no version explains, those that
-- did show it.
WITH used AS (
    SELECT
        secret_id, version,
        CASE WHEN secret_id IS NULL THEN credential_uid END AS own_uid,
        min(credential_uid) AS credential_uid,
        min(first_seen_time) AS first_seen_time,
        max(last_seen_time) AS last_seen_time,
        max(last_used_time) AS last_used_time,
        max(derived_last_used_time) AS derived_last_used_time,
        count(*) AS consumer_count,
        sum(use_count) AS use_count,
        sum(rejected_count) AS rejected_count
    FROM consumer_facts
    WHERE credential_uid IS NOT NULL
    GROUP BY 1, 2, 3
),
named AS (
    SELECT
        v.secret_id, v.version, v.version_number, v.state,
        min(c.credential_uid) AS credential_uid, max(t.tail_expires_time) AS tail_expires_time
    FROM secret_versions AS v
    LEFT JOIN version_credentials AS c ON c.secret_id = v.secret_id AND c.version = v.version
    LEFT JOIN version_tails AS t ON t.credential_uid = c.credential_uid
    GROUP BY 1, 2, 3, 4
),
watermarks AS (
    SELECT
        source, source_scope,
        concat(
            source, CASE WHEN source_scope = '' THEN '' ELSE concat(' ', source_scope) END,
            ' until ', to_char(watermark_time, '%Y-%m-%dT%H:%M:%SZ')
        ) AS words
    FROM (
        SELECT
            c.source, coalesce(c.source_scope, '') AS source_scope,
            max(least(c.last_time, p.as_of_time)) AS watermark_time
        FROM coverage AS c
        CROSS JOIN params AS p
        WHERE c.first_time <= p.as_of_time
        GROUP BY 1, 2
    )
),
covered AS (
    SELECT c.secret_id, c.version, array_sort(array_agg(w.words)) AS coverage
    FROM version_sources AS c
    JOIN watermarks AS w ON w.source = c.source AND w.source_scope = c.source_scope
    GROUP BY c.secret_id, c.version
),
shown AS (
    SELECT u.credential_uid, array_sort(array_agg(w.words)) AS coverage
    FROM watermarks AS w
    JOIN (
        SELECT DISTINCT credential_uid, source, coalesce(source_scope, '') AS source_scope
        FROM usage_totals
        WHERE credential_uid IS NOT NULL
    ) AS u ON u.source = w.source AND u.source_scope = w.source_scope
    GROUP BY u.credential_uid
),
listed AS (
    SELECT
        n.secret_id, n.version, n.version_number,
        coalesce(u.credential_uid, n.credential_uid) AS credential_uid,
        coalesce(i.id_kind, c.id_kind) AS id_kind,
        coalesce(i.id_value, c.id_value) AS id_value,
        u.first_seen_time, u.last_seen_time, u.last_used_time, u.derived_last_used_time,
        n.tail_expires_time,
        coalesce(u.consumer_count, 0) AS consumer_count,
        coalesce(u.use_count, 0) AS use_count,
        coalesce(u.rejected_count, 0) AS rejected_count,
        n.state,
        -- No log can show the use of a version that is known by no identifier.
        CASE WHEN n.credential_uid IS NOT NULL THEN w.coverage END AS coverage
    FROM named AS n
    LEFT JOIN used AS u ON u.secret_id = n.secret_id AND u.version = n.version
    LEFT JOIN version_credentials AS c
        ON c.secret_id = n.secret_id AND c.version = n.version
        AND c.credential_uid = coalesce(u.credential_uid, n.credential_uid)
    LEFT JOIN credential_ids AS i ON i.credential_uid = c.credential_uid
    LEFT JOIN covered AS w ON w.secret_id = n.secret_id AND w.version = n.version
    UNION ALL
    SELECT
        NULL AS secret_id, NULL AS version, NULL AS version_number,
        u.credential_uid,
        i.id_kind,
        i.id_value,
        u.first_seen_time, u.last_seen_time, u.last_used_time, u.derived_last_used_time,
        t.tail_expires_time,
        u.consumer_count, u.use_count, u.rejected_count,
        'unregistered' AS state,
        w.coverage
    FROM used AS u
    LEFT JOIN credential_ids AS i ON i.credential_uid = u.credential_uid
    LEFT JOIN version_tails AS t ON t.credential_uid = u.credential_uid
    LEFT JOIN shown AS w ON w.credential_uid = u.credential_uid
    WHERE u.secret_id IS NULL
)
SELECT
    secret_id, version, credential_uid, id_kind, id_value, first_seen_time, last_seen_time,
    last_used_time, derived_last_used_time, tail_expires_time, consumer_count, use_count,
    rejected_count, state, coverage
FROM listed
ORDER BY
    secret_id NULLS LAST, version_number, version, last_seen_time DESC NULLS LAST, credential_uid
