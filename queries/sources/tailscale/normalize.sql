-- tailscale: the configuration audit log of a tailnet.
--
-- Shows: which API keys, auth keys and OAuth clients were made and ended, by
-- whom, and until when a key that an OAuth client made is valid; every change
-- that an OAuth client made, as a use of that client; sign-ins of users and
-- devices.
--
-- Cannot show: which API access token a user's change came with (`principal`),
-- which auth key a device registered with, reads, refused keys, the expiry of
-- a key that a user made; the tailnet, which no event names (give --scope).
--
-- Choices: The id of a key is the middle of the key itself
-- (`tskey-auth-ID-...`), and an OAuth client is a key too, so `api_key_id`
-- names all of them. An OAuth client acts through short-lived access tokens
-- that no log names; the client stands for them. A key that a client made is
-- an exchange, since it outlives the client's own token. A change that failed
-- was still a use: `denied` if the error says so, else `success` with the
-- error as its reason; a failed sign-in is `unknown`, since the log does not
-- say what was wrong. Several events of one operation share a group id: only
-- together with time, action and target is it an event's own.
-- Flow logs (`nodeId`, `virtualTraffic`) come the same way and are skipped.
SELECT
    CASE WHEN "eventGroupID" <> '' THEN
        concat("eventGroupID", ' ', "eventTime", ' ', "action", ' ', "target.id", ' ', "target.property")
    END AS native_uid,
    parse_time("eventTime") AS event_time,
    CASE
        WHEN "action" = 'LOGIN' THEN 'auth'
        WHEN "target.property" = 'SECRET' THEN 'lifecycle'
        WHEN "target.type" IN ('API_KEY', 'AUTH_KEY') THEN CASE
            WHEN "action" = 'CREATE' AND "actor.type" = 'OAUTH_CLIENT' THEN 'token_exchange'
            ELSE 'lifecycle'
        END
        ELSE 'upstream'
    END AS category,
    "action" AS action,
    CASE
        WHEN "error" IS NULL OR "error" = '' THEN 'success'
        WHEN "action" = 'LOGIN' THEN 'unknown'
        WHEN "error" ~ '(?i)permission|not permitted|not allowed|not authorized|unauthorized|forbidden|access denied' THEN 'denied'
        ELSE 'success'
    END AS outcome,
    NULLIF("error", '') AS reason,
    CASE
        WHEN "error" IS NULL OR "error" = '' OR "action" = 'LOGIN' THEN NULL
        WHEN "error" ~ '(?i)permission|not permitted|not allowed|not authorized|unauthorized|forbidden|access denied' THEN 'not_allowed'
        ELSE 'request'
    END AS reason_class,

    CASE WHEN "actor.type" = 'OAUTH_CLIENT' THEN "actor.id" END AS credential_value,
    'api_key_id' AS credential_kind,
    CASE
        WHEN "target.type" IN ('API_KEY', 'AUTH_KEY') AND "action" = 'CREATE' AND "actor.type" = 'OAUTH_CLIENT'
            AND ("error" IS NULL OR "error" = '') THEN "target.id"
    END AS issued_credential_value,
    'api_key_id' AS issued_credential_kind,
    -- Written as Go prints a time: `2026-03-01 09:00:00.1 +0000 UTC`.
    CASE
        WHEN "target.type" IN ('API_KEY', 'AUTH_KEY') AND "action" = 'CREATE' AND "actor.type" = 'OAUTH_CLIENT'
            AND ("error" IS NULL OR "error" = '') AND "new.expires" NOT LIKE '0001-%'
            THEN parse_time(replace("new.expires", ' +0000 UTC', 'Z'))
    END AS issued_expires_time,
    CASE
        WHEN "target.type" IN ('API_KEY', 'AUTH_KEY') AND "action" = 'CREATE' AND "actor.type" = 'OAUTH_CLIENT'
            AND ("error" IS NULL OR "error" = '') AND "new.expires" NOT LIKE '0001-%' THEN 'response'
    END AS issued_ttl_source,

    -- A key is a secret with one version; SECRET signs what a webhook receives.
    CASE
        WHEN "target.id" = '' THEN NULL
        WHEN "target.type" IN ('API_KEY', 'AUTH_KEY') THEN concat(lower("target.type"), '/', "target.id")
        WHEN "target.property" = 'SECRET' THEN concat(lower("target.type"), '/', "target.id", '/secret')
    END AS target_secret_id,
    CASE WHEN "target.type" IN ('API_KEY', 'AUTH_KEY') THEN NULLIF("target.id", '') END AS target_version,
    CASE WHEN "target.type" IN ('API_KEY', 'AUTH_KEY') THEN "target.id" END AS target_credential_value,
    'api_key_id' AS target_credential_kind,
    CASE
        WHEN "target.type" NOT IN ('API_KEY', 'AUTH_KEY') OR "error" <> '' THEN NULL
        WHEN "action" IN ('CREATE', 'ENABLE', 'RESTORE', 'APPROVE') THEN 'active'
        WHEN "action" IN ('REVOKE', 'DELETE', 'EXPIRED') THEN 'revoked'
        WHEN "action" IN ('DISABLE', 'SUSPEND') THEN 'inactive'
    END AS target_state,

    COALESCE(NULLIF("actor.loginName", ''), NULLIF("actor.displayName", ''), NULLIF("actor.id", '')) AS principal,
    CASE
        WHEN "target.type" = 'NODE' AND "action" IN ('LOGIN', 'CREATE') THEN NULLIF("target.name", '')
    END AS workload,
    CASE
        WHEN "target.type" = 'NODE' AND "action" IN ('LOGIN', 'CREATE') AND "target.name" <> '' THEN 'target.name'
    END AS workload_evidence,
    NULLIF("origin", '') AS service,
    NULLIF("target.type", '') AS resource
FROM raw
WHERE "action" IS NOT NULL AND "target.type" IS NOT NULL
