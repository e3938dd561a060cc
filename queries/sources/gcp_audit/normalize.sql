-- gcp_audit: Cloud Audit Logs of Google Cloud: API calls, token exchanges,
-- secret accesses, the life of service account keys and of secrets.
--
-- Shows: the service account key behind a call, where a key that the user
-- manages began the chain of tokens; which version of a secret was accessed;
-- keys and versions that were made, disabled, enabled and deleted.
--
-- Cannot show: any other credential (access tokens, OAuth clients, API keys
-- and HMAC keys in use): such calls name only who. Which token an exchange
-- issued: until when, but not which. The certificate of an X.509 workload,
-- which cannot be told from the keys of its issuer. In rows from BigQuery, the
-- lifetime that was asked for.
--
-- Choices: The log comes after authentication, so a status that is neither
-- UNAUTHENTICATED nor a fault of the backend is a use; PERMISSION_DENIED and
-- quotas are `denied`. The token service is different: what it refuses is the
-- token that was presented. A long-running operation writes a record when it
-- begins and one when it ends; both count, so its use may look later by its
-- duration, never earlier. An entry is known by its insert id and its time.
-- A secret is named by the id of its project and not, as in the log, by its
-- number. Destroying a version takes it out of the store, but its value stays
-- valid where it is used: the state is `inactive`, not `revoked`.
-- Tokens live for an hour unless the request says otherwise.
SELECT
    CASE WHEN "insertId" <> '' THEN concat("insertId", '/', "timestamp") END AS native_uid,
    parse_time("time") AS event_time,
    -- `projects/ID/logs/...`: organizations and folders keep the word before their number.
    COALESCE(
        NULLIF(regexp_replace(split_part("logName", '/logs/', 1), '^projects/', ''), ''),
        "resource.labels.project_id"
    ) AS source_scope,
    CASE
        WHEN "service" IN ('iamcredentials.googleapis.com', 'sts.googleapis.com') THEN CASE
            WHEN "method" LIKE '%ExchangeToken' OR "method" LIKE '%GenerateAccessToken'
                OR "method" LIKE '%GenerateIdToken' OR "method" LIKE '%SignJwt' OR "method" LIKE '%SignBlob'
                THEN 'token_exchange'
            ELSE 'upstream'
        END
        WHEN "method" LIKE 'google.login.LoginService.login%' THEN 'auth'
        -- What failed, other than for want of permission, read and changed nothing.
        WHEN "status" NOT IN ('0', '7') THEN 'upstream'
        WHEN "service" = 'secretmanager.googleapis.com' THEN CASE
            WHEN "method" LIKE '%.AccessSecretVersion' THEN 'secret_read'
            WHEN "method" LIKE '%.AddSecretVersion' OR "method" LIKE '%.EnableSecretVersion'
                OR "method" LIKE '%.DisableSecretVersion' OR "method" LIKE '%.DestroySecretVersion'
                OR "method" LIKE '%.CreateSecret' OR "method" LIKE '%.DeleteSecret' THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "service" = 'iam.googleapis.com' THEN CASE
            WHEN "method" LIKE '%.CreateServiceAccountKey' OR "method" LIKE '%.UploadServiceAccountKey'
                OR "method" LIKE '%.EnableServiceAccountKey' OR "method" LIKE '%.DisableServiceAccountKey'
                OR "method" LIKE '%.DeleteServiceAccountKey' OR "method" LIKE '%.DisableServiceAccount'
                OR "method" LIKE '%.EnableServiceAccount' OR "method" LIKE '%.DeleteServiceAccount'
                OR "method" LIKE '%.UndeleteServiceAccount' THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "service" = 'apikeys.googleapis.com' THEN CASE
            WHEN "method" LIKE '%.GetKeyString' THEN 'secret_read'
            WHEN "method" LIKE '%.CreateKey' OR "method" LIKE '%.DeleteKey' OR "method" LIKE '%.UndeleteKey'
                THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "method" LIKE 'storage.hmacKeys.%' THEN CASE
            WHEN "method" IN ('storage.hmacKeys.create', 'storage.hmacKeys.update', 'storage.hmacKeys.delete')
                THEN 'lifecycle'
            ELSE 'upstream'
        END
        ELSE 'upstream'
    END AS category,
    "method" AS action,

    CASE
        WHEN "method" = 'google.login.LoginService.loginFailure' THEN 'rejected'
        WHEN "status" IS NULL OR "status" = '0' THEN CASE
            WHEN "refused" IS NOT NULL THEN 'denied' ELSE 'success'
        END
        WHEN "status" = '7' OR "status" = '8' THEN 'denied'
        WHEN "status" = '16' THEN 'rejected'
        WHEN "status" IN ('2', '4', '13', '14', '15') THEN 'error'
        WHEN "service" = 'sts.googleapis.com' AND "status" IN ('3', '9') THEN 'rejected'
        ELSE 'success'
    END AS outcome,
    CASE WHEN "status" <> '0' THEN "message" END AS reason,
    CASE
        WHEN "method" = 'google.login.LoginService.loginFailure' THEN 'wrong_credential'
        WHEN "status" IS NULL OR "status" = '0' THEN CASE WHEN "refused" IS NOT NULL THEN 'not_allowed' END
        WHEN "status" = '7' THEN 'not_allowed'
        WHEN "status" = '8' THEN 'throttled'
        WHEN "status" IN ('2', '4', '13', '14', '15') THEN 'backend_fault'
        WHEN "status" = '16' OR ("service" = 'sts.googleapis.com' AND "status" IN ('3', '9')) THEN CASE
            WHEN "message" LIKE '%expired%' OR "message" LIKE '%stale%' THEN 'expired'
            WHEN "message" LIKE '%revoked%' OR "message" LIKE '%disabled%' THEN 'revoked'
            ELSE 'wrong_credential'
        END
        ELSE 'request'
    END AS reason_class,

    -- `//iam.googleapis.com/projects/P/serviceAccounts/SA/keys/KEY`: the key's id is unique by itself.
    regexp_replace("key_name", '^.*/keys/', '') AS credential_value,
    'gcp_service_account_key' AS credential_kind,

    CASE
        WHEN "status" <> '0' OR "service" NOT IN ('iamcredentials.googleapis.com', 'sts.googleapis.com') THEN NULL
        WHEN "method" LIKE '%GenerateAccessToken' OR "method" LIKE '%GenerateIdToken'
            OR "method" LIKE '%ExchangeToken'
            THEN parse_time("time") + arrow_cast(
                COALESCE(TRY_CAST(split_part(rtrim("lifetime", 's'), '.', 1) AS BIGINT), 3600), 'Duration(Second)')
    END AS issued_expires_time,
    CASE
        WHEN "status" <> '0' OR "service" NOT IN ('iamcredentials.googleapis.com', 'sts.googleapis.com') THEN NULL
        WHEN "method" LIKE '%GenerateAccessToken' OR "method" LIKE '%GenerateIdToken'
            OR "method" LIKE '%ExchangeToken' THEN CASE
            WHEN TRY_CAST(split_part(rtrim("lifetime", 's'), '.', 1) AS BIGINT) IS NULL THEN 'default'
            ELSE 'request'
        END
    END AS issued_ttl_source,

    CASE
        WHEN "service" = 'secretmanager.googleapis.com' THEN CASE
            WHEN "name" LIKE '%/secrets/%' THEN regexp_replace(
                regexp_replace("name", '/versions/[^/]*$', ''),
                '^projects/[^/]+', concat('projects/', COALESCE("resource.labels.project_id", split_part("name", '/', 2))))
            WHEN "answered_name" LIKE '%/secrets/%' THEN regexp_replace(
                regexp_replace("answered_name", '/versions/[^/]*$', ''),
                '^projects/[^/]+', concat('projects/', COALESCE("resource.labels.project_id", split_part("answered_name", '/', 2))))
        END
        WHEN "service" = 'iam.googleapis.com' THEN CASE
            WHEN "method" NOT LIKE 'google.iam.admin.v1.%ServiceAccountKey'
                AND "method" NOT LIKE 'google.iam.admin.v1.%ableServiceAccount'
                AND "method" NOT LIKE 'google.iam.admin.v1.%eleteServiceAccount' THEN NULL
            WHEN "resource.labels.email_id" <> ''
                THEN concat('projects/', "resource.labels.project_id", '/serviceAccounts/', "resource.labels.email_id")
            ELSE regexp_replace(COALESCE("requested_name", "name"), '/keys/[^/]*$', '')
        END
        WHEN "service" = 'apikeys.googleapis.com' THEN CASE
            WHEN "answered_name" LIKE '%/keys/%' THEN "answered_name"
            WHEN "name" LIKE '%/keys/%' THEN "name"
            WHEN "requested_name" LIKE '%/keys/%' THEN "requested_name"
        END
    END AS target_secret_id,
    CASE
        WHEN "service" = 'secretmanager.googleapis.com' THEN CASE
            WHEN "answered_name" ~ '/versions/[0-9]+$' THEN regexp_replace("answered_name", '^.*/', '')
            WHEN "name" ~ '/versions/[0-9]+$' THEN regexp_replace("name", '^.*/', '')
            WHEN "requested_name" ~ '/versions/[0-9]+$' THEN regexp_replace("requested_name", '^.*/', '')
        END
        WHEN "service" = 'iam.googleapis.com' AND "method" LIKE '%ServiceAccountKey' THEN CASE
            WHEN "answered_name" LIKE '%/keys/%' THEN regexp_replace("answered_name", '^.*/', '')
            WHEN "requested_name" LIKE '%/keys/%' THEN regexp_replace("requested_name", '^.*/', '')
            WHEN "name" LIKE '%/keys/%' THEN regexp_replace("name", '^.*/', '')
        END
    END AS target_version,
    CASE
        WHEN "service" <> 'secretmanager.googleapis.com' THEN NULL
        WHEN "answered_name" ~ '/versions/[0-9]+$' THEN 'response.name'
        WHEN "name" ~ '/versions/[0-9]+$' THEN 'resourceName'
        WHEN "requested_name" ~ '/versions/[0-9]+$' THEN 'request.name'
    END AS version_evidence,
    CASE
        WHEN "service" = 'iam.googleapis.com' AND "method" LIKE '%ServiceAccountKey' THEN CASE
            WHEN "answered_name" LIKE '%/keys/%' THEN regexp_replace("answered_name", '^.*/', '')
            WHEN "requested_name" LIKE '%/keys/%' THEN regexp_replace("requested_name", '^.*/', '')
            WHEN "name" LIKE '%/keys/%' THEN regexp_replace("name", '^.*/', '')
        END
        WHEN "service" = 'apikeys.googleapis.com' THEN CASE
            WHEN "answered_name" LIKE '%/keys/%' THEN regexp_replace("answered_name", '^.*/', '')
            WHEN "name" LIKE '%/keys/%' THEN regexp_replace("name", '^.*/', '')
            WHEN "requested_name" LIKE '%/keys/%' THEN regexp_replace("requested_name", '^.*/', '')
        END
    END AS target_credential_value,
    CASE "service"
        WHEN 'apikeys.googleapis.com' THEN 'api_key_id'
        ELSE 'gcp_service_account_key'
    END AS target_credential_kind,
    -- Only what succeeded changes a state.
    CASE
        WHEN "status" <> '0' OR "refused" IS NOT NULL THEN NULL
        WHEN "service" = 'secretmanager.googleapis.com' THEN CASE
            WHEN "method" LIKE '%.AddSecretVersion' THEN 'current'
            WHEN "method" LIKE '%.EnableSecretVersion' THEN 'active'
            WHEN "method" LIKE '%.DisableSecretVersion' OR "method" LIKE '%.DestroySecretVersion' THEN 'inactive'
        END
        WHEN "service" = 'iam.googleapis.com' THEN CASE
            WHEN "method" LIKE '%.CreateServiceAccountKey' OR "method" LIKE '%.UploadServiceAccountKey'
                OR "method" LIKE '%.EnableServiceAccountKey' THEN 'active'
            WHEN "method" LIKE '%.DisableServiceAccountKey' THEN 'inactive'
            WHEN "method" LIKE '%.DeleteServiceAccountKey' THEN 'revoked'
        END
        WHEN "service" = 'apikeys.googleapis.com' THEN CASE
            WHEN "method" LIKE '%.CreateKey' OR "method" LIKE '%.UndeleteKey' THEN 'active'
            WHEN "method" LIKE '%.DeleteKey' THEN 'revoked'
        END
    END AS target_state,

    COALESCE(NULLIF("email", ''), regexp_replace("subject", '^(serviceAccount|user):', '')) AS principal,
    -- Kubernetes service accounts, in GKE's own records, in GKE's identity pool
    -- or in another one; other subjects of a pool as their issuer names them.
    CASE
        WHEN "email" LIKE 'system:serviceaccount:%'
            THEN concat(split_part("email", ':', 3), '/', split_part("email", ':', 4))
        WHEN "subject" LIKE 'serviceAccount:%.svc.id.goog[%]'
            THEN rtrim(split_part("subject", '[', 2), ']')
        WHEN "subject" LIKE 'principal://%/subject/ns/%/sa/%'
            THEN regexp_replace("subject", '^.*/ns/([^/]+)/sa/', '\1/')
        WHEN "subject" LIKE 'principal://%/subject/%' THEN regexp_replace(
            regexp_replace("subject", '^.*/subject/', ''), '^system:serviceaccount:([^:]+):', '\1/')
    END AS workload,
    CASE
        WHEN "email" LIKE 'system:serviceaccount:%' THEN 'authenticationInfo.principalEmail'
        WHEN "subject" LIKE 'serviceAccount:%.svc.id.goog[%]' OR "subject" LIKE 'principal://%/subject/%'
            THEN 'authenticationInfo.principalSubject'
    END AS workload_evidence,
    CASE WHEN "caller_ip" NOT IN ('private', 'gce-internal-ip') THEN "caller_ip" END AS source_ip,
    "user_agent" AS user_agent,
    "resource.labels.project_id" AS account,
    "location" AS region,
    "service" AS service,
    "resource" AS resource
FROM raw
-- A sink may hold entries of other logs.
WHERE "method" IS NOT NULL
