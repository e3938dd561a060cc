-- gitlab_api: requests to GitLab, as Rails logs them.
--
-- Shows: the access, deploy or job token of every API request by its type and
-- number, also when it had expired, been revoked or lacked a scope; the SSH key
-- by which Git was let in; OAuth token requests by their client; reads and
-- changes of CI variables and tokens by the API.
--
-- Cannot show: the token of Git over HTTP and of the registry; which secret an
-- OAuth client presented and which token it got; unknown tokens; the number of
-- a token that was created or rotated into (its answer is not logged).
--
-- Choices: A token is `Type/number`, as `meta.auth_fail_token_id` writes it,
-- since each type counts for itself; SSH keys are `Key/number`. `host` is what
-- the caller asked for and an instance has several, so it is no scope: give
-- each instance its own --scope, together with its audit log.
-- GitLab answers 404 where a token may not know that something exists: a use.
-- 401 to `internal/allowed` denies a key that GitLab knows. A request without
-- user or token shows nobody: `unknown`. A correlation id spans several
-- requests: the time and what tells one from another are part of the event's id.
SELECT
    "correlation_id" || '/' || "time" || chr(31) || concat_ws(chr(31), "method", "endpoint", "path", "status",
        "fail_token", "token_type", "token_id", "ssh_key", "user", "client", "address") AS native_uid,
    parse_time("time") AS event_time,
    CASE
        WHEN "endpoint" = 'Oauth::TokensController' THEN 'token_exchange'
        WHEN "endpoint" LIKE '%/variables%' THEN CASE
            WHEN "method" = 'GET' THEN 'secret_read'
            ELSE 'lifecycle'
        END
        WHEN "method" IN ('GET', 'HEAD') THEN 'upstream'
        WHEN "endpoint" LIKE '%/personal_access_tokens%' OR "endpoint" LIKE '%/access_tokens%'
            OR "endpoint" LIKE '%/deploy_tokens%' OR "endpoint" LIKE '%/deploy_keys%'
            OR "endpoint" LIKE '%/impersonation_tokens%' OR "endpoint" LIKE '%/reset_%token'
            OR "endpoint" LIKE '%/keys' OR "endpoint" LIKE '%/keys/:key_id' THEN 'lifecycle'
        WHEN "endpoint" = 'SessionsController' THEN 'auth'
        ELSE 'upstream'
    END AS category,
    COALESCE("caller", "method" || ' ' || "endpoint") AS action,

    CASE
        WHEN "fail_reason" IN ('token_expired', 'token_revoked', 'impersonation_disabled') THEN 'rejected'
        WHEN "fail_reason" = 'insufficient_scope' THEN 'denied'
        WHEN "status" IN ('401', '403') AND "endpoint" LIKE '%/internal/allowed' THEN 'denied'
        WHEN "status" = '401' THEN 'rejected'
        WHEN "status" IN ('403', '429') THEN 'denied'
        WHEN "status" LIKE '5__' THEN 'error'
        WHEN "endpoint" = 'SessionsController' THEN CASE "status" WHEN '302' THEN 'success' ELSE 'unknown' END
        WHEN COALESCE(NULLIF("token_id", '0'), NULLIF("user", ''), "client", "ssh_key") IS NULL THEN 'unknown'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "fail_reason" IS NOT NULL THEN "fail_reason"
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status"
    END AS reason,
    CASE
        WHEN "fail_reason" = 'token_expired' THEN 'expired'
        WHEN "fail_reason" = 'token_revoked' THEN 'revoked'
        WHEN "fail_reason" IN ('insufficient_scope', 'impersonation_disabled') THEN 'not_allowed'
        WHEN "status" IN ('401', '403') AND "endpoint" LIKE '%/internal/allowed' THEN 'not_allowed'
        WHEN "status" = '401' THEN 'wrong_credential'
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" LIKE '4__' THEN 'request'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
    END AS reason_class,

    CASE
        WHEN NULLIF("fail_token", '') IS NOT NULL THEN "fail_token"
        WHEN NULLIF("token_id", '0') <> '' THEN COALESCE("token_type", 'PersonalAccessToken') || '/' || "token_id"
        WHEN "endpoint" LIKE '%/internal/allowed' AND "ssh_key" <> '' THEN 'Key/' || "ssh_key"
    END AS credential_value,
    'gitlab_token_id' AS credential_kind,

    CASE
        WHEN "endpoint" LIKE '%/variables%' OR "endpoint" LIKE '%/deploy_keys%'
            THEN regexp_replace("path", '^/api/v\d+/', '')
    END AS target_secret_id,
    CASE
        WHEN "method" NOT IN ('DELETE', 'POST') OR "status" NOT LIKE '2__' THEN NULL
        WHEN "endpoint" LIKE '%/personal_access_tokens/self%' THEN "token_type" || '/' || "token_id"
        WHEN "endpoint" LIKE '%/personal_access_tokens/:id%' OR "endpoint" LIKE '%/access_tokens/:token_id%'
            OR "endpoint" LIKE '%/impersonation_tokens/:impersonation_token_id'
            THEN 'PersonalAccessToken/' || "path_token"
        WHEN "endpoint" LIKE '%/deploy_tokens/:token_id' THEN 'DeployToken/' || "path_token"
    END AS target_credential_value,
    'gitlab_token_id' AS target_credential_kind,
    CASE
        WHEN "method" NOT IN ('DELETE', 'POST') OR "status" NOT LIKE '2__' THEN NULL
        WHEN "endpoint" LIKE '%/personal_access_tokens/self%' OR "endpoint" LIKE '%/personal_access_tokens/:id%'
            OR "endpoint" LIKE '%/access_tokens/:token_id%'
            OR "endpoint" LIKE '%/impersonation_tokens/:impersonation_token_id'
            OR "endpoint" LIKE '%/deploy_tokens/:token_id' THEN 'revoked'
    END AS target_state,

    COALESCE(NULLIF("user", ''), "client") AS principal,
    COALESCE(NULLIF("ssh_address", ''), btrim(split_part("address", ',', 1))) AS source_ip,
    NULLIF("ua", '') AS user_agent,
    "namespace" AS account,
    "endpoint" AS service,
    "project" AS resource
FROM raw
WHERE "status" IS NOT NULL AND "method" IS NOT NULL
