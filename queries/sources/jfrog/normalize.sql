-- jfrog: requests to the services of a JFrog Platform, decisions of
-- Artifactory, and the tokens that were created and revoked.
--
-- Shows: who did what, and whether it was allowed; the id of every token that
-- was created or revoked, with its expiry.
--
-- Cannot show: which token, key or password a request came with: such rows
-- name the user only. So the last use of a token stays unknown here.
--
-- Choices: The id of an access token is the `jti` of its JWT: a `jwt_id` of
-- this platform. Creating a token is an exchange of an unnamed credential. One
-- creation stands in the audit trail and in the cloud's token log: two events.
-- A denied login is `rejected`, any other denial `denied`. Requests by status:
-- 401 refused, 403 not allowed, other 4xx are uses with their reason.
-- `anonymous` presented nothing, `UNKNOWN` is nobody. Changes of users, groups
-- and permissions, requests to other servers and service logs are skipped. The
-- trace id is that of a request over all services: no native id.
SELECT
    parse_time("time") AS event_time,
    CASE
        WHEN "action_response" IS NOT NULL THEN CASE
            WHEN "action_response" LIKE '%LOGIN' THEN 'auth' ELSE 'upstream'
        END
        WHEN "status" IS NOT NULL THEN 'upstream'
        WHEN "event_type" = 'C' OR "event" = 'created' THEN 'token_exchange'
        ELSE 'lifecycle'
    END AS category,
    CASE
        WHEN "action_response" IS NOT NULL THEN split_part(btrim("action_response"), ' ', 2)
        WHEN "status" IS NOT NULL THEN "method"
        WHEN "event_type" IS NOT NULL THEN concat("event", ' ', "event_type")
        ELSE "event"
    END AS action,
    CASE
        WHEN "action_response" IS NOT NULL THEN CASE
            WHEN "action_response" LIKE 'ACCEPTED%' THEN 'success'
            WHEN "action_response" LIKE 'DENIED LOGIN%' THEN 'rejected'
            WHEN "action_response" LIKE 'DENIED%' THEN 'denied'
            ELSE 'unknown'
        END
        WHEN "status" IS NULL THEN 'success'
        WHEN "status" = '401' THEN 'rejected'
        WHEN "status" = '403' THEN 'denied'
        WHEN "status" LIKE '5__' THEN 'error'
        WHEN "status" LIKE '___' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "action_response" LIKE 'DENIED%' THEN "action_response"
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status"
    END AS reason,
    CASE
        WHEN "action_response" IS NOT NULL THEN CASE
            WHEN "action_response" LIKE 'DENIED LOGIN%' THEN 'wrong_credential'
            WHEN "action_response" LIKE 'DENIED%' THEN 'not_allowed'
        END
        WHEN "status" = '401' THEN 'wrong_credential'
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" LIKE '4__' THEN 'request'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
    END AS reason_class,
    CASE
        WHEN "event_type" = 'C' OR "event" = 'created' THEN COALESCE("changed_token", "streamed_token")
    END AS issued_credential_value,
    'jwt_id' AS issued_credential_kind,
    CASE
        WHEN "event_type" = 'C' OR "event" = 'created' THEN parse_time(COALESCE("changed_expiry", "streamed_expiry"))
    END AS issued_expires_time,
    CASE
        WHEN ("event_type" = 'C' OR "event" = 'created')
            AND parse_time(COALESCE("changed_expiry", "streamed_expiry")) IS NOT NULL THEN 'response'
    END AS issued_ttl_source,
    CASE
        WHEN "event_type" = 'C' OR "event" = 'created' THEN NULL
        ELSE COALESCE("changed_token", "streamed_token")
    END AS target_credential_value,
    'jwt_id' AS target_credential_kind,
    CASE
        WHEN "event_type" = 'D' OR "event" IN ('revoked', 'deleted') THEN 'revoked'
    END AS target_state,
    CASE
        WHEN "event" IS NULL THEN CASE
            WHEN btrim("user") NOT IN ('', '-', 'anonymous', 'UNKNOWN') THEN btrim("user")
        END
        WHEN btrim("logged_principal") NOT IN ('', 'UNKNOWN') THEN btrim("logged_principal")
        WHEN btrim("audit_user") NOT IN ('', 'UNKNOWN') THEN btrim("audit_user")
    END AS principal,
    -- A list of forwarded addresses begins with the client.
    CASE
        WHEN replace("address", ' ', '') NOT IN ('', '-', 'UNKNOWN') THEN btrim(split_part("address", ',', 1))
    END AS source_ip,
    NULLIF(NULLIF("user_agent", '-'), '') AS user_agent,
    "service" AS service,
    -- The repository, else the first two names of the path.
    CASE
        WHEN btrim("path") <> '' THEN btrim(split_part("path", ':', 1))
        WHEN "url" <> '' THEN regexp_replace("url", '^(\w+://[^/]*)?(/?[^/?]*/?[^/?]*).*$', '\2')
    END AS resource,
    "scope" AS source_scope
FROM raw
WHERE "action_response" IS NOT NULL
    OR ("status" IS NOT NULL AND "method" IS NOT NULL AND ("service" IS NULL OR "service" NOT LIKE '%request.out'))
    OR "event" = 'TKN'
    OR "streamed_token" IS NOT NULL
