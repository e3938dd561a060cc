-- cloudflare_audit: changes and sign-ins of a Cloudflare account.
--
-- Shows: in version 2, which API token (or OAuth grant) made a change, by its
-- id; in both, who did what from where, tokens made, changed, rolled and
-- ended, and who looked at the Global API Key.
--
-- Cannot show: the token behind a change in version 1, and the Global API Key
-- or Origin CA key behind one in version 2 (`principal`); which value of a
-- rolled token was used, since a roll keeps the id; refused tokens.
--
-- Choices: Ids of tokens are unique in all of Cloudflare and a user's token
-- works in several accounts: their scope is `cloudflare`, so that both
-- versions and all accounts name one credential. A roll therefore changes no
-- state; the hash of the new value is kept as a kind of its own, since
-- Cloudflare does not say what it hashes. A Global API Key is known by its
-- digest, and each rotation is a version of `user/ID/global_api_key`. A change
-- that failed was still a use: `denied` for 403, `success` with the reason for
-- other wrong requests; only 401 and a failed sign-in are `rejected`. What
-- Cloudflare's systems did by themselves has no principal.
SELECT
    NULLIF("audit_id", '') AS native_uid,
    parse_time("time") AS event_time,
    CASE
        WHEN "action_type" = 'login' THEN 'auth'
        WHEN "action_type" = 'API_key_view' THEN 'secret_read'
        WHEN "action_type" LIKE 'token\_%' OR "action_type" IN ('rotate_API_key', 'API_key_created') THEN 'lifecycle'
        WHEN "action_type" IN ('create', 'update', 'delete')
            AND "uri" ~ '/(service_)?tokens(/[^/]*(/value|/rotate|/refresh)?)?$' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "action_type" AS action,
    CASE
        WHEN "status" = '401' THEN 'rejected'
        WHEN "status" = '403' THEN 'denied'
        WHEN "status" LIKE '5__' THEN 'error'
        WHEN "action_type" = 'login' AND "action_result" IN ('false', 'failure') THEN 'rejected'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status"
        WHEN "action_result" IN ('false', 'failure') THEN 'failure'
    END AS reason,
    CASE
        WHEN "status" = '401' THEN 'wrong_credential'
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
        WHEN "status" LIKE '4__' THEN 'request'
        WHEN "action_result" IN ('false', 'failure') THEN
            CASE WHEN "action_type" = 'login' THEN 'wrong_credential' ELSE 'request' END
    END AS reason_class,

    "token_id" AS credential_value,
    'api_key_id' AS credential_kind,
    'cloudflare' AS credential_scope,
    CASE
        WHEN "action_type" LIKE 'token\_%' THEN
            CASE WHEN "token_tag" <> '' THEN concat('api_token/', "token_tag") END
        WHEN "action_type" IN ('rotate_API_key', 'API_key_created', 'API_key_view') THEN
            CASE WHEN "actor_id" <> '' THEN concat('user/', "actor_id", '/global_api_key') END
        WHEN "action_type" IN ('create', 'update', 'delete') AND "resource_id" <> ''
            AND "uri" ~ '/(service_)?tokens(/[^/]*(/value|/rotate|/refresh)?)?$'
            THEN concat(CASE WHEN "uri" LIKE '%/service\_tokens%' THEN 'service_token/' ELSE 'api_token/' END, "resource_id")
    END AS target_secret_id,
    CASE
        WHEN "action_type" LIKE 'token\_%' THEN NULLIF("token_tag", '')
        WHEN "action_type" IN ('create', 'update', 'delete')
            AND "uri" ~ '/(service_)?tokens(/[^/]*(/value|/rotate|/refresh)?)?$' THEN NULLIF("resource_id", '')
    END AS target_version,
    CASE
        WHEN "action_type" LIKE 'token\_%' THEN COALESCE("token_hash", "token_tag")
        WHEN "action_type" = 'rotate_API_key' THEN "key_digest"
        WHEN "action_type" = 'API_key_created' THEN "resource_id"
        WHEN "action_type" IN ('create', 'update', 'delete')
            AND "uri" ~ '/(service_)?tokens(/[^/]*(/value|/rotate|/refresh)?)?$' THEN "resource_id"
    END AS target_credential_value,
    CASE
        WHEN "action_type" IN ('rotate_API_key', 'API_key_created') THEN 'cloudflare_key_digest'
        WHEN "token_hash" IS NOT NULL THEN 'cloudflare_token_hash'
        ELSE 'api_key_id'
    END AS target_credential_kind,
    'cloudflare' AS target_credential_scope,
    -- Only a change that took place changes a state.
    CASE
        WHEN "action_result" IN ('false', 'failure') OR "status" LIKE '4__' OR "status" LIKE '5__' THEN NULL
        WHEN "action_type" = 'token_create' THEN 'active'
        WHEN "action_type" = 'token_revoke' OR "token_status" = 'deleted' THEN 'revoked'
        WHEN "token_status" = 'disabled' THEN 'inactive'
        WHEN "token_status" = 'active' THEN 'active'
        WHEN "action_type" IN ('rotate_API_key', 'API_key_created') THEN 'current'
        WHEN "uri" ~ '/(service_)?tokens(/[^/]*)?$' THEN CASE "action_type"
            WHEN 'create' THEN 'active'
            WHEN 'delete' THEN 'revoked'
        END
    END AS target_state,

    CASE
        WHEN "actor_type" = 'system' THEN NULL
        ELSE COALESCE(NULLIF("actor_email", ''), NULLIF("token_name", ''), NULLIF("actor_id", ''))
    END AS principal,
    NULLIF("actor_ip", '') AS source_ip,
    NULLIF("user_agent", '') AS user_agent,
    NULLIF("account", '') AS account,
    NULLIF("context", '') AS service,
    NULLIF("resource_type", '') AS resource,
    NULLIF("account", '') AS source_scope
FROM raw
WHERE "action_type" IS NOT NULL AND "actor_type" IS NOT NULL
