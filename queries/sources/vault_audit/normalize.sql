-- vault_audit: requests to Vault or OpenBao and their answers.
--
-- Shows: which token (or login secret) made every request, which login or
-- token obtained which token or certificate and until when, who read which
-- version of a KV secret, dynamic secrets by their lease, and the ends of
-- tokens, certificates, leases, secret ids and versions.
--
-- Cannot show: raw values, unless the device was set to `log_raw` (then they
-- are fingerprinted like any raw secret); that a token and its accessor are
-- one credential, where a revocation names only the accessor and that is
-- hashed; the versions of a delete or destroy that named them as texts, as the
-- command line does: they are hashed too; tokens that end with their parent; a
-- renewal's new expiry (a renewed token keeps its identity).
--
-- Choices: A request writes two lines with one id; the response (stage 2)
-- stands for the event, the request (stage 1) only where no response was
-- written. A request line whose token was resolved is a use; one of a login
-- is `unknown`, since the answer is missing. An error after the token was
-- resolved is a use: `denied` if Vault says so, else `success` with the error
-- as the reason. A line that knows no more of the caller than `token_type` had
-- an unknown or expired token: `rejected`. A login that issued nothing was
-- refused, even without an error. What a Vault calls a credential is unique
-- within one audit device only: its scope is the one given with --scope.
-- A certificate's serial number is an HMAC too, unless the mount is told to
-- show it. Deleting a version in KV takes it out of use here, but its value stays valid
-- where it is used: the state is `inactive`, not `revoked`. A request that names
-- several versions is a row of each.
SELECT
    "request.id" AS native_uid,
    CASE "type" WHEN 'response' THEN 2 ELSE 1 END AS stage,
    parse_time("time") AS event_time,
    CASE
        WHEN "request.path" LIKE 'auth/%' AND ("request.path" LIKE '%/login' OR "request.path" LIKE '%/login/%')
            AND "request.path" NOT LIKE '%/role/%' THEN 'token_exchange'
        WHEN "request.path" LIKE 'auth/token/renew%' THEN 'upstream'
        -- What failed, other than for want of permission, read and changed nothing.
        WHEN "error" <> '' AND "error" NOT LIKE '%permission denied%' THEN 'upstream'
        WHEN "issued_token" IS NOT NULL OR "request.path" LIKE 'auth/token/create%' THEN 'token_exchange'
        WHEN "request.mount_type" = 'pki' AND "request.path" ~ '/(issue|sign|sign-verbatim)/' THEN 'token_exchange'
        WHEN "response.secret.lease_id" <> '' THEN 'secret_read'
        WHEN "request.operation" = 'read' THEN CASE
            WHEN "response.data.metadata.version" IS NOT NULL THEN 'secret_read'
            WHEN COALESCE("request.mount_type", 'kv') = 'kv' AND "request.path" LIKE '%/data/%' THEN 'secret_read'
            WHEN "request.path" LIKE '%/static-creds/%' THEN 'secret_read'
            WHEN "request.mount_type" = 'kv' AND "request.path" NOT LIKE '%/metadata/%'
                AND "request.path" NOT LIKE '%/config' THEN 'secret_read'
            ELSE 'upstream'
        END
        WHEN "request.operation" NOT IN ('create', 'update', 'patch', 'delete') THEN 'upstream'
        WHEN "request.path" LIKE 'auth/token/revoke%' THEN 'lifecycle'
        WHEN "request.path" LIKE 'sys/leases/revoke%' OR "request.path" LIKE 'sys/revoke%' THEN 'lifecycle'
        WHEN "request.path" LIKE 'sys/%' OR "request.path" LIKE 'identity/%' THEN CASE
            WHEN "request.path" IN ('sys/rotate', 'sys/rotate/root') THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "request.path" LIKE 'auth/%' THEN CASE
            WHEN "request.path" LIKE '%secret-id' OR "request.path" LIKE '%/secret-id/destroy'
                OR "request.path" LIKE '%/secret-id-accessor/destroy' THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "request.path" LIKE '%/rotate-role/%' OR "request.path" LIKE '%/rotate-root/%'
            OR "request.path" LIKE '%/rotate' THEN 'lifecycle'
        WHEN "request.mount_type" = 'pki' AND "request.path" LIKE '%/revoke' THEN 'lifecycle'
        WHEN COALESCE("request.mount_type", 'kv') = 'kv' AND (
            "request.path" LIKE '%/data/%' OR "request.path" LIKE '%/delete/%'
            OR "request.path" LIKE '%/undelete/%' OR "request.path" LIKE '%/destroy/%'
            OR ("request.operation" = 'delete' AND "request.path" LIKE '%/metadata/%')) THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "request.operation" AS action,

    CASE
        WHEN "error" IS NULL OR "error" = '' THEN CASE
            WHEN "request.path" LIKE 'auth/%' AND ("request.path" LIKE '%/login' OR "request.path" LIKE '%/login/%')
                AND "request.path" NOT LIKE '%/role/%' THEN CASE
                WHEN "type" <> 'response' THEN 'unknown'
                WHEN "issued_token" IS NOT NULL OR "response.auth.accessor" IS NOT NULL
                    OR "response.auth.mfa_requirement" IS NOT NULL THEN 'success'
                ELSE 'rejected'
            END
            WHEN "type" = 'response' OR "auth.accessor" IS NOT NULL OR "display_name" <> '' THEN 'success'
            ELSE 'unknown'
        END
        WHEN "error" LIKE '%internal error%' OR "error" LIKE '%context deadline exceeded%'
            OR "error" LIKE '%context canceled%' OR "error" LIKE '%Vault is sealed%'
            OR "error" LIKE '%local node not active%' OR "error" LIKE '%connection refused%'
            OR "error" LIKE '%i/o timeout%' THEN 'error'
        WHEN "request.path" LIKE 'auth/%' AND ("request.path" LIKE '%/login' OR "request.path" LIKE '%/login/%')
            AND "request.path" NOT LIKE '%/role/%' THEN 'rejected'
        WHEN "auth.accessor" IS NOT NULL OR "display_name" <> '' OR "entity" <> '' THEN CASE
            WHEN "error" LIKE '%permission denied%' OR "error" LIKE '%not authorized%'
                OR "error" LIKE '%quota exceeded%' THEN 'denied'
            ELSE 'success'
        END
        ELSE 'rejected'
    END AS outcome,
    CASE
        WHEN "error" = '' THEN NULL
        WHEN "error" LIKE '1 error occurred:%' THEN btrim(substr("error", 18), concat(' *', chr(9), chr(10)))
        ELSE "error"
    END AS reason,
    CASE
        WHEN "error" IS NULL OR "error" = '' THEN NULL
        WHEN "error" LIKE '%internal error%' OR "error" LIKE '%context deadline exceeded%'
            OR "error" LIKE '%context canceled%' OR "error" LIKE '%Vault is sealed%'
            OR "error" LIKE '%local node not active%' OR "error" LIKE '%connection refused%'
            OR "error" LIKE '%i/o timeout%' THEN 'backend_fault'
        WHEN "request.path" LIKE 'auth/%' AND ("request.path" LIKE '%/login' OR "request.path" LIKE '%/login/%')
            AND "request.path" NOT LIKE '%/role/%' THEN 'wrong_credential'
        WHEN "auth.accessor" IS NULL AND "display_name" IS NULL AND "entity" IS NULL THEN 'unknown_credential'
        WHEN "error" LIKE '%quota exceeded%' THEN 'throttled'
        WHEN "error" LIKE '%permission denied%' OR "error" LIKE '%not authorized%' THEN 'not_allowed'
        ELSE 'request'
    END AS reason_class,

    -- On a login's response `auth` is the new token: never fall back to it.
    CASE
        WHEN "request.path" LIKE 'auth/%' AND ("request.path" LIKE '%/login' OR "request.path" LIKE '%/login/%')
            AND "request.path" NOT LIKE '%/role/%' THEN COALESCE("login_secret", "certificate")
        ELSE COALESCE("token", "accessor")
    END AS credential_value,
    CASE
        WHEN "request.path" LIKE 'auth/%' AND ("request.path" LIKE '%/login' OR "request.path" LIKE '%/login/%')
            AND "request.path" NOT LIKE '%/role/%' THEN CASE
            WHEN "login_secret" IS NULL THEN 'x509_serial'
            WHEN "login_secret" LIKE 'hmac-sha256:%' THEN 'vault_hmac'
            ELSE 'secret_value'
        END
        WHEN COALESCE("token", "accessor") LIKE 'hmac-sha256:%' THEN 'vault_hmac'
        WHEN "token" IS NULL THEN 'vault_accessor'
        ELSE 'secret_value'
    END AS credential_kind,

    -- A renewal answers with the same token: no exchange.
    CASE
        WHEN "request.path" LIKE 'auth/token/renew%' THEN NULL
        WHEN "request.mount_type" = 'pki' AND "request.path" ~ '/(issue|sign|sign-verbatim)/'
            THEN COALESCE("issued_token", "response.data.serial_number")
        ELSE COALESCE("issued_token", "response.auth.accessor")
    END AS issued_credential_value,
    CASE
        WHEN COALESCE("issued_token", "response.auth.accessor", "response.data.serial_number") LIKE 'hmac-sha256:%'
            THEN 'vault_hmac'
        WHEN "issued_token" IS NOT NULL THEN 'secret_value'
        WHEN "request.mount_type" = 'pki' THEN 'x509_serial'
        ELSE 'vault_accessor'
    END AS issued_credential_kind,
    CASE
        WHEN "request.mount_type" = 'pki' AND "request.path" ~ '/(issue|sign|sign-verbatim)/' AND "issued_ttl" IS NULL
            THEN parse_time("response.data.expiration")
        WHEN "request.path" LIKE 'auth/token/renew%' OR "issued_ttl" IS NULL THEN NULL
        WHEN TRY_CAST("issued_ttl" AS BIGINT) BETWEEN 1 AND 4000000000
            THEN parse_time("time") + arrow_cast(TRY_CAST("issued_ttl" AS BIGINT), 'Duration(Second)')
    END AS issued_expires_time,
    CASE
        WHEN "request.mount_type" = 'pki' AND "request.path" ~ '/(issue|sign|sign-verbatim)/' AND "issued_ttl" IS NULL
            THEN CASE WHEN parse_time("response.data.expiration") IS NOT NULL THEN 'response' END
        WHEN "request.path" LIKE 'auth/token/renew%' OR "issued_ttl" IS NULL THEN NULL
        WHEN TRY_CAST("issued_ttl" AS BIGINT) BETWEEN 1 AND 4000000000 THEN 'response'
    END AS issued_ttl_source,

    -- KV: the path without the first `data/` (`delete/`, ...) behind the mount.
    CASE
        WHEN "request.path" LIKE 'auth/%' THEN CASE
            WHEN "request.operation" NOT IN ('create', 'update', 'delete') THEN NULL
            WHEN "request.path" LIKE '%/custom-secret-id' THEN split_part("request.path", '/custom-secret-id', 1)
            WHEN "request.path" LIKE '%/secret-id' OR "request.path" LIKE '%/secret-id/destroy'
                OR "request.path" LIKE '%/secret-id-accessor/destroy'
                THEN split_part("request.path", '/secret-id', 1)
        END
        WHEN "request.path" LIKE 'sys/leases/revoke/%' OR "request.path" LIKE 'sys/revoke/%'
            THEN regexp_replace("request.path", '^sys/(leases/)?revoke/(.*)/[^/]*$', '\2')
        -- Who renews a lease still holds what it was read for.
        WHEN "request.path" LIKE 'sys/leases/renew%' OR "request.path" LIKE 'sys/renew%'
            THEN regexp_replace("response.secret.lease_id", '/[^/]*$', '')
        WHEN "request.path" LIKE 'sys/%' OR "request.path" LIKE 'identity/%' THEN NULL
        WHEN "response.secret.lease_id" <> '' THEN "request.path"
        WHEN "request.operation" = 'list' THEN NULL
        WHEN COALESCE("request.mount_type", 'kv') = 'kv' AND (
            "request.path" LIKE '%/data/%' OR "request.path" LIKE '%/delete/%'
            OR "request.path" LIKE '%/undelete/%' OR "request.path" LIKE '%/destroy/%'
            OR ("request.operation" = 'delete' AND "request.path" LIKE '%/metadata/%'))
            THEN regexp_replace("request.path", '/(data|delete|undelete|destroy|metadata)/', '/')
        WHEN "request.mount_type" = 'kv' AND "request.operation" = 'read'
            AND "request.path" NOT LIKE '%/metadata/%' AND "request.path" NOT LIKE '%/config'
            THEN "request.path"
        WHEN "request.path" LIKE '%/static-creds/%' AND "request.operation" = 'read' THEN "request.path"
        WHEN "request.path" LIKE '%/rotate-role/%' THEN replace("request.path", '/rotate-role/', '/static-creds/')
    END AS target_secret_id,
    CASE
        WHEN "request.path" LIKE 'auth/%' THEN CASE
            WHEN "request.path" LIKE '%secret-id' THEN "response.data.secret_id_accessor"
            WHEN "request.path" LIKE '%/secret-id-accessor/destroy' THEN "request.data.secret_id_accessor"
        END
        WHEN "request.path" LIKE 'sys/leases/revoke/%' OR "request.path" LIKE 'sys/revoke/%'
            THEN regexp_replace("request.path", '^.*/', '')
        WHEN "response.secret.lease_id" <> '' THEN regexp_replace("response.secret.lease_id", '^.*/', '')
        WHEN "response.data.metadata.version" IS NOT NULL THEN "response.data.metadata.version"
        WHEN "request.path" LIKE '%/data/%' THEN "response.data.version"
        WHEN "request.path" LIKE '%/delete/%' OR "request.path" LIKE '%/undelete/%'
            OR "request.path" LIKE '%/destroy/%' THEN "kv_version"
    END AS target_version,
    CASE
        WHEN "response.data.metadata.version" IS NOT NULL THEN 'response.data.metadata.version'
        WHEN "response.secret.lease_id" <> '' THEN 'response.secret.lease_id'
    END AS version_evidence,
    CASE
        WHEN "request.path" LIKE 'auth/token/revoke-self' THEN "token"
        WHEN "request.path" LIKE 'auth/token/revoke-accessor%' THEN "request.data.accessor"
        WHEN "request.path" LIKE 'auth/token/revoke%' THEN "request.data.token"
        WHEN "request.path" LIKE 'auth/%' THEN CASE
            WHEN "request.path" LIKE '%/secret-id/destroy' THEN "request.data.secret_id"
            WHEN "request.path" LIKE '%secret-id' THEN "response.data.secret_id"
        END
        WHEN "request.path" LIKE 'sys/leases/revoke/%' OR "request.path" LIKE 'sys/revoke/%'
            THEN regexp_replace("request.path", '^sys/(leases/)?revoke/', '')
        WHEN "response.secret.lease_id" <> '' THEN "response.secret.lease_id"
        WHEN "request.mount_type" = 'pki' AND "request.path" LIKE '%/revoke' THEN "request.data.serial_number"
    END AS target_credential_value,
    CASE
        WHEN "request.path" LIKE 'auth/token/revoke-accessor%' THEN CASE
            WHEN "request.data.accessor" LIKE 'hmac-sha256:%' THEN 'vault_hmac' ELSE 'vault_accessor'
        END
        WHEN "request.path" LIKE 'auth/%' THEN CASE
            WHEN COALESCE("request.data.secret_id", "response.data.secret_id", "request.data.token", "token")
                LIKE 'hmac-sha256:%' THEN 'vault_hmac'
            ELSE 'secret_value'
        END
        WHEN "request.data.serial_number" LIKE 'hmac-sha256:%' THEN 'vault_hmac'
        WHEN "request.mount_type" = 'pki' THEN 'x509_serial'
        ELSE 'vault_lease'
    END AS target_credential_kind,
    -- Only an answer without an error changes a state.
    CASE
        WHEN "type" <> 'response' OR "error" <> '' OR "request.operation" IN ('read', 'list') THEN NULL
        WHEN "request.path" LIKE 'auth/token/revoke%' OR "request.path" LIKE 'sys/leases/revoke/%'
            OR "request.path" LIKE 'sys/revoke/%' THEN 'revoked'
        WHEN "request.path" LIKE 'auth/%' THEN CASE
            WHEN "request.path" LIKE '%/secret-id/destroy' OR "request.path" LIKE '%/secret-id-accessor/destroy'
                THEN 'revoked'
            WHEN "response.data.secret_id" IS NOT NULL THEN 'active'
        END
        WHEN "request.mount_type" = 'pki' AND "request.path" LIKE '%/revoke' THEN 'revoked'
        WHEN "request.path" LIKE 'sys/%' OR "request.path" LIKE 'identity/%'
            OR COALESCE("request.mount_type", 'kv') <> 'kv' THEN NULL
        WHEN "request.path" LIKE '%/data/%' THEN CASE WHEN "response.data.version" IS NOT NULL THEN 'current' END
        WHEN "kv_version" IS NULL THEN NULL
        WHEN "request.path" LIKE '%/undelete/%' THEN 'active'
        WHEN "request.path" LIKE '%/delete/%' OR "request.path" LIKE '%/destroy/%' THEN 'inactive'
    END AS target_state,

    COALESCE(NULLIF("display_name", ''), NULLIF("entity", '')) AS principal,
    CASE
        WHEN "kubernetes_name" IS NOT NULL THEN CASE
            WHEN "kubernetes_namespace" IS NULL THEN "kubernetes_name"
            ELSE concat("kubernetes_namespace", '/', "kubernetes_name")
        END
        ELSE COALESCE("nomad_job", "nomad_task", "aws_arn", "role_name")
    END AS workload,
    CASE
        WHEN "kubernetes_name" IS NOT NULL THEN 'auth.metadata.service_account_name'
        WHEN "nomad_job" IS NOT NULL THEN 'auth.metadata.nomad_job_id'
        WHEN "nomad_task" IS NOT NULL THEN 'auth.metadata.Task'
        WHEN "aws_arn" IS NOT NULL THEN 'auth.metadata.canonical_arn'
        WHEN "role_name" IS NOT NULL THEN 'auth.metadata.role_name'
    END AS workload_evidence,
    COALESCE("nomad_allocation", "aws_instance") AS instance,
    "request.remote_address" AS source_ip,
    CASE WHEN "user_agent" LIKE 'hmac-sha256:%' THEN NULL ELSE "user_agent" END AS user_agent,
    NULLIF(rtrim("request.namespace.path", '/'), '') AS account,
    "request.mount_type" AS service,
    "request.path" AS resource
FROM raw
WHERE "type" IN ('request', 'response')
