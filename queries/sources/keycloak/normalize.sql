-- keycloak: events and admin events of a Keycloak server.
--
-- Shows: which client and user obtained a token, by which grant, and the
-- token's id; the refresh token that was presented, and the one that followed
-- it; refused clients, users, codes and tokens; rotation of client secrets and
-- revocation of tokens.
--
-- Cannot show: which of a client's secrets or keys it used; use of issued
-- tokens elsewhere; successful events, unless they are logged; the realm whose
-- client an admin event changed, in the server's log (it names the
-- administrator's realm).
--
-- Choices: An event issues one credential here, but a grant an access token and
-- a refresh token: the refresh token stands for both, since it lives longer and
-- is what comes back; the access token where there is no other. Only the access
-- token's lifetime is logged. A realm is the scope: by its id, which every form
-- of the log has. An error of a token request that does not refuse what was
-- presented is a use; an error of a login that presented nothing is `unknown`.
-- A client that checks another's token (introspection) has used its own
-- credential, whatever the token was worth.
SELECT
    "id" AS native_uid,
    parse_time("time") AS event_time,
    CASE
        WHEN "logger" IS NULL OR "time" LIKE '%Z' OR "time" ~ '[+-]\d\d:?\d\d$' THEN 'exact'
        ELSE 'no_zone'
    END AS time_quality,
    NULLIF("realm_id", 'null') AS source_scope,
    CASE
        WHEN "operation" IS NOT NULL THEN CASE
            WHEN "error" IS NOT NULL THEN 'upstream'
            WHEN "resource_path" LIKE '%/client-secret%' OR "resource_path" LIKE '%/certificates/%'
                OR "resource_path" LIKE '%/registration-access-token' OR "resource_path" LIKE '%/reset-password'
                OR "resource_path" LIKE '%/credentials/%' OR "resource_path" LIKE '%/logout' THEN 'lifecycle'
            WHEN "resource_type" = 'CLIENT' AND "operation" IN ('CREATE', 'DELETE') THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "type" IN ('LOGIN', 'LOGIN_ERROR') THEN CASE "grant_type" WHEN 'password' THEN 'token_exchange' ELSE 'auth' END
        WHEN "type" LIKE '%\_TO\_TOKEN%' OR "type" LIKE 'CLIENT\_LOGIN%' OR "type" LIKE 'REFRESH\_TOKEN%'
            OR "type" LIKE '%TOKEN\_EXCHANGE%' OR "type" LIKE 'PERMISSION\_TOKEN%' THEN 'token_exchange'
        WHEN "type" IN ('REVOKE_GRANT', 'LOGOUT', 'UPDATE_PASSWORD', 'RESET_PASSWORD', 'UPDATE_CREDENTIAL',
            'REMOVE_CREDENTIAL', 'CLIENT_REGISTER', 'CLIENT_DELETE') THEN 'lifecycle'
        WHEN "type" LIKE 'INTROSPECT\_TOKEN%' OR "type" LIKE 'USER\_INFO\_REQUEST%' THEN 'upstream'
        ELSE 'auth'
    END AS category,
    COALESCE("type", "operation" || ' ' || "resource_type", "operation") AS action,

    CASE
        WHEN "error" IS NULL OR "error" IN ('', 'null') THEN 'success'
        WHEN "operation" IS NOT NULL THEN 'success'
        WHEN "error" IN ('invalid_client_credentials', 'invalid_client', 'client_not_found', 'client_disabled',
            'invalid_user_credentials', 'user_not_found', 'user_disabled', 'user_temporarily_disabled') THEN 'rejected'
        WHEN "error" IN ('not_allowed', 'access_denied', 'unauthorized_client', 'insufficient_scope') THEN 'denied'
        WHEN "type" = 'INTROSPECT_TOKEN_ERROR' THEN 'success'
        WHEN "error" IN ('invalid_token', 'invalid_code', 'expired_code', 'invalid_refresh_token', 'session_expired',
            'user_session_not_found') THEN 'rejected'
        WHEN "type" LIKE '%LOGIN\_ERROR' AND ("type" IS DISTINCT FROM 'CLIENT_LOGIN_ERROR') THEN 'unknown'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "error" IN ('', 'null') THEN NULL
        WHEN "error" IS NOT NULL AND "reason" IS NOT NULL THEN "error" || ': ' || "reason"
        ELSE "error"
    END AS reason,
    CASE
        WHEN "error" IS NULL OR "error" IN ('', 'null') THEN NULL
        WHEN "operation" IS NOT NULL THEN 'request'
        WHEN "error" IN ('invalid_client_credentials', 'invalid_user_credentials') THEN 'wrong_credential'
        WHEN "error" IN ('invalid_client', 'client_not_found', 'user_not_found') THEN 'unknown_principal'
        WHEN "error" IN ('client_disabled', 'user_disabled', 'user_temporarily_disabled', 'not_allowed', 'access_denied',
            'unauthorized_client', 'insufficient_scope') THEN 'not_allowed'
        WHEN "type" = 'INTROSPECT_TOKEN_ERROR' THEN 'request'
        WHEN "error" IN ('expired_code', 'session_expired', 'user_session_not_found') THEN 'expired'
        WHEN "error" IN ('invalid_token', 'invalid_code', 'invalid_refresh_token') THEN CASE
            WHEN "reason" LIKE '%not active%' OR "reason" LIKE '%xpired%' THEN 'expired'
            WHEN "reason" LIKE '%Stale%' OR "reason" LIKE '%revoked%' OR "reason" LIKE '%reuse%' THEN 'revoked'
            ELSE 'wrong_credential'
        END
        ELSE 'request'
    END AS reason_class,

    CASE
        WHEN "type" LIKE 'REFRESH\_TOKEN%' THEN "refresh_id"
        WHEN "type" LIKE 'USER\_INFO\_REQUEST%' THEN "token_id"
    END AS credential_value,
    'jwt_id' AS credential_kind,
    CASE
        WHEN "type" = 'REFRESH_TOKEN' THEN COALESCE("updated_id", "token_id")
        WHEN "type" LIKE '%\_TO\_TOKEN' OR "type" IN ('CLIENT_LOGIN', 'TOKEN_EXCHANGE', 'PERMISSION_TOKEN', 'LOGIN')
            THEN COALESCE("refresh_id", "token_id")
    END AS issued_credential_value,
    'jwt_id' AS issued_credential_kind,
    CASE
        WHEN "lifetime" IS NULL OR "refresh_id" IS NOT NULL OR "updated_id" IS NOT NULL THEN NULL
        WHEN TRY_CAST("lifetime" AS BIGINT) BETWEEN 1 AND 4000000000
            THEN parse_time("time") + arrow_cast(TRY_CAST("lifetime" AS BIGINT), 'Duration(Second)')
    END AS issued_expires_time,
    CASE
        WHEN "lifetime" IS NULL OR "refresh_id" IS NOT NULL OR "updated_id" IS NOT NULL THEN NULL
        WHEN TRY_CAST("lifetime" AS BIGINT) BETWEEN 1 AND 4000000000 THEN 'response'
    END AS issued_ttl_source,

    CASE
        WHEN "operation" IS NULL OR "error" IS NOT NULL THEN NULL
        WHEN "resource_path" LIKE '%/client-secret%' THEN split_part("resource_path", '/client-secret', 1) || '/client-secret'
        WHEN "resource_path" LIKE '%/certificates/%' OR "resource_path" LIKE '%/registration-access-token'
            OR "resource_path" LIKE '%/credentials/%' THEN "resource_path"
        WHEN "resource_path" LIKE '%/reset-password' THEN regexp_replace("resource_path", '/reset-password$', '')
        WHEN "resource_type" = 'CLIENT' AND "operation" IN ('CREATE', 'DELETE') THEN "resource_path"
    END AS target_secret_id,
    CASE WHEN "type" = 'REVOKE_GRANT' THEN COALESCE("refresh_id", "token_id") END AS target_credential_value,
    'jwt_id' AS target_credential_kind,
    CASE WHEN "type" = 'REVOKE_GRANT' AND COALESCE("refresh_id", "token_id") IS NOT NULL THEN 'revoked' END AS target_state,

    COALESCE(
        NULLIF(NULLIF("username", 'null'), ''), NULLIF(NULLIF("user_id", 'null'), ''), NULLIF(NULLIF("client_id", 'null'), '')
    ) AS principal,
    CASE
        WHEN "operation" IS NOT NULL OR ("type" LIKE '%LOGIN%' AND "type" NOT LIKE 'CLIENT\_LOGIN%') THEN NULL
        ELSE NULLIF(NULLIF("client_id", 'null'), '')
    END AS workload,
    CASE
        WHEN "operation" IS NOT NULL OR ("type" LIKE '%LOGIN%' AND "type" NOT LIKE 'CLIENT\_LOGIN%') THEN NULL
        WHEN NULLIF(NULLIF("client_id", 'null'), '') IS NOT NULL THEN 'clientId'
    END AS workload_evidence,
    NULLIF(NULLIF("address", 'null'), '') AS source_ip,
    "realm_name" AS account,
    "method" AS service,
    COALESCE("audience", "resource_type") AS resource
FROM raw
WHERE ("logger" IS NULL OR "logger" = 'org.keycloak.events') AND ("type" IS NOT NULL OR "operation" IS NOT NULL)
