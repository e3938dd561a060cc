-- auth0: events of an Auth0 tenant.
--
-- Shows: the token (by its JWT id) behind every write with the Management API,
-- and behind reads that return secrets; token exchanges with the JWT id that
-- was issued, and the client's key or certificate where one authenticated it;
-- the family of a refresh token; refused exchanges and logins; rotation of
-- client secrets and revocation of tokens as lifecycle.
--
-- Cannot show: which secret a client used (its events name only the client);
-- use of issued tokens at other APIs; until when a token is valid; which
-- refresh token of a family was presented (see below).
--
-- Choices: A failed exchange says in words why: what names the client, secret,
-- code or token as wrong is `rejected`, a missing grant or scope is `denied`,
-- and all else counts as a use. A Management API call with another status than
-- 401 had its token accepted; what failed is no lifecycle. Refresh tokens are known by `familyId`, which
-- rotation keeps: reuse of an old one is a rejected attempt of its family.
-- A certificate's thumbprint is base64url (RFC 8705): an identifier of its own
-- kind, unless it is hex. Many records do not name the tenant, so it is no
-- scope here: else a token would differ from itself. Use --scope, and
-- `account` has the tenant where it is named.
SELECT
    "log_id" AS native_uid,
    parse_time("date") AS event_time,
    CASE
        WHEN "type" = 'mgmt_api_read' THEN 'secret_read'
        WHEN "type" = 'fapi' THEN 'upstream'
        WHEN "type" = 'sapi' THEN CASE
            WHEN "method" IN ('get', 'GET') THEN 'upstream'
            WHEN "path" LIKE '%/rotate-secret' OR "path" LIKE '/api/v2/clients/%/credentials%'
                OR "path" LIKE '/api/v2/keys/%' OR "path" = '/api/v2/blacklists/tokens'
                OR "path" LIKE '%refresh-tokens%' OR "path" LIKE '/api/v2/device-credentials%'
                OR "path" LIKE '/api/v2/grants%' THEN 'lifecycle'
            WHEN "path" LIKE '/api/v2/clients%' AND "method" IN ('post', 'POST', 'delete', 'DELETE') THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "type" LIKE 'se%ft' OR "type" LIKE 'fe%ft' OR "type" LIKE '%_token_exchange' OR "type" LIKE 'ciba_exchange_%'
            OR "type" IN ('sede', 'fede', 'secte', 'fecte', 'sens', 'fens', 'ferrt') THEN 'token_exchange'
        WHEN "type" IN ('s', 'f', 'fp', 'fu', 'fc', 'fco', 'ssa', 'fsa', 'scoa', 'fcoa', 'slo', 'flo', 'pwd_leak')
            OR "type" LIKE 'limit_%' OR "type" LIKE 'gd_auth_%' THEN 'auth'
        WHEN "type" IN ('srrt', 'scp', 'scpr', 'scpn') OR "type" LIKE 'kms_key_%' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "type" AS action,

    CASE
        WHEN "type" IN ('sapi', 'mgmt_api_read') THEN 'success'
        WHEN "type" = 'fapi' THEN CASE
            WHEN "status" = '401' THEN 'rejected'
            WHEN "status" IN ('403', '429') THEN 'denied'
            WHEN "status" LIKE '5__' THEN 'error'
            ELSE 'success'
        END
        WHEN "type" LIKE 'fe%' OR "type" = 'ciba_exchange_failed' OR "type" = 'failed_on_behalf_of_token_exchange' THEN CASE
            WHEN "type" = 'ferrt' THEN 'rejected'
            WHEN "description" ~ '(?i)not (been )?(authorized|allowed|granted)|access_denied|service not found' THEN 'denied'
            WHEN "description" ~ '(?i)unauthorized|unknown|wrong|expired|revoked|reused|invalid_(client|grant)|invalid .*(token|code|secret|client|assertion|credential|signature)'
                THEN 'rejected'
            ELSE 'success'
        END
        WHEN "type" IN ('f', 'fp', 'fu', 'fc', 'fco', 'fsa', 'fcoa') THEN 'rejected'
        WHEN "type" LIKE 'limit_%' OR "type" IN ('api_limit', 'pwd_leak') THEN 'denied'
        WHEN "type" LIKE 's%' OR "type" = 'ciba_exchange_succeeded' OR "type" LIKE 'gd_auth_succeed' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "type" = 'fapi' THEN COALESCE(NULLIF("description", ''), "status")
        WHEN "type" LIKE 'f%' OR "type" LIKE 'limit_%' OR "type" IN ('api_limit', 'pwd_leak', 'ciba_exchange_failed')
            THEN COALESCE(NULLIF("description", ''), "type")
    END AS reason,
    CASE
        WHEN "type" = 'fapi' THEN CASE
            WHEN "status" = '401' THEN CASE WHEN "description" LIKE '%xpired%' THEN 'expired' ELSE 'wrong_credential' END
            WHEN "status" = '403' THEN 'not_allowed'
            WHEN "status" = '429' THEN 'throttled'
            WHEN "status" LIKE '5__' THEN 'backend_fault'
            ELSE 'request'
        END
        WHEN "type" = 'ferrt' THEN 'revoked'
        WHEN "type" LIKE 'fe%' OR "type" = 'ciba_exchange_failed' OR "type" = 'failed_on_behalf_of_token_exchange' THEN CASE
            WHEN "description" ~ '(?i)not (been )?(authorized|allowed|granted)|access_denied|service not found' THEN 'not_allowed'
            WHEN "description" ~ '(?i)expired' THEN 'expired'
            WHEN "description" ~ '(?i)revoked|reused' THEN 'revoked'
            WHEN "description" ~ '(?i)unknown client' THEN 'unknown_principal'
            WHEN "description" ~ '(?i)unknown' THEN 'unknown_credential'
            WHEN "description" ~ '(?i)unauthorized|wrong|invalid_(client|grant)|invalid .*(token|code|secret|client|assertion|credential|signature)'
                THEN 'wrong_credential'
            ELSE 'request'
        END
        WHEN "type" = 'fu' THEN 'unknown_principal'
        WHEN "type" IN ('f', 'fp', 'fc', 'fco', 'fsa', 'fcoa') THEN 'wrong_credential'
        WHEN "type" = 'pwd_leak' THEN 'not_allowed'
        WHEN "type" LIKE 'limit_%' OR "type" = 'api_limit' THEN 'throttled'
    END AS reason_class,

    COALESCE(
        NULLIF("jti", ''), NULLIF("mtls_thumbprint_sha256", ''), NULLIF("kid", ''), NULLIF("details.familyId", '')
    ) AS credential_value,
    CASE
        WHEN NULLIF("jti", '') IS NOT NULL THEN 'jwt_id'
        WHEN NULLIF("mtls_thumbprint_sha256", '') IS NOT NULL THEN CASE
            WHEN "mtls_thumbprint_sha256" ~ '^[0-9A-Fa-f:]{64,95}$' THEN 'x509_sha256'
            ELSE 'x509_thumbprint'
        END
        WHEN NULLIF("kid", '') IS NOT NULL THEN 'auth0_signing_key'
        ELSE 'auth0_refresh_family'
    END AS credential_kind,
    CASE
        WHEN NULLIF("jti", '') IS NULL AND NULLIF("mtls_thumbprint_sha256", '') IS NULL AND NULLIF("kid", '') IS NOT NULL
            THEN "client_id"
    END AS credential_scope,
    NULLIF("details.access_token_jti", '') AS issued_credential_value,
    'jwt_id' AS issued_credential_kind,

    CASE
        WHEN "type" = 'fapi' THEN NULL
        WHEN "path" = '/api/v2/blacklists/tokens' THEN NULL
        WHEN "path" LIKE '%/rotate-secret' OR "path" LIKE '%/revoke' OR "path" LIKE '%/rotate'
            THEN regexp_replace("path", '^/api/v2/(.*)/[^/]*$', '\1')
        WHEN "type" = 'mgmt_api_read' OR "path" LIKE '/api/v2/clients/%' OR "path" LIKE '/api/v2/keys/%'
            THEN regexp_replace("path", '^/api/v2/', '')
    END AS target_secret_id,
    CASE
        WHEN "type" = 'sapi' AND "path" = '/api/v2/blacklists/tokens' THEN "details.request.body.jti"
        WHEN "type" = 'srrt' THEN "details.credential_id"
    END AS target_credential_value,
    CASE WHEN "type" = 'srrt' THEN 'auth0_refresh_token' ELSE 'jwt_id' END AS target_credential_kind,
    CASE
        WHEN "type" = 'srrt' AND "details.credential_id" IS NOT NULL THEN 'revoked'
        WHEN "type" = 'sapi' AND "path" = '/api/v2/blacklists/tokens' AND "details.request.body.jti" IS NOT NULL
            THEN 'revoked'
    END AS target_state,

    COALESCE(
        NULLIF("user_name", ''), NULLIF("api_user", ''), NULLIF("user_id", ''), NULLIF("client_id", '')
    ) AS principal,
    CASE
        WHEN "type" IN ('sapi', 'fapi', 'mgmt_api_read') OR "type" LIKE 'se%' OR "type" LIKE 'fe%'
            OR "type" LIKE '%_token_exchange' OR "type" LIKE 'ciba_exchange_%' THEN NULLIF("client_name", '')
    END AS workload,
    CASE
        WHEN NULLIF("client_name", '') IS NULL THEN NULL
        WHEN "type" IN ('sapi', 'fapi', 'mgmt_api_read') OR "type" LIKE 'se%' OR "type" LIKE 'fe%'
            OR "type" LIKE '%_token_exchange' OR "type" LIKE 'ciba_exchange_%' THEN 'client_name'
    END AS workload_evidence,
    NULLIF("ip", '') AS source_ip,
    COALESCE("details.request.userAgent", NULLIF("user_agent", '')) AS user_agent,
    "tenant" AS account,
    NULLIF("environment_name", '') AS region,
    "details.request.channel" AS service,
    CASE
        WHEN "path" IS NOT NULL THEN split_part("path", '/', 4)
        ELSE NULLIF("audience", '')
    END AS resource
FROM raw
WHERE "type" IS NOT NULL
