-- version_twins: per secret version, the credentials that may be it under a misspelt identifier.
-- Answers: did users of other versions present a credential that the registry does not know?
-- Reads: version_usage, version_credentials
-- An address tells who somebody is only where nothing else does: many stand behind one.
-- Cannot show: twins whose users never used another version.
WITH presented AS (
    SELECT
        secret_id, credential_uid, id_kind, attribution, is_derived, last_time,
        unnest([
            'workload ' || workload,
            'principal ' || principal,
            CASE WHEN workload IS NULL AND principal IS NULL THEN 'address ' || source_ip END
        ]) AS who
    FROM version_usage
),
users AS (
    SELECT DISTINCT secret_id, who
    FROM presented
    WHERE secret_id IS NOT NULL AND attribution <> 'principal'
),
strangers AS (
    SELECT
        credential_uid, who,
        CASE WHEN id_kind = 'secret_sha256' THEN 'secret_value' ELSE id_kind END AS id_kind,
        max(last_time) AS last_time
    FROM presented
    WHERE secret_id IS NULL AND attribution = 'exact' AND NOT is_derived
    GROUP BY ALL
)
SELECT c.secret_id, c.version, s.credential_uid, max(s.last_time) AS last_time
FROM users AS u
JOIN strangers AS s ON s.who = u.who
JOIN version_credentials AS c
    ON c.secret_id = u.secret_id
    AND s.id_kind = CASE WHEN c.id_kind = 'secret_sha256' THEN 'secret_value' ELSE c.id_kind END
GROUP BY c.secret_id, c.version, s.credential_uid
