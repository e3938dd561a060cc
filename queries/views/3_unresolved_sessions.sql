-- unresolved_sessions: sessions that were used, and of which no log says what they were obtained with.
-- Answers: which uses may be derived uses of a secret version without being counted as such?
-- Reads: consumer_usage, events, exchanges, credential_ids, version_credentials
-- Cannot show: sessions of kinds that also name long-lived credentials (API keys, certificates),
-- unless an exchange issued them. Nothing is guessed from names or times: a session stays here
-- until the event that issued it arrives, and that event must name what was presented.
WITH issued AS (
    SELECT child_credential_uid AS credential_uid, bool_or(link_strength = 'id_id') AS is_named
    FROM exchanges
    GROUP BY child_credential_uid
),
-- Vault shows tokens and secret ids alike, but only tokens come with other requests than logins.
vault_tokens AS (
    SELECT DISTINCT credential_uid
    FROM events
    WHERE
        source = 'vault_audit' AND resource NOT LIKE 'auth/%/login'
        AND resource NOT LIKE 'auth/%/login/%'
),
used AS (
    SELECT
        credential_uid,
        array_sort(array_agg(DISTINCT principal)) AS principals,
        array_sort(array_agg(DISTINCT workload)) AS workloads,
        array_sort(array_agg(DISTINCT source)) AS sources,
        min(first_time) AS first_used_time, max(last_time) AS last_used_time,
        sum(attempt_count) AS use_count
    FROM consumer_usage
    WHERE
        credential_uid IS NOT NULL AND attribution <> 'principal'
        AND outcome IN ('success', 'denied')
    GROUP BY credential_uid
)
SELECT
    u.credential_uid, c.id_kind, c.id_value,
    CASE
        WHEN i.credential_uid IS NULL THEN 'the event that issued it was not seen'
        ELSE 'the event that issued it names no credential'
    END AS reason,
    u.principals, u.workloads, u.sources, u.first_used_time, u.last_used_time, u.use_count
FROM used AS u
JOIN credential_ids AS c ON c.credential_uid = u.credential_uid
LEFT JOIN issued AS i ON i.credential_uid = u.credential_uid
LEFT JOIN vault_tokens AS t ON t.credential_uid = u.credential_uid
LEFT ANTI JOIN version_credentials AS v ON v.credential_uid = u.credential_uid
WHERE
    (i.is_named IS DISTINCT FROM true)
    AND (
        i.credential_uid IS NOT NULL
        OR t.credential_uid IS NOT NULL
        OR c.id_kind IN ('jwt_id', 'kubernetes_credential_id', 'session_id')
        OR (c.id_kind = 'aws_access_key_id' AND c.id_value LIKE 'ASIA%')
    )
