-- ocsf: events in the Open Cybersecurity Schema Framework, of any product.
--
-- Shows: who did what, and the credential where the product's mapping carries
-- it: `credential_uid`, `programmatic_credentials`, a token's id, a client
-- certificate, request headers; logins and the session they began; changes of
-- accounts. Of AWS also sessions that were issued, access keys that were made,
-- changed or deleted, and secrets that were read.
--
-- Cannot show: what the mapping dropped. Most products map the user and not
-- the credential: then the principal is all that is known.
--
-- Choices: Only the classes that tell of identities and requests are taken.
-- An error that is named, or a status of failure, makes a failure; a status of
-- other or unknown is a success. A failed authentication is `rejected`, unless
-- the account or a second factor was the reason. Elsewhere only an error code
-- or 401 rejects: the words of a message may be those of a resource. A failure
-- that says nothing more is `denied`, which is a use.
-- The session's credential is what a request came with; that of its user may
-- be the one that the session was obtained with. A session's id stands for a
-- credential only where it is long: logon ids of hosts and names of AWS role
-- sessions repeat. Ids of keys are unique within the account or tenant.
SELECT
    "metadata.uid" AS native_uid,
    parse_time("time") AS event_time,
    parse_time("observed") AS observed_time,
    "tenant" AS source_scope,
    COALESCE(TRY_CAST("count" AS BIGINT), 1) AS event_count,
    CASE
        WHEN "issued_key" IS NOT NULL THEN 'token_exchange'
        WHEN "class_uid" = '3002' THEN 'auth'
        -- What failed, other than for want of permission, read and changed nothing.
        WHEN "error" <> '' AND lower("error") !~ '(denied|unauthorized)' THEN 'upstream'
        WHEN "operation" IN ('GetSecretValue', 'BatchGetSecretValue') AND "vendor" = 'AWS' THEN 'secret_read'
        WHEN "class_uid" = '3001' OR "operation" LIKE '%AccessKey' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "operation" AS action,

    CASE
        WHEN "code" = '401' THEN 'rejected'
        WHEN "code" IN ('403', '429') THEN 'denied'
        WHEN "code" LIKE '5__' THEN 'error'
        WHEN ("status_id" IS DISTINCT FROM '2') AND COALESCE("error", '') = '' THEN 'success'
        WHEN lower(CASE WHEN "error" <> '' THEN "error" WHEN "class_uid" = '3002' THEN "detail" END)
            ~ '(expired|revoked|unknown.?user|user.?not.?found|does.?not.?exist|invalid.?(credential|password|access.?key|client.?token|token|api.?key|signature)|(wrong|bad).?(password|credential)|unrecognizedclient|signaturedoesnotmatch|auth(entication)?.?fail|unauthenticated)'
            THEN 'rejected'
        WHEN lower(COALESCE(NULLIF("error", ''), "detail")) ~ '(throttl|too.?many.?requests|limit.?exceeded|slowdown|denied|unauthorized|forbidden|not.?authorized|authorization|disabled|locked|mfa|factor)'
            THEN 'denied'
        WHEN "class_uid" = '3002' THEN 'rejected'
        WHEN "error" ~ '(Internal|Unavailable|ServerError)' THEN 'error'
        WHEN "error" <> '' OR "code" LIKE '4__' THEN 'success'
        ELSE 'denied'
    END AS outcome,
    CASE
        WHEN "status_id" = '2' OR "error" <> '' OR "code" LIKE '4__' OR "code" LIKE '5__'
            THEN COALESCE(NULLIF("error", ''), NULLIF("detail", ''), "code")
    END AS reason,
    CASE
        WHEN ("status_id" IS DISTINCT FROM '2') AND COALESCE("error", '') = ''
            AND COALESCE("code", '') NOT LIKE '4__' AND COALESCE("code", '') NOT LIKE '5__' THEN NULL
        WHEN lower(COALESCE(NULLIF("error", ''), "detail")) ~ '(throttl|too.?many.?requests|limit.?exceeded|slowdown)'
            OR "code" = '429' THEN 'throttled'
        WHEN "code" = '403' THEN 'not_allowed'
        WHEN "code" LIKE '5__' OR "error" ~ '(Internal|Unavailable|ServerError)' THEN 'backend_fault'
        WHEN "error" <> '' OR "class_uid" = '3002' THEN CASE
            WHEN lower(COALESCE(NULLIF("error", ''), "detail")) ~ 'expired' THEN 'expired'
            WHEN lower(COALESCE(NULLIF("error", ''), "detail")) ~ 'revoked' THEN 'revoked'
            WHEN lower(COALESCE(NULLIF("error", ''), "detail")) ~ '(unknown.?user|user.?not.?found|does.?not.?exist)'
                AND "class_uid" = '3002' THEN 'unknown_principal'
            WHEN lower(COALESCE(NULLIF("error", ''), "detail"))
                ~ '(invalid.?(access.?key|client.?token|token|api.?key)|unrecognizedclient)' THEN 'unknown_credential'
            WHEN lower(COALESCE(NULLIF("error", ''), "detail"))
                ~ '(invalid.?(credential|password|signature)|(wrong|bad).?(password|credential)|signaturedoesnotmatch|auth(entication)?.?fail|unauthenticated)'
                THEN 'wrong_credential'
            WHEN lower(COALESCE(NULLIF("error", ''), "detail"))
                ~ '(denied|unauthorized|forbidden|not.?authorized|authorization|disabled|locked|mfa|factor)' THEN 'not_allowed'
            WHEN "class_uid" = '3002' THEN 'wrong_credential'
            ELSE 'request'
        END
        WHEN "code" = '401' THEN 'wrong_credential'
        WHEN "code" LIKE '4__' THEN 'request'
        WHEN lower("detail") ~ '(denied|unauthorized|forbidden|not.?authorized|authorization)' THEN 'not_allowed'
    END AS reason_class,

    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_value("authorization")
        WHEN "api_key" <> '' THEN "api_key"
        WHEN "token" <> '' THEN "token"
        WHEN "session_credential" <> '' THEN "session_credential"
        WHEN "user_credential" <> '' THEN "user_credential"
        WHEN "class_uid" = '3002' THEN COALESCE(
            NULLIF("subject_credential", ''), NULLIF("certificate_sha256", ''), NULLIF("certificate_serial", ''))
        WHEN length("acting_session") >= 16 AND ("vendor" IS DISTINCT FROM 'AWS') THEN "acting_session"
    END AS credential_value,
    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_kind("authorization")
        WHEN "api_key" <> '' THEN 'secret_value'
        WHEN "token" <> '' THEN 'api_key_id'
        WHEN COALESCE(NULLIF("session_credential", ''), NULLIF("user_credential", ''), "subject_credential")
            ~ '^A(KIA|SIA)[A-Z0-9]{12,}$' THEN 'aws_access_key_id'
        WHEN "session_credential" <> '' OR "user_credential" <> '' THEN 'api_key_id'
        WHEN ("class_uid" IS DISTINCT FROM '3002') THEN 'session_id'
        WHEN "subject_credential" <> '' THEN 'api_key_id'
        WHEN "certificate_sha256" <> '' THEN 'x509_sha256'
        ELSE 'x509_serial'
    END AS credential_kind,
    CASE
        WHEN "class_uid" = '3002' AND "certificate_serial" <> '' AND COALESCE("certificate_sha256", '') = ''
            AND COALESCE("authorization", "api_key", "token", "session_credential", "user_credential", "subject_credential", '') = ''
            THEN "certificate_issuer"
    END AS credential_scope,
    CASE
        WHEN "invoked_by" <> '' THEN "invoked_by"
        WHEN "app_name" LIKE '%.amazonaws.com' OR "app_name" = 'AWS Internal' THEN "app_name"
    END AS via_service,

    CASE
        WHEN "issued_key" IS NOT NULL THEN "issued_key"
        WHEN "class_uid" = '3002' AND "activity_id" = '1' AND ("status_id" IS DISTINCT FROM '2')
            AND length("new_session") >= 16 AND ("vendor" IS DISTINCT FROM 'AWS') THEN "new_session"
    END AS issued_credential_value,
    CASE WHEN "issued_key" IS NOT NULL THEN 'aws_access_key_id' ELSE 'session_id' END AS issued_credential_kind,
    CASE
        WHEN "issued_key" IS NOT NULL THEN parse_time("issued_expiration")
        WHEN "class_uid" = '3002' AND "activity_id" = '1' AND ("status_id" IS DISTINCT FROM '2')
            AND length("new_session") >= 16 AND ("vendor" IS DISTINCT FROM 'AWS')
            THEN parse_time(NULLIF("session_expires", '0'))
    END AS issued_expires_time,
    CASE
        WHEN "issued_key" IS NOT NULL THEN CASE WHEN parse_time("issued_expiration") IS NOT NULL THEN 'response' END
        WHEN "class_uid" = '3002' AND "activity_id" = '1' AND ("status_id" IS DISTINCT FROM '2')
            AND length("new_session") >= 16 AND ("vendor" IS DISTINCT FROM 'AWS')
            AND parse_time(NULLIF("session_expires", '0')) IS NOT NULL THEN 'response'
    END AS issued_ttl_source,

    CASE
        WHEN "vendor" = 'AWS' AND "operation" LIKE '%AccessKey' AND "tenant" IS NOT NULL AND "subject_name" IS NOT NULL
            THEN concat('arn:aws:iam::', "tenant", ':user/', "subject_name")
        WHEN "vendor" = 'AWS' AND "operation" IN ('GetSecretValue', 'BatchGetSecretValue')
            THEN COALESCE(CASE WHEN "resource_name" LIKE 'arn:%:secretsmanager:%' THEN "resource_name" END, "secret")
        WHEN "class_uid" = '3001' THEN "subject_name"
    END AS target_secret_id,
    CASE
        WHEN "vendor" = 'AWS' AND "operation" LIKE '%AccessKey' THEN "changed_key"
        WHEN "vendor" = 'AWS' AND "operation" = 'GetSecretValue' THEN lower("secret_version")
        WHEN "class_uid" = '3001' THEN NULLIF("subject_credential", '')
    END AS target_version,
    CASE
        WHEN "vendor" = 'AWS' AND "operation" = 'GetSecretValue' AND "secret_version" IS NOT NULL
            THEN 'api.request.data.versionId'
    END AS version_evidence,
    CASE
        WHEN "vendor" = 'AWS' AND "operation" LIKE '%AccessKey' THEN "changed_key"
        WHEN "class_uid" = '3001' THEN NULLIF("subject_credential", '')
    END AS target_credential_value,
    CASE
        WHEN COALESCE("changed_key", "subject_credential") ~ '^A(KIA|SIA)[A-Z0-9]{12,}$' THEN 'aws_access_key_id'
        ELSE 'api_key_id'
    END AS target_credential_kind,
    -- Only what succeeded, and names its credential, changes a state.
    CASE
        WHEN "status_id" = '2' OR "error" <> '' THEN NULL
        WHEN "vendor" = 'AWS' AND "operation" LIKE '%AccessKey' THEN CASE
            WHEN "changed_key" IS NULL THEN NULL
            WHEN "operation" = 'CreateAccessKey' THEN 'active'
            WHEN "operation" = 'DeleteAccessKey' THEN 'revoked'
            WHEN "operation" = 'UpdateAccessKey' THEN CASE lower("changed_status")
                WHEN 'active' THEN 'active' WHEN 'inactive' THEN 'inactive'
            END
        END
        WHEN "class_uid" = '3001' AND "subject_credential" <> '' THEN CASE "activity_id"
            WHEN '1' THEN 'active' WHEN '2' THEN 'active' WHEN '5' THEN 'inactive' WHEN '6' THEN 'revoked'
        END
    END AS target_state,

    CASE
        WHEN "actor.user.uid" LIKE 'arn:%' THEN "actor.user.uid"
        WHEN "actor.user.uuid" LIKE 'arn:%' THEN "actor.user.uuid"
        WHEN "class_uid" = '3002' THEN COALESCE("subject_name", "actor_name")
        ELSE "actor_name"
    END AS principal,
    CASE
        WHEN "app_name" <> '' AND "app_name" NOT LIKE '%.amazonaws.com' AND "app_name" <> 'AWS Internal' THEN "app_name"
    END AS workload,
    CASE
        WHEN "app_name" <> '' AND "app_name" NOT LIKE '%.amazonaws.com' AND "app_name" <> 'AWS Internal'
            THEN 'actor.app_name'
    END AS workload_evidence,
    NULLIF("instance", '') AS instance,
    "src_endpoint.ip" AS source_ip,
    NULLIF("http_request.user_agent", '') AS user_agent,
    "tenant" AS account,
    "cloud.region" AS region,
    "service_name" AS service,
    -- The bucket, not the object.
    regexp_replace("resource_name", '^(arn:[^:]*:s3:::[^/]+)/.*$', '\1') AS resource
FROM raw
WHERE "class_uid" IN ('3001', '3002', '3003', '3004', '3005', '3006', '4002', '6001', '6003', '6005')
