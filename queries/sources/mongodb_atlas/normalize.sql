-- mongodb_atlas: events of MongoDB Atlas organizations and projects.
--
-- Shows: which API key, by its public part, made a change; keys that were made
-- and deleted, and by whom; what signed-in users changed.
--
-- Cannot show: reads; refused keys; the secret of a service account; which
-- database user a change was about.
--
-- Choices: The public part of a key is unique in all of Atlas, and one key
-- works in the projects of an organization: the scope of keys is
-- `mongodb_atlas`. An event tells what was done: all are uses.
SELECT
    "id" AS native_uid,
    parse_time("created") AS event_time,
    CASE
        WHEN "eventTypeName" LIKE 'API\_KEY\_%' OR "eventTypeName" LIKE 'SERVICE\_ACCOUNT\_%'
            OR "eventTypeName" LIKE 'MONGODB\_USER\_%' THEN 'lifecycle'
    END AS category,
    "eventTypeName" AS action,
    'success' AS outcome,

    "publicKey" AS credential_value,
    'api_key_id' AS credential_kind,
    'mongodb_atlas' AS credential_scope,
    CASE WHEN "targetPublicKey" <> '' THEN concat('api_key/', "targetPublicKey") END AS target_secret_id,
    "targetPublicKey" AS target_version,
    "targetPublicKey" AS target_credential_value,
    'api_key_id' AS target_credential_kind,
    'mongodb_atlas' AS target_credential_scope,
    CASE "eventTypeName"
        WHEN 'API_KEY_CREATED' THEN 'active'
        WHEN 'API_KEY_DELETED' THEN 'revoked'
    END AS target_state,

    "who" AS principal,
    NULLIF("remoteAddress", '') AS source_ip,
    "orgId" AS account,
    "groupId" AS resource,
    "orgId" AS source_scope
FROM raw
WHERE "eventTypeName" IS NOT NULL
