-- entra_audit: changes in a Microsoft Entra tenant.
--
-- Shows: secrets and certificates (`keyId`) that were added to or removed from
-- applications and service principals; applications and accounts that were
-- deleted, restored, disabled; password changes; who did all this. A key named
-- here is the credential that sign-ins name.
--
-- Cannot show: the secret, or when it expires; keys beyond the first of a
-- record; which federated credential was added or changed; how the one who
-- made the change was authenticated (only who it was).
--
-- Choices: A record lists all keys before and after the change. What only the
-- new list has was added, `active`; else what only the old one has was removed,
-- `revoked`, since Entra refuses it from then on. A key that was renamed looks
-- like one that was added, which is still true. Its scope is the id of the
-- application, as in sign-ins; where the record has none, that of the object.
-- Deleted applications and accounts can be restored: `inactive`. Whoever failed
-- to change something was authenticated: a use, `denied` where the reason says
-- so.
SELECT
    "id" AS native_uid,
    parse_time("time") AS event_time,
    lower("tenant") AS source_scope,
    CASE
        WHEN "new_keys" LIKE '%KeyIdentifier=%' OR "old_keys" LIKE '%KeyIdentifier=%' THEN 'lifecycle'
        WHEN "operation" LIKE '%ertificates and secrets management%' OR "operation" LIKE '%service principal credentials'
            OR "operation" LIKE '%ederated identity credential%' THEN 'lifecycle'
        WHEN btrim(lower("operation")) IN (
            'delete application', 'hard delete application', 'restore application', 'remove service principal',
            'disable account', 'enable account', 'delete user', 'hard delete user', 'restore user',
            'reset user password', 'change user password', 'change password (self-service)',
            'reset password (self-service)', 'reset password (by admin)',
            'update stsrefreshtokenvalidfrom timestamp', 'revoke sign in sessions') THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    btrim("operation") AS action,

    CASE
        WHEN lower("result") = 'success' OR "result" IS NULL OR "result" = '' THEN 'success'
        WHEN lower("result") = 'timeout' THEN 'error'
        WHEN lower("result") <> 'failure' THEN 'unknown'
        WHEN "failure" LIKE '%Insufficient privileges%' OR "failure" LIKE '%Authorization_RequestDenied%'
            OR lower("failure") LIKE '%unauthorized%' OR lower("failure") LIKE '%access denied%' THEN 'denied'
        ELSE 'success'
    END AS outcome,
    CASE WHEN lower("result") <> 'success' AND "result" <> '' THEN COALESCE(NULLIF("failure", ''), "result") END AS reason,
    CASE
        WHEN lower("result") = 'timeout' THEN 'backend_fault'
        WHEN lower("result") <> 'failure' OR "result" IS NULL THEN NULL
        WHEN "failure" LIKE '%Insufficient privileges%' OR "failure" LIKE '%Authorization_RequestDenied%'
            OR lower("failure") LIKE '%unauthorized%' OR lower("failure") LIKE '%access denied%' THEN 'not_allowed'
        ELSE 'request'
    END AS reason_class,

    CASE
        WHEN "new_keys" LIKE '%KeyIdentifier=%' OR "old_keys" LIKE '%KeyIdentifier=%'
            OR "operation" LIKE '%ertificates and secrets management%' OR "operation" LIKE '%service principal credentials'
            THEN lower(COALESCE((regexp_match("app", '[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}'))[1], "target_id"))
        WHEN "operation" LIKE '%ederated identity credential%'
            THEN concat(
                lower(COALESCE((regexp_match("app", '[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}'))[1], "target_id")),
                '/federated_credentials')
        WHEN btrim(lower("operation")) IN (
            'delete application', 'hard delete application', 'restore application', 'remove service principal')
            THEN lower(COALESCE((regexp_match("app", '[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}'))[1], "target_id"))
        WHEN btrim(lower("operation")) IN (
            'disable account', 'enable account', 'delete user', 'hard delete user', 'restore user',
            'reset user password', 'change user password', 'change password (self-service)',
            'reset password (self-service)', 'reset password (by admin)',
            'update stsrefreshtokenvalidfrom timestamp', 'revoke sign in sessions')
            THEN COALESCE(NULLIF("target_user", ''), "target_id")
    END AS target_secret_id,
    COALESCE(
        NULLIF(lower(substr(split_part(array_to_string(array_except(
            string_to_array(regexp_replace(replace(COALESCE("new_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","'),
            string_to_array(regexp_replace(replace(COALESCE("old_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","')
        ), ' '), 'KeyIdentifier=', 2), 1, 36)), ''),
        NULLIF(lower(substr(split_part(array_to_string(array_except(
            string_to_array(regexp_replace(replace(COALESCE("old_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","'),
            string_to_array(regexp_replace(replace(COALESCE("new_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","')
        ), ' '), 'KeyIdentifier=', 2), 1, 36)), '')
    ) AS target_version,
    CASE WHEN "new_keys" LIKE '%KeyIdentifier=%' OR "old_keys" LIKE '%KeyIdentifier=%' THEN 'KeyDescription' END
        AS version_evidence,
    COALESCE(
        NULLIF(lower(substr(split_part(array_to_string(array_except(
            string_to_array(regexp_replace(replace(COALESCE("new_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","'),
            string_to_array(regexp_replace(replace(COALESCE("old_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","')
        ), ' '), 'KeyIdentifier=', 2), 1, 36)), ''),
        NULLIF(lower(substr(split_part(array_to_string(array_except(
            string_to_array(regexp_replace(replace(COALESCE("old_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","'),
            string_to_array(regexp_replace(replace(COALESCE("new_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","')
        ), ' '), 'KeyIdentifier=', 2), 1, 36)), '')
    ) AS target_credential_value,
    'entra_key_id' AS target_credential_kind,
    lower(COALESCE((regexp_match("app", '[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}'))[1], "target_id")) AS target_credential_scope,
    -- Only what succeeded changes a state.
    CASE
        WHEN lower("result") <> 'success' AND "result" <> '' THEN NULL
        WHEN NULLIF(lower(substr(split_part(array_to_string(array_except(
            string_to_array(regexp_replace(replace(COALESCE("new_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","'),
            string_to_array(regexp_replace(replace(COALESCE("old_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","')
        ), ' '), 'KeyIdentifier=', 2), 1, 36)), '') IS NOT NULL THEN 'active'
        WHEN NULLIF(lower(substr(split_part(array_to_string(array_except(
            string_to_array(regexp_replace(replace(COALESCE("old_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","'),
            string_to_array(regexp_replace(replace(COALESCE("new_keys", ''), '\"', '"'), '^\["|"\]$', '', 'g'), '","')
        ), ' '), 'KeyIdentifier=', 2), 1, 36)), '') IS NOT NULL THEN 'revoked'
        WHEN btrim(lower("operation")) IN ('hard delete application', 'hard delete user') THEN 'revoked'
        WHEN btrim(lower("operation")) IN ('delete application', 'remove service principal', 'delete user', 'disable account')
            THEN 'inactive'
        WHEN btrim(lower("operation")) IN ('restore application', 'restore user', 'enable account') THEN 'active'
    END AS target_state,

    COALESCE(NULLIF("user", ''), NULLIF("actor", ''), NULLIF("user_id", ''), "actor_id") AS principal,
    COALESCE(NULLIF("ip", ''), NULLIF("caller_ip", '')) AS source_ip,
    NULLIF("user_agent", '') AS user_agent,
    lower("tenant") AS account,
    "logged_by" AS service,
    NULLIF("target_name", '') AS resource
FROM raw
WHERE "targets" IS NOT NULL
