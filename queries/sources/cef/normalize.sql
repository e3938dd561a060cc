-- cef: events in the Common Event Format, of any device.
--
-- Shows: which user did what from where, as the device saw it; a credential
-- only where the request's query string holds one, or where a custom string
-- is labelled as an authorization header or as the id of an API key.
--
-- Cannot show: which credential a user presented. What a device means by its
-- custom strings: only the labels named in source.toml are read.
--
-- Choices: Events without a user and without a credential are skipped. `suser`
-- is who acted; `duser` the account where no other is named. Where the event
-- is about a login (by its name), a failure refused the credential
-- (`rejected`), else the device stopped what an authenticated user asked
-- (`denied`). Without an outcome it counts as a use (`act` is the
-- action itself for some devices). `externalId` is the id of
-- the event for some and of its type for others: it tells no duplicates here.
-- A header of CEF that is cut short has no time and is rejected.
SELECT
    syslog_time(CASE WHEN "extension" IS NOT NULL THEN COALESCE("time", "header_time") END, "_file_time") AS event_time,
    CASE WHEN "time" IS NOT NULL THEN syslog_time("header_time", "_file_time") END AS observed_time,
    CASE
        WHEN lower(concat("name", ' ', "signature")) ~ '(log ?-?(in|on|out|off)|sign-?_? ?in|auth|password|session)' THEN 'auth'
    END AS category,
    replace(replace("name", '\|', '|'), '\\', '\') AS action,
    CASE
        WHEN lower(COALESCE("outcome", "extension.act")) ~ '(succe|allow|permit|accept|pass|grant|^ok$|detect|monitor|alert)' THEN 'success'
        WHEN lower(COALESCE("outcome", "extension.act")) ~ '(fail|den[iy]|block|reject|drop|refus|invalid|prevent|error)' THEN CASE
            WHEN lower(concat("name", ' ', "signature")) ~ '(log ?-?(in|on)|sign-?_? ?in|auth|password)' THEN 'rejected'
            ELSE 'denied'
        END
        WHEN "outcome" IS NOT NULL THEN 'unknown'
        WHEN lower("name") ~ '(fail|invalid|denied|refused|rejected)' THEN CASE
            WHEN lower(concat("name", ' ', "signature")) ~ '(log ?-?(in|on)|sign-?_? ?in|auth|password)' THEN 'rejected'
            ELSE 'denied'
        END
        ELSE 'success'
    END AS outcome,
    "extension.reason" AS reason,
    CASE
        WHEN lower(COALESCE("outcome", "extension.act", "name")) !~ '(fail|den[iy]|block|reject|drop|refus|invalid|prevent|error)' THEN NULL
        WHEN lower("extension.reason") ~ 'expire' THEN 'expired'
        WHEN lower("extension.reason") ~ '(revoke|disabled|inactive)' THEN 'revoked'
        WHEN lower("extension.reason") ~ '(unknown user|no such user|user not found|invalid user)' THEN 'unknown_principal'
        WHEN lower("extension.reason") ~ '(lock|too many|rate)' THEN 'throttled'
        WHEN lower(concat("name", ' ', "signature")) ~ '(log ?-?(in|on)|sign-?_? ?in|auth|password)' THEN 'wrong_credential'
        ELSE 'not_allowed'
    END AS reason_class,

    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_value("authorization")
        WHEN "api_key_id" IS NOT NULL THEN "api_key_id"
        ELSE query_secret("extension.request", '1')
    END AS credential_value,
    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_kind("authorization")
        WHEN "api_key_id" IS NOT NULL THEN 'api_key_id'
        ELSE 'secret_value'
    END AS credential_kind,

    COALESCE("user", authorization_user("authorization")) AS principal,
    "client" AS source_ip,
    "user_agent" AS user_agent,
    COALESCE("service_name", NULLIF(concat("vendor", ' ', "product"), ' ')) AS service,
    split_part(split_part(regexp_replace("extension.request", '^\w+://[^/]*', ''), '?', 1), '#', 1) AS resource,
    TRY_CAST("extension.cnt" AS BIGINT) AS event_count,
    COALESCE("device", NULLIF(concat("vendor", ' ', "product"), ' ')) AS source_scope
FROM raw
WHERE "cef" IS NOT NULL
    AND ("extension" IS NULL OR "user" IS NOT NULL OR "api_key_id" IS NOT NULL OR "authorization" IS NOT NULL
        OR query_secret("extension.request", '1') IS NOT NULL)
