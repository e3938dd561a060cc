-- gitlab_audit: audit events of a GitLab instance or group.
--
-- Shows: access and deploy tokens as they are created and revoked, by number;
-- deploy keys, SSH keys and CI variables as they change; sign-ins.
--
-- Cannot show: use of tokens, and which one made a change; the number of the
-- token that a rotation makes.
--
-- Choices: Tokens are `Type/number` as in gitlab_api; give both logs of an
-- instance the same --scope. A rotated token's number is kept without a state.
-- An attempt that failed is an act of somebody signed in: `success`, with its
-- message as the reason. An event's number is unique within one instance only:
-- the time is part of the event's id.
SELECT
    "id" || '/' || "created" AS native_uid,
    parse_time("created") AS event_time,
    CASE
        WHEN "failed_login" IS NOT NULL OR "with" IS NOT NULL OR "event" LIKE 'authenticated_with_%'
            OR "event" LIKE 'login_failed_%' THEN 'auth'
        WHEN "verb" IS NOT NULL OR "event" LIKE '%\_token\_%' OR "event" LIKE '%deploy\_key%' OR "event" LIKE '%ssh\_key%'
            OR "event" LIKE 'ci\_%variable\_%' OR "event" LIKE '%secret%' OR "event" LIKE '%password%' THEN 'lifecycle'
        WHEN "target_type" IN ('PersonalAccessToken', 'DeployToken', 'DeployKey', 'Key', 'Ci::Variable', 'Ci::GroupVariable')
            THEN 'lifecycle'
        WHEN COALESCE("added", "removed", "changed") LIKE '%key%' OR COALESCE("added", "removed", "changed") LIKE '%variable%'
            OR COALESCE("added", "removed", "changed") LIKE '%password%' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    CASE
        WHEN "event" IS NOT NULL AND ("event" IS DISTINCT FROM 'audit_operation') THEN "event"
        WHEN "added" IS NOT NULL THEN 'add ' || "added"
        WHEN "removed" IS NOT NULL THEN 'remove ' || "removed"
        WHEN "changed" IS NOT NULL THEN 'change ' || "changed"
        WHEN "failed_login" IS NOT NULL THEN 'failed_login ' || "failed_login"
        WHEN "with" IS NOT NULL THEN 'login ' || "with"
        WHEN "access_token" IS NOT NULL THEN "verb" || ' access token'
        WHEN "deploy_token" IS NOT NULL THEN "verb" || ' deploy token'
        ELSE "event"
    END AS action,
    CASE
        WHEN "failed_login" IS NOT NULL OR "event" LIKE 'login_failed_%' THEN 'rejected'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "failed_login" IS NOT NULL OR "event" LIKE 'login_failed_%' THEN COALESCE("failed_login", "event")
        WHEN "message" LIKE 'Attempted to %' THEN "message"
    END AS reason,
    CASE
        WHEN "failed_login" IS NOT NULL OR "event" LIKE 'login_failed_%' THEN 'wrong_credential'
        WHEN "message" LIKE 'Attempted to %' THEN 'request'
    END AS reason_class,

    CASE
        WHEN "target_type" IN ('Ci::Variable', 'Ci::GroupVariable') OR COALESCE("added", "removed", "changed") LIKE 'ci_%variable'
            THEN "entity" || '/variables/' || "target"
        WHEN "target_type" = 'DeployKey' OR COALESCE("added", "removed") = 'deploy_key'
            THEN "entity" || '/deploy_keys/' || "target"
    END AS target_secret_id,
    COALESCE('PersonalAccessToken/' || "access_token", 'DeployToken/' || "deploy_token") AS target_credential_value,
    'gitlab_token_id' AS target_credential_kind,
    CASE "verb" WHEN 'Created' THEN 'active' WHEN 'Revoked' THEN 'revoked' WHEN 'Destroyed' THEN 'revoked' END AS target_state,

    NULLIF("user", '') AS principal,
    CASE WHEN "address" LIKE '%,%' THEN btrim(split_part("address", ',', 1)) ELSE NULLIF("address", '') END AS source_ip,
    split_part("entity", '/', 1) AS account,
    "target_type" AS service,
    "entity" AS resource
FROM raw
WHERE "entity_type" IS NOT NULL
