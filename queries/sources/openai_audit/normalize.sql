-- openai_audit: the audit logs of an OpenAI organization.
--
-- Shows: which API key (by its tracking id) made an administrative change, and
-- of whom it is; keys made, changed and deleted; sign-ins and refused ones.
--
-- Cannot show: calls of models, so that a key without a row here may be in
-- constant use; refused keys; where an API key was used from; the organization,
-- which no event names (give --scope).
--
-- Choices: The tracking id (`key_...`) of an actor is the id that
-- `api_key.created` gives to the key: `exact`. Making a service account makes a
-- key that the event does not name. What a session did names its user only.
SELECT
    NULLIF("id", '') AS native_uid,
    parse_time("effective_at") AS event_time,
    CASE
        WHEN "type" LIKE 'login.%' THEN 'auth'
        WHEN "type" LIKE 'api\_key.%' OR "type" LIKE 'service\_account.%' OR "type" LIKE 'certificate%'
            OR "type" LIKE 'external\_key.%' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "type" AS action,
    CASE WHEN "type" = 'login.failed' THEN 'rejected' ELSE 'success' END AS outcome,
    NULLIF("failure", '') AS reason,
    CASE
        WHEN "type" = 'login.failed' THEN 'wrong_credential'
        WHEN "type" LIKE '%.failed' THEN 'request'
    END AS reason_class,

    CASE WHEN "actor.type" = 'api_key' THEN "actor.api_key.id" END AS credential_value,
    'api_key_id' AS credential_kind,
    CASE
        WHEN "key_id" <> '' THEN concat('api_key/', "key_id")
        WHEN "service_account" <> '' THEN concat('service_account/', "service_account")
    END AS target_secret_id,
    NULLIF("key_id", '') AS target_version,
    "key_id" AS target_credential_value,
    'api_key_id' AS target_credential_kind,
    CASE "type"
        WHEN 'api_key.created' THEN 'active'
        WHEN 'api_key.deleted' THEN 'revoked'
    END AS target_state,

    NULLIF("who", '') AS principal,
    "actor.session.ip_address" AS source_ip,
    "actor.session.user_agent" AS user_agent,
    "project.id" AS account,
    "actor.type" AS service,
    split_part("type", '.', 1) AS resource
FROM raw
WHERE "type" IS NOT NULL AND "actor.type" IS NOT NULL
