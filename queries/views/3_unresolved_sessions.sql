-- unresolved_sessions: sessions that were used, and of which no log says what they were obtained with.
-- Answers: which uses may be derived uses of a secret version without being counted as such?
-- Reads: consumer_usage, events, exchanges, lineage, credential_ids, version_credentials
-- Cannot show: sessions of kinds that also name long-lived credentials (API keys, certificates),
-- unless an exchange issued them. Nothing is guessed from names or times: a session stays here
-- until the event that issued it arrives, and that event must name what was presented.
WITH issued AS (
    SELECT child_credential_uid AS credential_uid, bool_or(link_strength = 'id_id') AS is_named
    FROM exchanges
    GROUP BY child_credential_uid
),
-- A credential with a great many ancestors: the search for the others was cut short.
partly_known AS (
    SELECT DISTINCT credential_uid FROM lineage WHERE root_credential_uid IS NULL
),
-- The few credentials in question come first: usage and events are read for those alone.
candidates AS (
    SELECT
        c.credential_uid, c.id_kind, c.id_value, i.credential_uid IS NOT NULL AS is_issued,
        k.credential_uid IS NOT NULL AS is_partly_known
    FROM credential_ids AS c
    LEFT JOIN issued AS i ON i.credential_uid = c.credential_uid
    LEFT JOIN partly_known AS k ON k.credential_uid = c.credential_uid
    LEFT ANTI JOIN version_credentials AS v ON v.credential_uid = c.credential_uid
    WHERE
        k.credential_uid IS NOT NULL
        OR (i.is_named IS DISTINCT FROM true)
        AND (
            i.credential_uid IS NOT NULL
            OR c.id_kind IN ('vault_hmac', 'jwt_id', 'kubernetes_credential_id', 'session_id')
            OR (c.id_kind = 'aws_access_key_id' AND c.id_value LIKE 'ASIA%')
        )
),
-- Vault shows tokens and secret ids alike, but only tokens come with other requests than logins.
vault_tokens AS (
    SELECT DISTINCT e.credential_uid
    FROM candidates AS c
    JOIN events AS e ON e.credential_uid = c.credential_uid
    WHERE
        c.id_kind = 'vault_hmac' AND NOT c.is_issued
        AND e.source = 'vault_audit' AND e.resource NOT LIKE 'auth/%/login'
        AND e.resource NOT LIKE 'auth/%/login/%'
)
SELECT
    c.credential_uid, c.id_kind, c.id_value,
    CASE
        WHEN c.is_partly_known THEN 'it was obtained through more exchanges than are followed'
        WHEN c.is_issued THEN 'the event that issued it names no credential'
        ELSE 'the event that issued it was not seen'
    END AS reason,
    array_sort(array_distinct(array_agg(arrow_cast(u.principal, 'Utf8')))) AS principals,
    array_sort(array_distinct(array_agg(arrow_cast(u.workload, 'Utf8')))) AS workloads,
    array_sort(array_distinct(array_agg(arrow_cast(u.source, 'Utf8')))) AS sources,
    min(u.first_time) AS first_used_time, max(u.last_time) AS last_used_time,
    sum(u.attempt_count) AS use_count
FROM candidates AS c
LEFT JOIN vault_tokens AS t ON t.credential_uid = c.credential_uid
JOIN consumer_usage AS u ON u.credential_uid = c.credential_uid
WHERE
    u.attribution <> 'principal' AND u.outcome IN ('success', 'denied')
    AND (c.is_issued OR c.id_kind <> 'vault_hmac' OR t.credential_uid IS NOT NULL)
GROUP BY c.credential_uid, c.id_kind, c.id_value, c.is_issued, c.is_partly_known
