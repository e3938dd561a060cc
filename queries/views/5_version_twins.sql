-- version_twins: per secret version, the credentials that may be it under a misspelt identifier.
-- Answers: did users of other versions present a credential that the registry does not know?
-- Reads: version_usage, version_credentials
-- An address tells who somebody is only where nothing else does: many stand behind one.
-- Cannot show: twins whose users never used another version.
WITH users AS (
    SELECT DISTINCT secret_id, workload, principal, source_ip
    FROM version_usage
    WHERE secret_id IS NOT NULL AND attribution <> 'principal'
),
strangers AS (
    SELECT
        credential_uid, workload, principal, source_ip,
        CASE WHEN id_kind = 'secret_sha256' THEN 'secret_value' ELSE id_kind END AS id_kind,
        max(last_time) AS last_time
    FROM version_usage
    WHERE secret_id IS NULL AND attribution = 'exact' AND NOT is_derived
    GROUP BY ALL
),
met AS (
    SELECT u.secret_id, s.credential_uid, s.id_kind, s.last_time
    FROM users AS u
    JOIN strangers AS s ON s.workload = u.workload
    UNION
    SELECT u.secret_id, s.credential_uid, s.id_kind, s.last_time
    FROM users AS u
    JOIN strangers AS s ON s.principal = u.principal
    UNION
    SELECT u.secret_id, s.credential_uid, s.id_kind, s.last_time
    FROM users AS u
    JOIN strangers AS s ON s.source_ip = u.source_ip
    WHERE u.workload IS NULL AND u.principal IS NULL AND s.workload IS NULL AND s.principal IS NULL
)
SELECT c.secret_id, c.version, m.credential_uid, max(m.last_time) AS last_time
FROM version_credentials AS c
JOIN met AS m
    ON m.secret_id = c.secret_id
    AND m.id_kind = CASE WHEN c.id_kind = 'secret_sha256' THEN 'secret_value' ELSE c.id_kind END
GROUP BY c.secret_id, c.version, m.credential_uid
