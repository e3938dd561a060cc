-- descent: a secret version's credential and each credential obtained from it.
-- Answers: whose uses count as derived uses of which version?
-- Reads: lineage, version_credentials
-- One row per version and credential, also where the version is known by several of the
-- credentials that this one came from: a use must not count twice.
SELECT
    l.credential_uid, v.secret_id, v.version, v.version_number,
    min(l.root_credential_uid) AS root_credential_uid,
    min(l.root_principal) AS root_principal,
    min(l.root_issued_time) AS root_issued_time,
    max(l.expires_time) AS expires_time
FROM lineage AS l
JOIN version_credentials AS v ON v.credential_uid = l.root_credential_uid
GROUP BY l.credential_uid, v.secret_id, v.version, v.version_number
