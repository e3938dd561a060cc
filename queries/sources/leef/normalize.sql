-- leef: events in the Log Event Extended Format (1.0 and 2.0), of any device.
--
-- Shows: which user did what from where, as the device saw it; a credential
-- only where the URL's query string holds one or an attribute names the id of
-- an API key.
--
-- Cannot show: which credential a user presented; what a device means by
-- attributes that IBM's list does not have.
--
-- Choices: Events without a user and without a credential are skipped. LEEF
-- has no outcome: `outcome`, `result`, `status` or `action` tell it where the
-- device has one, else the name of the event, else it counts as a use. Where
-- the event is about a login (by its name or category), a failure refused the
-- credential (`rejected`), else the device stopped an authenticated user
-- (`denied`). A line that is cut short has no time and is rejected.
SELECT
    COALESCE(
        CASE WHEN "attributes.devTime" IS NOT NULL THEN syslog_time("attributes.devTime", "_file_time") END,
        CASE WHEN "attributes" IS NOT NULL THEN syslog_time("header_time", "_file_time") END) AS event_time,
    CASE
        WHEN lower(concat("name", ' ', "attributes.cat")) ~ '(log ?-?_?(in|on|out|off)|sign-?_? ?in|auth|password|session)' THEN 'auth'
    END AS category,
    "name" AS action,
    CASE
        WHEN lower("result") ~ '(succe|allow|permit|accept|pass|grant|^ok$|^0$|detect|monitor|alert)' THEN 'success'
        WHEN lower(concat("result", ' ', "name")) ~ '(fail|den[iy]|block|reject|drop|refus|invalid|prevent|error)' THEN CASE
            WHEN lower(concat("name", ' ', "attributes.cat")) ~ '(log ?-?_?(in|on)|sign-?_? ?in|auth|password)' THEN 'rejected'
            ELSE 'denied'
        END
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN lower("result") ~ '(succe|allow|permit|accept|pass|grant|^ok$|^0$|detect|monitor|alert)' THEN NULL
        WHEN lower(concat("result", ' ', "name")) ~ '(fail|den[iy]|block|reject|drop|refus|invalid|prevent|error)' THEN "reason"
    END AS reason,
    CASE
        WHEN lower("result") ~ '(succe|allow|permit|accept|pass|grant|^ok$|^0$|detect|monitor|alert)'
            OR lower(concat("result", ' ', "name")) !~ '(fail|den[iy]|block|reject|drop|refus|invalid|prevent|error)' THEN NULL
        WHEN lower("reason") ~ 'expire' THEN 'expired'
        WHEN lower("reason") ~ '(revoke|disabled|inactive)' THEN 'revoked'
        WHEN lower("reason") ~ '(unknown user|no such user|user not found|invalid user)' THEN 'unknown_principal'
        WHEN lower("reason") ~ '(lock|too many|rate)' THEN 'throttled'
        WHEN lower(concat("name", ' ', "attributes.cat")) ~ '(log ?-?_?(in|on)|sign-?_? ?in|auth|password)' THEN 'wrong_credential'
        ELSE 'not_allowed'
    END AS reason_class,

    COALESCE("api_key_id", query_secret("url", '1')) AS credential_value,
    CASE WHEN "api_key_id" IS NOT NULL THEN 'api_key_id' ELSE 'secret_value' END AS credential_kind,

    "user" AS principal,
    "client" AS source_ip,
    "user_agent" AS user_agent,
    NULLIF(concat("vendor", ' ', "product"), ' ') AS service,
    split_part(split_part(regexp_replace("url", '^\w+://[^/]*', ''), '?', 1), '#', 1) AS resource,
    COALESCE("device", NULLIF(concat("vendor", ' ', "product"), ' ')) AS source_scope
FROM raw
WHERE "leef" IS NOT NULL
    AND ("attributes" IS NULL OR "user" IS NOT NULL OR "api_key_id" IS NOT NULL
        OR query_secret("url", '1') IS NOT NULL)
