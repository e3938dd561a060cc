-- azure_activity: what was changed through Azure Resource Manager, and by whom.
--
-- Shows: the caller's token by its `uti` claim, the same that the sign-in which
-- issued it has; who listed the keys of storage accounts, databases, caches,
-- registries, ...; which key slot was regenerated; federated credentials of
-- managed identities that were made or deleted.
--
-- Cannot show: the application secret or certificate behind the token (the
-- claims tell only that it was one or the other); reads other than actions;
-- the keys that were listed, and which of them is used later.
--
-- Choices: An operation writes a record when it starts, often one when it was
-- accepted, and one when it ends. Each is a use of the token; only the one of
-- the end reads or changes something. A key slot (key1, key2, Primary, ...)
-- keeps its name when its key is made anew, so a regeneration leaves the slot's
-- state open. Ids of resources match without case and exports differ in it:
-- they are in lower case here. A failure after Resource Manager knew the caller
-- is a use; Forbidden is `denied`.
SELECT
    "id" AS native_uid,
    parse_time("time") AS event_time,
    lower(CASE
        WHEN lower("resource") LIKE '/subscriptions/%' THEN split_part("resource", '/', 3)
    END) AS source_scope,
    CASE
        WHEN "result" LIKE 'Start%' OR "result" LIKE 'Accept%' OR "result" LIKE 'Fail%'
            AND COALESCE("detail", '') NOT LIKE '%Forbidden%' THEN 'upstream'
        WHEN lower("operation") LIKE '%/regenerate%/action' THEN 'lifecycle'
        WHEN lower("operation") LIKE '%/listaccountsas/action' OR lower("operation") LIKE '%/listservicesas/action'
            OR lower("operation") LIKE '%/generateuserdelegationkey/action' THEN 'token_exchange'
        WHEN lower("operation") LIKE '%/list%keys/action' OR lower("operation") LIKE '%/listcredentials/action'
            OR lower("operation") LIKE '%/listconnectionstrings/action' OR lower("operation") LIKE '%/listsecrets/action'
            OR lower("operation") LIKE '%/config/list/action' OR lower("operation") LIKE '%/publishxml/action'
            OR lower("operation") LIKE '%/listclusteradmincredential/action'
            OR lower("operation") LIKE '%/listclusterusercredential/action' THEN 'secret_read'
        WHEN lower("operation") LIKE '%/federatedidentitycredentials/write'
            OR lower("operation") LIKE '%/federatedidentitycredentials/delete' THEN 'lifecycle'
        WHEN lower("operation") LIKE 'microsoft.keyvault/vaults/secrets/%'
            OR lower("operation") LIKE 'microsoft.keyvault/vaults/keys/%' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "operation" AS action,

    CASE
        WHEN "result" NOT LIKE 'Fail%' THEN 'success'
        WHEN "detail" LIKE '%Forbidden%' OR "detail" LIKE '%TooManyRequests%' THEN 'denied'
        WHEN "detail" LIKE '%Unauthorized%' THEN 'rejected'
        WHEN "detail" LIKE '%InternalServerError%' OR "detail" LIKE '%ServiceUnavailable%'
            OR "detail" LIKE '%GatewayTimeout%' OR "detail" LIKE '%BadGateway%' THEN 'error'
        ELSE 'success'
    END AS outcome,
    CASE WHEN "result" LIKE 'Fail%' THEN COALESCE(NULLIF("detail", ''), "result") END AS reason,
    CASE
        WHEN "result" NOT LIKE 'Fail%' THEN NULL
        WHEN "detail" LIKE '%Forbidden%' THEN 'not_allowed'
        WHEN "detail" LIKE '%TooManyRequests%' THEN 'throttled'
        WHEN "detail" LIKE '%Unauthorized%' THEN 'wrong_credential'
        WHEN "detail" LIKE '%InternalServerError%' OR "detail" LIKE '%ServiceUnavailable%'
            OR "detail" LIKE '%GatewayTimeout%' OR "detail" LIKE '%BadGateway%' THEN 'backend_fault'
        WHEN "result" LIKE 'Fail%' THEN 'request'
    END AS reason_class,

    "token" AS credential_value,
    'jwt_id' AS credential_kind,
    lower("tenant") AS credential_scope,

    CASE
        WHEN lower("operation") LIKE '%/regenerate%/action' OR lower("operation") LIKE '%/list%/action'
            OR lower("operation") LIKE '%/publishxml/action'
            OR lower("operation") LIKE '%/federatedidentitycredentials/%'
            OR lower("operation") LIKE 'microsoft.keyvault/vaults/secrets/%'
            OR lower("operation") LIKE 'microsoft.keyvault/vaults/keys/%' THEN lower("resource")
    END AS target_secret_id,
    CASE WHEN lower("operation") LIKE '%/regenerate%/action' THEN lower("slot") END AS target_version,
    CASE WHEN lower("operation") LIKE '%/regenerate%/action' THEN "slot" END AS target_credential_value,
    'azure_key_slot' AS target_credential_kind,
    lower("resource") AS target_credential_scope,

    COALESCE(NULLIF("user", ''), NULLIF("app", ''), NULLIF("caller", '')) AS principal,
    -- A managed identity that users assign may run in many places.
    CASE
        WHEN "asked_by" <> '' THEN regexp_replace("asked_by", '^.*/', '')
        WHEN "identity" <> '' AND lower("identity") NOT LIKE '%/userassignedidentities/%'
            THEN regexp_replace("identity", '^.*/', '')
    END AS workload,
    CASE
        WHEN "asked_by" <> '' THEN 'claims.xms_az_rid'
        WHEN "identity" <> '' AND lower("identity") NOT LIKE '%/userassignedidentities/%' THEN 'claims.xms_mirid'
    END AS workload_evidence,
    NULLIF(regexp_replace("ip", '^(\d+\.\d+\.\d+\.\d+):\d+$', '\1'), '') AS source_ip,
    lower(CASE
        WHEN lower("resource") LIKE '/subscriptions/%' THEN split_part("resource", '/', 3)
    END) AS account,
    NULLIF("location", '') AS region,
    lower(split_part("operation", '/', 1)) AS service,
    lower("resource") AS resource
FROM raw
-- Alerts, health and recommendations are not requests; other categories are
-- other logs of the same export.
WHERE "category" IN ('Administrative', 'Policy', 'Write', 'Delete', 'Action')
