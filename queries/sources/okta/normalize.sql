-- okta: events of an Okta organization.
--
-- Shows: the API token (SSWS) behind every change made with one; tokens that
-- OAuth clients obtained, by id and until when, and the client secret that
-- obtained them where the event names it; refused clients and reused refresh
-- tokens; API tokens, client credentials and tokens as they are created,
-- disabled and revoked.
--
-- Cannot show: API reads; requests with a revoked or unknown API token; the
-- key that signed a client assertion; which access token called Okta's API;
-- which of a client's credentials a lifecycle event is about (only the client).
--
-- Choices: An event with an API token was made with it, so a failure is a use
-- of the token (`success`, with the reason); a denial is `denied`. At the token
-- endpoint only `invalid_client` refuses the client's secret; a refused grant
-- whose event names the secret is a use of the secret, any other is `rejected`.
-- `clientSecret` is what Okta shows in place of the secret: an identifier of its
-- own kind, which joins with nothing but itself; partly starred values are none.
-- Token ids are JWT ids; the log does not name the organization (use --scope).
-- Sessions of people are not credentials here: their events name only who.
SELECT
    "uuid" AS native_uid,
    parse_time("published") AS event_time,
    CASE
        WHEN "eventType" LIKE 'app.oauth2.%' THEN CASE
            WHEN "eventType" LIKE '%token.grant%' OR "eventType" LIKE '%.implicit.access_token'
                OR "eventType" LIKE '%.implicit.id_token' OR "eventType" LIKE '%token.detect_reuse'
                OR "eventType" = 'app.oauth2.invalid_client_credentials' THEN 'token_exchange'
            WHEN "eventType" LIKE '%token.revoke%' OR "eventType" LIKE '%.lifecycle.%'
                OR "eventType" LIKE '%key.rollover' THEN 'lifecycle'
            WHEN "eventType" = 'app.oauth2.client.read_client_secret' THEN 'secret_read'
            WHEN "eventType" LIKE '%authorize%' THEN 'auth'
            ELSE 'upstream'
        END
        WHEN "eventType" LIKE 'user.authentication.%' OR "eventType" IN ('user.session.start', 'policy.evaluate_sign_on')
            THEN 'auth'
        WHEN "eventType" LIKE 'system.api_token.%' OR "eventType" = 'user.session.clear'
            OR "eventType" LIKE 'user.account.%password' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "eventType" AS action,

    CASE
        WHEN "eventType" = 'app.oauth2.invalid_client_credentials' OR "eventType" LIKE 'app.oauth2.%token.detect_reuse'
            THEN 'rejected'
        WHEN "outcome.result" IN ('SUCCESS', 'ALLOW') THEN 'success'
        WHEN "outcome.result" IN ('DENY', 'RATE_LIMIT') THEN 'denied'
        WHEN "outcome.result" = 'FAILURE' THEN CASE
            WHEN "eventType" LIKE 'app.oauth2.%token.grant%' THEN CASE
                WHEN "outcome.reason" LIKE '%invalid_client%' THEN 'rejected'
                WHEN "outcome.reason" LIKE '%policy%' OR "outcome.reason" LIKE '%access_denied%' THEN 'denied'
                WHEN "client_secret" IS NOT NULL THEN 'success'
                WHEN "outcome.reason" LIKE '%invalid_%grant%' OR "outcome.reason" LIKE '%invalid_%token%' THEN 'rejected'
                ELSE 'success'
            END
            WHEN NULLIF("api_token", '') IS NOT NULL THEN 'success'
            WHEN "eventType" LIKE 'user.authentication.%' OR "eventType" = 'user.session.start' THEN 'rejected'
            ELSE 'success'
        END
        WHEN NULLIF("api_token", '') IS NOT NULL THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "outcome.result" IN ('SUCCESS', 'ALLOW') THEN NULL
        ELSE COALESCE(NULLIF("outcome.reason", ''), "outcome.result")
    END AS reason,
    CASE
        WHEN "eventType" = 'app.oauth2.invalid_client_credentials' THEN 'wrong_credential'
        WHEN "eventType" LIKE 'app.oauth2.%token.detect_reuse' THEN 'revoked'
        WHEN "outcome.result" = 'DENY' THEN 'not_allowed'
        WHEN "outcome.result" = 'RATE_LIMIT' THEN 'throttled'
        WHEN "outcome.result" = 'FAILURE' THEN CASE
            WHEN "eventType" LIKE 'app.oauth2.%token.grant%' THEN CASE
                WHEN "outcome.reason" LIKE '%invalid_client%' THEN 'wrong_credential'
                WHEN "outcome.reason" LIKE '%policy%' OR "outcome.reason" LIKE '%access_denied%' THEN 'not_allowed'
                WHEN "client_secret" IS NOT NULL THEN 'request'
                WHEN "outcome.reason" LIKE '%invalid_%grant%' OR "outcome.reason" LIKE '%invalid_%token%'
                    THEN 'wrong_credential'
                ELSE 'request'
            END
            WHEN NULLIF("api_token", '') IS NOT NULL THEN 'request'
            WHEN "eventType" LIKE 'user.authentication.%' OR "eventType" = 'user.session.start' THEN CASE
                WHEN "outcome.reason" LIKE '%LOCKED%' THEN 'not_allowed'
                WHEN "outcome.reason" LIKE '%EXPIRED%' THEN 'expired'
                ELSE 'wrong_credential'
            END
            ELSE 'request'
        END
    END AS reason_class,

    CASE
        WHEN NULLIF("api_token", '') IS NOT NULL THEN "api_token"
        WHEN "eventType" LIKE 'app.oauth2.%token.detect_reuse' THEN "refresh_token"
        WHEN "client_secret" LIKE '%*%' THEN NULL
        ELSE "client_secret"
    END AS credential_value,
    CASE
        WHEN NULLIF("api_token", '') IS NOT NULL THEN 'okta_token_id'
        WHEN "eventType" LIKE 'app.oauth2.%token.detect_reuse' THEN 'jwt_id'
        ELSE 'okta_client_secret'
    END AS credential_kind,

    CASE
        WHEN "eventType" LIKE 'app.oauth2.%token.grant%' OR "eventType" LIKE 'app.oauth2.%.implicit.access_token'
            OR "eventType" LIKE 'app.oauth2.%.implicit.id_token'
            THEN COALESCE("access_token", "refresh_token", "other_token")
    END AS issued_credential_value,
    'jwt_id' AS issued_credential_kind,
    CASE
        WHEN "eventType" LIKE 'app.oauth2.%token.grant%' OR "eventType" LIKE 'app.oauth2.%.implicit.access_token'
            OR "eventType" LIKE 'app.oauth2.%.implicit.id_token' THEN parse_time("expires")
    END AS issued_expires_time,
    CASE
        WHEN "expires" IS NULL THEN NULL
        WHEN "eventType" LIKE 'app.oauth2.%token.grant%' OR "eventType" LIKE 'app.oauth2.%.implicit.access_token'
            OR "eventType" LIKE 'app.oauth2.%.implicit.id_token' THEN 'response'
    END AS issued_ttl_source,

    CASE
        WHEN "eventType" LIKE 'system.api_token.%' THEN 'api_token/' || "target[?@.type=='Token'].displayName"
        WHEN "eventType" LIKE 'app.oauth2.credentials.lifecycle.%' OR "eventType" LIKE 'app.oauth2.client.lifecycle.%'
            OR "eventType" = 'app.oauth2.client.read_client_secret' THEN 'client/' || "application"
    END AS target_secret_id,
    CASE
        WHEN "eventType" LIKE 'system.api_token.%' THEN "target[?@.type=='Token'].id"
        WHEN "eventType" LIKE 'app.oauth2.%token.revoke%' THEN COALESCE("refresh_token", "access_token", "other_token")
    END AS target_credential_value,
    CASE WHEN "eventType" LIKE 'system.%' THEN 'okta_token_id' ELSE 'jwt_id' END AS target_credential_kind,
    CASE
        WHEN ("outcome.result" IS DISTINCT FROM 'SUCCESS') THEN NULL
        WHEN "eventType" IN ('system.api_token.create', 'system.api_token.enable') THEN 'active'
        WHEN "eventType" = 'system.api_token.disable' THEN 'inactive'
        WHEN "eventType" = 'system.api_token.revoke' THEN 'revoked'
        WHEN "eventType" LIKE 'app.oauth2.%token.revoke%'
            AND COALESCE("refresh_token", "access_token", "other_token") IS NOT NULL THEN 'revoked'
    END AS target_state,

    CASE
        WHEN "actor.type" = 'IP address' THEN NULL
        WHEN COALESCE("actor.alternateId", '') IN ('', 'unknown', 'null') THEN NULLIF("actor.id", 'unknown')
        ELSE "actor.alternateId"
    END AS principal,
    CASE WHEN "actor.type" = 'PublicClientApp' THEN "actor.displayName" END AS workload,
    CASE
        WHEN "actor.type" = 'PublicClientApp' AND "actor.displayName" IS NOT NULL THEN 'actor.displayName'
    END AS workload_evidence,
    NULLIF("client.ipAddress", '') AS source_ip,
    NULLIF("client.userAgent.rawUserAgent", 'unknown') AS user_agent,
    "debugContext.debugData.authorizationServerName" AS service,
    "application_name" AS resource
FROM raw
WHERE "eventType" IS NOT NULL
