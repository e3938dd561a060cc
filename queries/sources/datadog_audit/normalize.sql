-- datadog_audit: events of Datadog's Audit Trail.
--
-- Shows: which API key (by its id) made an API request or a change, and for
-- whom; keys and tokens made, changed, looked at and deleted; sign-ins.
--
-- Cannot show: data that agents send with an API key, so that a key without a
-- row here may be in constant use.
--
-- Choices: Requests to the API present an API key and mostly an application
-- key: the API key stands in the first row, and an application key beside it in
-- a further one (`application_key.sql`). Ids of the two kinds are kept apart. An organization logs only requests that it knew the caller of:
-- 403 is `denied`, and 4xx otherwise are uses; 401 refused the key. Looking at
-- a key in the settings reads it (`accessed`), unless no key is named, which
-- is its list. A key's change says not whether it still works: no state.
SELECT
    NULLIF("event_id", '') AS native_uid,
    parse_time("time") AS event_time,
    CASE
        WHEN "act" = 'login' THEN 'auth'
        WHEN "status" IS NOT NULL AND "status" NOT LIKE '2__' THEN 'upstream'
        WHEN "event_name" = 'Request' THEN 'upstream'
        WHEN "asset_type" = 'password' THEN 'lifecycle'
        WHEN "asset_type" LIKE '%api\_key' OR "asset_type" = 'application_key' OR "asset_type" LIKE '%token' THEN CASE
            WHEN "act" = 'accessed' THEN CASE WHEN "asset_id" <> '' THEN 'secret_read' ELSE 'upstream' END
            ELSE 'lifecycle'
        END
        ELSE 'upstream'
    END AS category,
    concat("event_name", ' ', "act") AS action,
    CASE
        WHEN "status" = '401' OR ("act" = 'login' AND "level" = 'error') THEN 'rejected'
        WHEN "status" IN ('403', '429') THEN 'denied'
        WHEN "status" LIKE '5__' THEN 'error'
        ELSE 'success'
    END AS outcome,
    CASE WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status" END AS reason,
    CASE
        WHEN "status" = '401' OR ("act" = 'login' AND "level" = 'error') THEN 'wrong_credential'
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" LIKE '4__' THEN 'request'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
    END AS reason_class,

    COALESCE(NULLIF("api_key", ''), "application_key") AS credential_value,
    CASE WHEN "api_key" <> '' THEN 'api_key_id' ELSE 'datadog_application_key' END AS credential_kind,
    CASE
        WHEN "event_name" = 'Request' OR "asset_id" = '' OR "asset_id" IS NULL THEN NULL
        WHEN "asset_type" LIKE '%api\_key' OR "asset_type" = 'application_key' OR "asset_type" LIKE '%token'
            THEN concat("asset_type", '/', "asset_id")
    END AS target_secret_id,
    CASE
        WHEN "event_name" = 'Request' THEN NULL
        WHEN "asset_type" LIKE '%api\_key' OR "asset_type" = 'application_key' OR "asset_type" LIKE '%token'
            THEN "asset_id"
    END AS target_credential_value,
    CASE
        WHEN "asset_type" LIKE '%api\_key' THEN 'api_key_id'
        WHEN "asset_type" = 'application_key' THEN 'datadog_application_key'
        ELSE 'datadog_token'
    END AS target_credential_kind,
    CASE
        WHEN "event_name" = 'Request' OR ("status" IS NOT NULL AND "status" NOT LIKE '2__') THEN NULL
        WHEN "asset_type" LIKE '%api\_key' OR "asset_type" = 'application_key' OR "asset_type" LIKE '%token'
            THEN CASE "act" WHEN 'created' THEN 'active' WHEN 'deleted' THEN 'revoked' WHEN 'revoked' THEN 'revoked' END
    END AS target_state,

    NULLIF("who", '') AS principal,
    NULLIF("address", '') AS source_ip,
    NULLIF("agent", '') AS user_agent,
    CASE WHEN "organization" NOT LIKE '{%' THEN NULLIF("organization", '') END AS account,
    COALESCE("method", "actor_type") AS service,
    NULLIF("asset_type", '') AS resource,
    CASE WHEN "organization" NOT LIKE '{%' THEN NULLIF("organization", '') END AS source_scope
FROM raw
WHERE "event_name" IS NOT NULL AND "act" IS NOT NULL
