-- credentials: fingerprint and the identifiers it is known by.
-- Answers: by which names do logs know this credential?
-- Reads: stored_credentials
SELECT DISTINCT credential_uid, id_kind, id_scope, id_value FROM stored_credentials
