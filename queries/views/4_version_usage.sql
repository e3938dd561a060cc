-- version_usage: usage per secret version and consumer, direct and derived.
-- Answers: who used which version, with the credential itself or with one obtained from it?
-- Reads: consumer_usage, version_credentials, descent, lineage
-- A credential that belongs to no version stands for itself, with secret_id null;
-- one obtained from a version's credential counts as that version's derived use only.
-- What names only a principal is no use of a version, and stands for itself as well.
SELECT
    v.secret_id, v.version, v.version_number, c.credential_uid, c.id_kind, false AS is_derived,
    c.attribution, c.outcome, c.principal, c.workload, c.evidence, c.environment, c.source,
    c.source_ip, c.user_agent_product, c.hour_time, c.attempt_count, c.first_time, c.last_time,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS expires_time
FROM consumer_usage AS c
LEFT JOIN version_credentials AS v
    ON v.credential_uid = c.credential_uid AND c.attribution <> 'principal'
LEFT JOIN (SELECT DISTINCT credential_uid FROM descent) AS d
    ON d.credential_uid = c.credential_uid AND c.attribution <> 'principal'
WHERE v.secret_id IS NOT NULL OR d.credential_uid IS NULL
UNION ALL
SELECT
    d.secret_id, d.version, d.version_number, d.root_credential_uid AS credential_uid,
    v.id_kind, true AS is_derived, 'derived' AS attribution, c.outcome,
    d.root_principal AS principal, c.workload, c.evidence, c.environment, c.source, c.source_ip,
    c.user_agent_product, c.hour_time, c.attempt_count, c.first_time, c.last_time, d.expires_time
FROM consumer_usage AS c
JOIN descent AS d ON d.credential_uid = c.credential_uid
JOIN version_credentials AS v
    ON v.credential_uid = d.root_credential_uid
    AND v.secret_id = d.secret_id AND v.version = d.version
WHERE c.attribution <> 'principal'
UNION ALL
SELECT
    NULL AS secret_id, NULL AS version, NULL AS version_number,
    l.root_credential_uid AS credential_uid, NULL AS id_kind, true AS is_derived,
    'derived' AS attribution, c.outcome, l.root_principal AS principal, c.workload, c.evidence,
    c.environment, c.source, c.source_ip, c.user_agent_product, c.hour_time, c.attempt_count,
    c.first_time, c.last_time, l.expires_time
FROM consumer_usage AS c
JOIN lineage AS l ON l.credential_uid = c.credential_uid
LEFT JOIN version_credentials AS v ON v.credential_uid = l.root_credential_uid
LEFT JOIN (SELECT DISTINCT credential_uid FROM descent) AS d
    ON d.credential_uid = l.root_credential_uid
WHERE c.attribution <> 'principal' AND l.root_credential_uid IS NOT NULL
    AND v.credential_uid IS NULL AND d.credential_uid IS NULL
