-- databricks_audit: audit events of Databricks workspaces and accounts.
--
-- Shows: which personal access token made each login by token; tokens made
-- (with their expiry), revoked and cleared away after expiry; who read and who
-- set which secret; OAuth secrets of service principals made and deleted.
--
-- Cannot show: the token behind an action, which names its user only
-- (`principal`); the version of a secret; the secret behind an OAuth login.
--
-- Choices: A login names its token in `tokenId`, making and revoking name it
-- in `tokenHash`; both are taken for the one id of a token. Ids of OAuth tokens
-- are a kind of their own. A token's expiry stands in the request; -1 is none.
-- Tokens belong to a workspace: it is the scope, and the account where an
-- event is of no workspace. A long action writes its request and its response
-- with one request id: the response (stage 2) stands for both. A login
-- answered 401 or 400 is `rejected`; 403 only where the message blames the
-- credential, else it is `denied`, since the caller may have been known. What
-- is answered otherwise had logged in before: it is a use. What failed changed
-- nothing and is no lifecycle.
SELECT
    COALESCE(
        NULLIF("event_id", ''),
        CASE WHEN "request_id" <> '' THEN concat("request_id", '/', "service", '.', "act") END
    ) AS native_uid,
    CASE WHEN "status" IS NULL THEN 1 ELSE 2 END AS stage,
    parse_time("time") AS event_time,
    CASE
        WHEN "act" ILIKE '%login' OR "act" LIKE '%Authentication'
            OR "act" IN ('oidcTokenAuthorization', 'IpAccessDenied', 'accountIpAclsValidationFailed') THEN 'auth'
        WHEN "status" NOT LIKE '2__' THEN 'upstream'
        WHEN "act" IN ('generateDbToken', 'mintOAuthToken')
            OR "act" LIKE 'generateTemporary%Credential' THEN 'token_exchange'
        WHEN "service" = 'secrets' THEN CASE "act"
            WHEN 'getSecret' THEN 'secret_read'
            WHEN 'putSecret' THEN 'lifecycle'
            WHEN 'deleteSecret' THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "service" = 'servicePrincipalCredentials' THEN CASE
            WHEN "act" IN ('create', 'delete') THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "act" IN (
            'revokeDbToken', 'garbageCollectDbToken', 'changePassword', 'resetPassword',
            'createGitCredential', 'updateGitCredential', 'deleteGitCredential') THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "act" AS action,
    CASE
        WHEN "act" IN ('IpAccessDenied', 'accountIpAclsValidationFailed') THEN 'denied'
        WHEN "status" IS NULL OR "status" LIKE '2__' OR "status" LIKE '3__' THEN 'success'
        WHEN "status" LIKE '5__' THEN 'error'
        WHEN "status" IN ('401', '400') AND ("act" ILIKE '%login' OR "act" LIKE '%Authentication'
            OR "act" = 'oidcTokenAuthorization') THEN 'rejected'
        WHEN "status" = '403' AND "error" ~ '(?i)(invalid|expired|revoked|malformed)' AND ("act" ILIKE '%login'
            OR "act" LIKE '%Authentication' OR "act" = 'oidcTokenAuthorization') THEN 'rejected'
        WHEN "status" = '401' THEN 'rejected'
        WHEN "status" IN ('403', '429') THEN 'denied'
        WHEN "status" LIKE '4__' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN COALESCE(NULLIF("error", ''), "status")
    END AS reason,
    CASE
        WHEN "act" IN ('IpAccessDenied', 'accountIpAclsValidationFailed') THEN 'not_allowed'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" = '401' OR "act" ILIKE '%login' OR "act" LIKE '%Authentication'
            OR "act" = 'oidcTokenAuthorization' THEN CASE
            WHEN "status" NOT LIKE '4__' THEN NULL
            WHEN "status" IN ('400', '401', '403') AND "error" ~ '(?i)expired' THEN 'expired'
            WHEN "status" IN ('400', '401', '403') AND "error" ~ '(?i)revoked' THEN 'revoked'
            WHEN "status" IN ('400', '401') OR "error" ~ '(?i)(invalid|malformed)' THEN 'wrong_credential'
            WHEN "status" = '403' THEN 'not_allowed'
            ELSE 'request'
        END
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" LIKE '4__' THEN 'request'
    END AS reason_class,

    CASE WHEN "act" ILIKE '%login' THEN "token_id" END AS credential_value,
    CASE WHEN "method" LIKE '%OAUTH%' THEN 'databricks_oauth_token' ELSE 'api_key_id' END AS credential_kind,
    CASE
        WHEN "act" = 'generateDbToken' AND ("status" IS NULL OR "status" LIKE '2__') THEN "token_hash"
    END AS issued_credential_value,
    'api_key_id' AS issued_credential_kind,
    CASE
        WHEN "act" = 'generateDbToken' AND "token_expiry" NOT LIKE '-%' AND ("status" IS NULL OR "status" LIKE '2__')
            THEN parse_time("token_expiry")
    END AS issued_expires_time,
    CASE
        WHEN "act" = 'generateDbToken' AND "token_expiry" NOT LIKE '-%' AND ("status" IS NULL OR "status" LIKE '2__')
            AND parse_time("token_expiry") IS NOT NULL THEN 'request'
    END AS issued_ttl_source,

    CASE
        WHEN "service" = 'secrets' AND "secret_key" <> '' THEN concat("secret_scope", '/', "secret_key")
        WHEN "service" = 'servicePrincipalCredentials' AND "service_principal" <> ''
            THEN concat('service_principal/', "service_principal")
    END AS target_secret_id,
    CASE WHEN "service" = 'servicePrincipalCredentials' THEN NULLIF("oauth_secret", '') END AS target_version,
    CASE
        WHEN "act" IN ('revokeDbToken', 'garbageCollectDbToken') THEN "token_hash"
        WHEN "service" = 'servicePrincipalCredentials' THEN "oauth_secret"
    END AS target_credential_value,
    CASE
        WHEN "service" = 'servicePrincipalCredentials' THEN 'databricks_oauth_secret'
        ELSE 'api_key_id'
    END AS target_credential_kind,
    CASE
        WHEN "status" NOT LIKE '2__' THEN NULL
        WHEN "act" IN ('revokeDbToken', 'garbageCollectDbToken') THEN 'revoked'
        WHEN "service" = 'servicePrincipalCredentials' THEN CASE "act"
            WHEN 'create' THEN 'active'
            WHEN 'delete' THEN 'revoked'
        END
    END AS target_state,

    NULLIF("who", '') AS principal,
    CASE
        WHEN "address" ~ '^\d+\.\d+\.\d+\.\d+:\d+$' THEN split_part("address", ':', 1)
        ELSE NULLIF("address", '')
    END AS source_ip,
    NULLIF("agent", '') AS user_agent,
    "account" AS account,
    "service" AS service,
    COALESCE(NULLIF(NULLIF("workspace", '0'), ''), "account") AS source_scope
FROM raw
WHERE "service" IS NOT NULL AND "act" IS NOT NULL
