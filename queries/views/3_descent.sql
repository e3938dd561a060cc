-- descent: a secret version's credential and each credential obtained from it.
-- Answers: whose uses count as derived uses of which version?
-- Reads: lineage, version_credentials
SELECT
    l.credential_uid, l.root_credential_uid, l.root_principal, l.root_issued_time, l.expires_time,
    v.secret_id, v.version, v.version_number
FROM lineage AS l
JOIN version_credentials AS v ON v.credential_uid = l.root_credential_uid
