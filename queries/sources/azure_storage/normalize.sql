-- azure_storage: requests to the data of Azure storage accounts.
--
-- Shows: the SHA-256 of the account key or of the token behind each request,
-- and which slot (key1, key2) the key was in.
--
-- Cannot show: which shared access signature (SAS) a request came with; the
-- token's own id; until when a signature or a token is valid; the life of keys
-- (that is in the Activity log, which knows only the slot, never the hash).
--
-- Choices: The hash of an account key is that of its 64 bytes, not of the
-- base64 text in connection strings: to find a key here, give its
-- `secret_sha256` over the decoded bytes. A request with a SAS names the key
-- that signed it, and a new key in that slot ends the SAS: it is a use of the
-- key. What the log hashes of the SAS itself is not documented and joins with
-- nothing, so it is left out. Who holds a key is not known: account and slot
-- stand for the principal.
-- AuthenticationFailed comes with 403 as often as with 401: it is `rejected`.
-- It says of a SAS neither that it is wrong nor that it has expired. Where the
-- account takes no keys any more they are as good as revoked. Other 403 are
-- `denied`; other 4xx came after authentication and are uses.
-- One request may write several records (source and destination of a copy,
-- SMB messages of a session), which share its id.
SELECT
    CASE WHEN "request" <> '' THEN concat_ws(' ', "request", "operation", "part", "message") END AS native_uid,
    parse_time("time") AS event_time,
    lower("account") AS source_scope,
    CASE
        WHEN "operation" = 'GetUserDelegationKey' AND "status" LIKE '2__' THEN 'token_exchange'
        ELSE 'upstream'
    END AS category,
    "operation" AS action,

    CASE
        WHEN "status_text" IN (
            'AuthenticationFailed', 'InvalidAuthenticationInfo', 'NoAuthenticationInformation',
            'KeyBasedAuthenticationNotPermitted'
        ) OR "status" = '401' THEN 'rejected'
        WHEN "status" IN ('403', '429') THEN 'denied'
        WHEN "status" LIKE '5__' THEN 'error'
        WHEN "status" LIKE '2__' OR "status" LIKE '3__' OR "status" LIKE '4__' THEN 'success'
        -- SMB has status codes of its own.
        WHEN "status_text" LIKE '%Success' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE WHEN "status" NOT LIKE '2__' AND "status_text" NOT LIKE '%Success' THEN "status_text" END AS reason,
    CASE
        WHEN "status_text" = 'KeyBasedAuthenticationNotPermitted' THEN 'revoked'
        WHEN "status_text" = 'NoAuthenticationInformation' THEN NULL
        WHEN "status_text" IN ('AuthenticationFailed', 'InvalidAuthenticationInfo') OR "status" = '401' THEN CASE
            WHEN lower("authentication") NOT LIKE '%sas%' THEN 'wrong_credential'
        END
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" = '429' OR "status" = '503' THEN 'throttled'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
        WHEN "status" LIKE '4__' THEN 'request'
    END AS reason_class,

    "key_hash" AS credential_value,
    'secret_sha256' AS credential_kind,
    -- Azure itself, with a key of its own.
    CASE WHEN "authentication" = 'TrustedAccess' THEN 'TrustedAccess' END AS via_service,
    COALESCE(
        NULLIF("user", ''), NULLIF("app", ''), NULLIF("object", ''),
        CASE WHEN "slot" IS NOT NULL THEN concat("account", '/', "slot") END
    ) AS principal,
    NULLIF(trim(BOTH '[]' FROM regexp_replace("ip", '^(\d+\.\d+\.\d+\.\d+|\[[0-9A-Fa-f:]+\]):\d+$', '\1')), '') AS source_ip,
    NULLIF(trim(BOTH '"' FROM "user_agent"), '') AS user_agent,
    CASE WHEN lower("resource_id") LIKE '/subscriptions/%' THEN lower(split_part("resource_id", '/', 3)) END AS account,
    NULLIF("location", '') AS region,
    NULLIF("service_type", '') AS service,
    -- The container, share, queue or table, not what is in it.
    COALESCE(
        NULLIF(regexp_replace("object_key", '^"?/?([^/"]+(/[^/"?]+)?).*$', '\1'), ''),
        "account"
    ) AS resource
FROM raw
-- Exports may mix resources, and services write metrics too.
WHERE "operation" IS NOT NULL AND lower("resource_id") LIKE '%/microsoft.storage/%'
