-- credential_ids: one public identifier of each credential.
-- Answers: by what name do people know it?
-- Reads: stored_credentials
SELECT credential_uid, min(id_kind) AS id_kind, min(id_scope) AS id_scope, min(id_value) AS id_value
FROM stored_credentials
GROUP BY credential_uid
