-- github_audit: events of a GitHub organization or enterprise.
--
-- Shows: the SHA-256 of the token behind every event that did not come from
-- the web (`hashed_token`), so a raw token of a registry or of another log is
-- the same credential here; API requests with their status; grants and
-- revocations of tokens, deploy keys and organization secrets as lifecycle.
--
-- Cannot show: failed attempts, except API requests that the log carries;
-- which token a lifecycle event in the web was about (its hash is not
-- logged); who reads an Actions secret.
--
-- Choices: The log has only what happened, so an event without a status is a
-- `success`. GitHub answers 404 where a token may not know that something
-- exists, and 4xx otherwise for wrong requests: it had authenticated the
-- token, so they are uses; 401 alone refused it. 403 is `denied` (not allowed,
-- or a rate limit of the authenticated caller).
-- For SSH and deploy keys the hash is that of a key in a form that GitHub does
-- not document: an identifier of its own kind, which joins with nothing else.
-- App installations get a new token every hour: the app is the workload.
SELECT
    "_document_id" AS native_uid,
    parse_time("created") AS event_time,
    CASE
        WHEN "action" = 'api.request' OR "action" LIKE 'git.%' OR "action" LIKE 'workflows.%' THEN 'upstream'
        WHEN "action" LIKE 'personal_access_token.%' OR "action" LIKE 'org_credential_authorization.%'
            OR "action" LIKE 'deploy_key.%' OR "action" LIKE 'public_key.%'
            OR "action" LIKE 'oauth_access.%' OR "action" LIKE 'oauth_authorization.%'
            OR "action" LIKE 'ssh_certificate_authority.%' THEN 'lifecycle'
        WHEN "action" LIKE '%.%_client_secret' OR "action" LIKE '%.reset_secret'
            OR "action" LIKE '%.revoke_tokens' OR "action" LIKE '%.revoke_all_tokens'
            OR "action" LIKE '%_actions_secret' OR "action" LIKE '%_codespaces_secret'
            OR "action" LIKE '%_dependabot_secret' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "action" AS action,
    CASE
        WHEN "status_code" IS NULL THEN 'success'
        WHEN "status_code" = '401' THEN 'rejected'
        WHEN "status_code" = '403' THEN 'denied'
        WHEN "status_code" LIKE '5__' THEN 'error'
        WHEN "status_code" LIKE '2__' OR "status_code" LIKE '3__' OR "status_code" LIKE '4__' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE WHEN "status_code" LIKE '4__' OR "status_code" LIKE '5__' THEN "status_code" END AS reason,
    CASE
        WHEN "status_code" = '401' THEN 'wrong_credential'
        WHEN "status_code" = '403' THEN 'not_allowed'
        WHEN "status_code" LIKE '4__' THEN 'request'
        WHEN "status_code" LIKE '5__' THEN 'backend_fault'
    END AS reason_class,
    COALESCE(NULLIF("hashed_token", ''), "token_id") AS credential_value,
    CASE
        WHEN "hashed_token" IS NULL OR "hashed_token" = '' THEN 'github_token_id'
        WHEN "programmatic_access_type" LIKE 'Public Key%' OR "programmatic_access_type" LIKE '%eploy%ey%'
            THEN 'github_key_sha256'
        ELSE 'secret_sha256'
    END AS credential_kind,
    CASE
        WHEN "action" LIKE 'personal_access_token.%' THEN CASE
            WHEN "user_programmatic_access_name" IS NOT NULL
                THEN concat("account", '/personal_access_token/', "user_programmatic_access_name")
        END
        WHEN "action" LIKE '%_actions_secret' OR "action" LIKE '%_codespaces_secret'
            OR "action" LIKE '%_dependabot_secret' THEN CASE
            WHEN "secret_name" IS NOT NULL THEN concat(COALESCE("repo", "account"), '/secrets/', "secret_name")
        END
    END AS target_secret_id,
    "actor" AS principal,
    CASE
        WHEN "programmatic_access_type" LIKE 'GitHub App server-to-server%'
            THEN COALESCE("application", "actor")
    END AS workload,
    CASE
        WHEN "programmatic_access_type" LIKE 'GitHub App server-to-server%'
            THEN CASE WHEN "application" IS NOT NULL THEN 'integration' ELSE 'actor' END
    END AS workload_evidence,
    "actor_ip" AS source_ip,
    "user_agent" AS user_agent,
    "account" AS account,
    "transport_protocol_name" AS service,
    "resource" AS resource
FROM raw
