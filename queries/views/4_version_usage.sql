-- version_usage: usage per secret version and consumer, direct and derived.
-- Answers: who used which version, with the credential itself or with one obtained from it?
-- Reads: consumer_usage, version_credentials, descent, lineage
-- A credential that belongs to no version stands for itself, with secret_id null;
-- one obtained from a version's credential counts as that version's derived use only.
-- What names only a principal is no use of a version, and stands for itself as well.
-- The small side of a join stands on the left: that one is held in memory.
WITH of_versions AS (
    SELECT credential_uid FROM version_credentials
    UNION
    SELECT credential_uid FROM descent
),
-- What a use of a credential is a use of.
roles AS (
    SELECT
        credential_uid, secret_id, version, version_number,
        credential_uid AS root_credential_uid,
        NULL AS id_kind, false AS is_derived, NULL AS root_principal,
        arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS expires_time
    FROM version_credentials
    UNION ALL
    SELECT
        d.credential_uid, d.secret_id, d.version, d.version_number, d.root_credential_uid,
        v.id_kind, true AS is_derived, d.root_principal, d.expires_time
    FROM version_credentials AS v
    JOIN descent AS d
        ON d.root_credential_uid = v.credential_uid
        AND d.secret_id = v.secret_id AND d.version = v.version
    UNION ALL
    SELECT
        l.credential_uid, NULL AS secret_id, NULL AS version, NULL AS version_number,
        l.root_credential_uid, NULL AS id_kind, true AS is_derived, l.root_principal,
        l.expires_time
    FROM of_versions AS o
    RIGHT ANTI JOIN lineage AS l ON l.root_credential_uid = o.credential_uid
    WHERE l.root_credential_uid IS NOT NULL
    UNION ALL
    SELECT DISTINCT
        l.credential_uid, NULL AS secret_id, NULL AS version, NULL AS version_number,
        l.credential_uid AS root_credential_uid, NULL AS id_kind, false AS is_derived,
        NULL AS root_principal,
        arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS expires_time
    FROM of_versions AS o
    RIGHT ANTI JOIN lineage AS l ON l.credential_uid = o.credential_uid
    WHERE l.root_credential_uid IS NOT NULL
)
SELECT
    r.secret_id, r.version, r.version_number,
    coalesce(r.root_credential_uid, c.credential_uid) AS credential_uid,
    CASE WHEN r.is_derived THEN r.id_kind ELSE c.id_kind END AS id_kind,
    coalesce(r.is_derived, false) AS is_derived,
    CASE WHEN r.is_derived THEN 'derived' ELSE c.attribution END AS attribution,
    c.outcome,
    CASE WHEN r.is_derived THEN r.root_principal ELSE c.principal END AS principal,
    c.workload, c.evidence, c.environment, c.source, c.source_scope, c.instance, c.source_ip,
    c.user_agent_product,
    c.usage_key, c.attempt_count, c.first_time, c.last_time, r.expires_time
FROM roles AS r
RIGHT JOIN consumer_usage AS c
    ON c.credential_uid = r.credential_uid AND c.attribution <> 'principal'
