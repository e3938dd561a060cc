-- anthropic_audit: the activity feed of Anthropic's Compliance API.
--
-- Shows: which API key, compliance access key or admin key an activity came
-- with, by its id; keys made, changed and ended, where the activity names the
-- key; sign-ins and refused ones; what signed-in users did.
--
-- Cannot show: calls of models, so that a key without a row here may be in
-- constant use; refused keys; tokens that were minted, which no activity names.
--
-- Choices: Ids of keys are unique in all of Anthropic, and calls of the
-- Compliance API name no organization: the scope of keys is `anthropic`, so
-- that they stay one credential. A sign-in that was only begun or attempted is
-- `unknown`. An access that failed is `denied`; any other failure was still a
-- use, with the type as its reason. What Anthropic did by itself has no
-- principal. Types that are not known here are uses.
SELECT
    NULLIF("id", '') AS native_uid,
    parse_time("created_at") AS event_time,
    CASE
        WHEN "type" LIKE '%login%' OR "type" LIKE '%\_second\_factor\_%' OR "type" LIKE '%\_authentication' THEN 'auth'
        WHEN "type" LIKE '%\_token\_minted' OR "type" LIKE '%\_token\_exchanged' THEN 'token_exchange'
        WHEN "type" LIKE '%api\_key\_%' OR "type" LIKE 'service\_key\_%' OR "type" LIKE '%signing\_key\_%'
            OR "type" LIKE '%\_credential\_%' OR "type" LIKE '%\_token\_revoked' OR "type" LIKE '%\_token\_rotated'
            OR "type" = 'session_revoked' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "type" AS action,
    CASE
        WHEN "type" LIKE '%login\_failed' THEN 'rejected'
        WHEN "type" LIKE '%login\_initiated' OR "type" LIKE '%login\_attempted' THEN 'unknown'
        WHEN "type" LIKE '%\_access\_failed' THEN 'denied'
        ELSE 'success'
    END AS outcome,
    CASE WHEN "type" LIKE '%\_failed' THEN "type" END AS reason,
    CASE
        WHEN "type" LIKE '%login\_failed' THEN 'wrong_credential'
        WHEN "type" LIKE '%\_access\_failed' THEN 'not_allowed'
        WHEN "type" LIKE '%\_failed' THEN 'request'
    END AS reason_class,

    "actor_key" AS credential_value,
    'api_key_id' AS credential_kind,
    'anthropic' AS credential_scope,
    CASE
        WHEN "key_id" <> '' AND ("type" LIKE '%api\_key\_%' OR "type" LIKE 'service\_key\_%' OR "type" LIKE '%signing\_key\_%')
            THEN concat('api_key/', "key_id")
    END AS target_secret_id,
    CASE
        WHEN "type" LIKE '%api\_key\_%' OR "type" LIKE 'service\_key\_%' OR "type" LIKE '%signing\_key\_%'
            THEN NULLIF("key_id", '')
    END AS target_version,
    CASE
        WHEN "type" LIKE '%api\_key\_%' OR "type" LIKE 'service\_key\_%' OR "type" LIKE '%signing\_key\_%' THEN "key_id"
    END AS target_credential_value,
    'api_key_id' AS target_credential_kind,
    'anthropic' AS target_credential_scope,
    CASE
        WHEN "type" LIKE '%key\_created' THEN 'active'
        WHEN "type" LIKE '%key\_deleted' OR "type" LIKE '%key\_revoked' THEN 'revoked'
        WHEN "type" LIKE '%key\_updated' AND "status" IN ('active', 'inactive') THEN "status"
        WHEN "type" LIKE '%key\_updated' AND "status" IN ('archived', 'expired') THEN 'revoked'
    END AS target_state,

    NULLIF("who", '') AS principal,
    "actor.ip_address" AS source_ip,
    "actor.user_agent" AS user_agent,
    "organization_id" AS account,
    "actor.type" AS service,
    split_part("type", '_', 1) AS resource,
    "organization_id" AS source_scope
FROM raw
WHERE "type" IS NOT NULL AND "actor.type" IS NOT NULL
