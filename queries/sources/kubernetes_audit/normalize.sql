-- kubernetes_audit: requests to a Kubernetes API server.
--
-- Shows: which service-account token (its JTI), client certificate (its
-- SHA-256), AWS key (EKS), bootstrap token or Secret with a token made every
-- request; which token obtained which token and until when (TokenRequest); who
-- read, changed or deleted which Secret.
--
-- Cannot show: which token failed to authenticate; the value or version of a
-- Secret (its resource version, only at level RequestResponse); the
-- certificate that a signing request led to; a token's expiry below level
-- Request; the end of tokens that are bound to a deleted pod or node.
--
-- Choices: The stages of a request share an audit id; the last stands for the
-- event, and since callers may send an audit id of their own, the time of the
-- request is part of the native id. An audited request was authenticated,
-- other than a 401 without a user: a 401 with a user came from what the API
-- server proxies to. 403 and 429 are `denied`, other 4xx uses.
-- A token's kind is `kubernetes_credential_id` with the value as logged
-- (`JTI=...`); `X509SHA256=...` is the certificate that proxies log as well.
-- Tokens in Secrets and bootstrap tokens are known by the name of their
-- Secret, which holds one token at a time: `NAMESPACE/NAME`, and the token id.
-- Impersonation: the principal stays the user whose credential was presented.
-- The API server gives tokens for pods (3607 s, bound to a pod) a year unless
-- told otherwise, and answers with the short time: the year counts (`default`).
-- A Secret that was deleted is `inactive`: its value may be valid elsewhere.
SELECT
    concat("auditID", ' ', "time") AS native_uid,
    CASE "stage" WHEN 'ResponseComplete' THEN 3 WHEN 'RequestReceived' THEN 1 WHEN 'ResponseStarted' THEN 2 ELSE 4 END AS stage,
    parse_time("time") AS event_time,
    CASE
        WHEN "objectRef.resource" = 'secrets' AND COALESCE("objectRef.apiGroup", '') = '' THEN CASE
            WHEN "responseStatus.code" LIKE '4__' AND "responseStatus.code" <> '403' THEN 'upstream'
            WHEN "verb" IN ('get', 'list', 'watch') THEN 'secret_read'
            ELSE 'lifecycle'
        END
        WHEN "objectRef.resource" = 'serviceaccounts' THEN CASE
            WHEN "responseStatus.code" LIKE '4__' AND "responseStatus.code" <> '403' THEN 'upstream'
            WHEN "objectRef.subresource" = 'token' THEN 'token_exchange'
            WHEN "verb" IN ('create', 'delete', 'deletecollection') THEN 'lifecycle'
            ELSE 'upstream'
        END
        WHEN "objectRef.resource" = 'certificatesigningrequests' THEN CASE
            WHEN "responseStatus.code" LIKE '4__' AND "responseStatus.code" <> '403' THEN 'upstream'
            WHEN "objectRef.subresource" = 'approval' THEN 'lifecycle'
            WHEN "verb" = 'create' THEN 'token_exchange'
            ELSE 'upstream'
        END
        ELSE 'upstream'
    END AS category,
    "verb" AS action,

    CASE
        WHEN "responseStatus.code" LIKE '2__' THEN 'success'
        WHEN "responseStatus.code" = '401' AND COALESCE("username", '') IN ('', 'system:anonymous') THEN 'rejected'
        WHEN "responseStatus.code" IN ('403', '429') THEN 'denied'
        WHEN "responseStatus.code" LIKE '5__' OR "stage" = 'Panic' THEN 'error'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "responseStatus.code" LIKE '4__' OR "responseStatus.code" LIKE '5__'
            THEN COALESCE(NULLIF("responseStatus.reason", ''), "responseStatus.code")
    END AS reason,
    CASE
        WHEN "responseStatus.code" LIKE '2__' THEN NULL
        WHEN "responseStatus.code" = '401' AND COALESCE("username", '') IN ('', 'system:anonymous')
            THEN CASE WHEN "disabled_secret" IS NOT NULL THEN 'revoked' ELSE 'wrong_credential' END
        WHEN "responseStatus.code" = '403' THEN 'not_allowed'
        WHEN "responseStatus.code" = '429' THEN 'throttled'
        WHEN "responseStatus.code" LIKE '5__' OR "stage" = 'Panic' THEN 'backend_fault'
        WHEN "responseStatus.code" LIKE '4__' THEN 'request'
    END AS reason_class,

    CASE
        WHEN "credential_id" LIKE 'X509SHA256=%' THEN substr("credential_id", 12)
        WHEN "credential_id" <> '' THEN "credential_id"
        WHEN "access_key" <> '' THEN "access_key"
        WHEN "username" LIKE 'system:bootstrap:%' THEN substr("username", 18)
        WHEN "token_secret" <> '' THEN concat(split_part("username", ':', 3), '/', "token_secret")
        WHEN "disabled_secret" LIKE '%/%'
            THEN concat(split_part("disabled_secret", '/', 2), '/', split_part("disabled_secret", '/', 1))
    END AS credential_value,
    CASE
        WHEN "credential_id" LIKE 'X509SHA256=%' THEN 'x509_sha256'
        WHEN "credential_id" <> '' THEN 'kubernetes_credential_id'
        WHEN "access_key" <> '' THEN 'aws_access_key_id'
        WHEN "username" LIKE 'system:bootstrap:%' THEN 'kubernetes_bootstrap_token'
        ELSE 'kubernetes_token_secret'
    END AS credential_kind,
    CASE WHEN "username" = 'system:anonymous' THEN 'none' END AS attribution,

    "issued_id" AS issued_credential_value,
    'kubernetes_credential_id' AS issued_credential_kind,
    CASE
        WHEN "issued_id" IS NULL THEN NULL
        WHEN "requestObject.spec.expirationSeconds" = '3607' AND "requestObject.spec.boundObjectRef.kind" = 'Pod'
            THEN parse_time("time") + arrow_cast(31536000, 'Duration(Second)')
        WHEN "responseObject.status.expirationTimestamp" IS NOT NULL
            THEN parse_time("responseObject.status.expirationTimestamp")
        WHEN TRY_CAST("requestObject.spec.expirationSeconds" AS BIGINT) BETWEEN 1 AND 4294967296
            THEN parse_time("time")
                + arrow_cast(TRY_CAST("requestObject.spec.expirationSeconds" AS BIGINT), 'Duration(Second)')
    END AS issued_expires_time,
    CASE
        WHEN "issued_id" IS NULL THEN NULL
        WHEN "requestObject.spec.expirationSeconds" = '3607' AND "requestObject.spec.boundObjectRef.kind" = 'Pod'
            THEN 'default'
        WHEN "responseObject.status.expirationTimestamp" IS NOT NULL THEN 'response'
        WHEN TRY_CAST("requestObject.spec.expirationSeconds" AS BIGINT) BETWEEN 1 AND 4294967296 THEN 'request'
    END AS issued_ttl_source,

    CASE
        WHEN "objectRef.name" IS NULL THEN NULL
        WHEN "objectRef.resource" = 'secrets' AND COALESCE("objectRef.apiGroup", '') = ''
            THEN concat("objectRef.namespace", '/secrets/', "objectRef.name")
        WHEN "objectRef.resource" = 'serviceaccounts' AND "verb" IN ('create', 'delete')
            AND "objectRef.subresource" IS NULL
            THEN concat("objectRef.namespace", '/serviceaccounts/', "objectRef.name")
        WHEN "objectRef.resource" = 'certificatesigningrequests' AND "objectRef.subresource" = 'approval'
            THEN concat('certificatesigningrequests/', "objectRef.name")
    END AS target_secret_id,
    CASE
        WHEN "objectRef.resource" = 'secrets' AND COALESCE("objectRef.apiGroup", '') = ''
            AND "verb" IN ('get', 'create', 'update', 'patch') THEN "responseObject.metadata.resourceVersion"
    END AS target_version,
    CASE
        WHEN "objectRef.resource" = 'secrets' AND COALESCE("objectRef.apiGroup", '') = ''
            AND "verb" IN ('get', 'create', 'update', 'patch') AND "responseObject.metadata.resourceVersion" IS NOT NULL
            THEN 'responseObject.metadata.resourceVersion'
    END AS version_evidence,
    CASE
        WHEN "objectRef.name" IS NULL OR "objectRef.subresource" IS NOT NULL THEN NULL
        WHEN "responseStatus.code" LIKE '2__' THEN CASE
            WHEN "objectRef.resource" = 'secrets' AND COALESCE("objectRef.apiGroup", '') = '' THEN CASE "verb"
                WHEN 'create' THEN 'current'
                WHEN 'update' THEN 'current'
                WHEN 'patch' THEN 'current'
                WHEN 'delete' THEN 'inactive'
            END
            WHEN "objectRef.resource" = 'serviceaccounts' THEN CASE "verb"
                WHEN 'create' THEN 'active'
                WHEN 'delete' THEN 'revoked'
            END
        END
    END AS target_state,

    NULLIF("username", '') AS principal,
    -- A role's session as the source aws_cloudtrail names it: the session, or the
    -- role where an SDK or a platform made the session's name up.
    CASE
        WHEN "username" LIKE 'system:serviceaccount:%' THEN replace(substr("username", 23), ':', '/')
        WHEN "username" LIKE 'system:node:%' THEN 'kubelet'
        WHEN "username" LIKE 'system:kube-%' THEN substr("username", 8)
        WHEN "iam_session" ~ '^(botocore-session-|aws-(go-|dotnet-)?sdk-|i-|[0-9.]*$|[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$)'
            THEN CASE WHEN "iam_role" LIKE '%:role/%' THEN regexp_replace("iam_role", '^.*/', '') END
        ELSE "iam_session"
    END AS workload,
    CASE
        WHEN "username" LIKE 'system:serviceaccount:%' OR "username" LIKE 'system:node:%'
            OR "username" LIKE 'system:kube-%' THEN 'user.username'
        WHEN "iam_session" ~ '^(botocore-session-|aws-(go-|dotnet-)?sdk-|i-|[0-9.]*$|[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$)'
            THEN CASE WHEN "iam_role" LIKE '%:role/%' THEN 'user.extra.canonicalArn' END
        WHEN "iam_session" IS NOT NULL THEN 'user.extra.sessionName'
    END AS workload_evidence,
    CASE
        WHEN "pod" IS NOT NULL THEN "pod"
        WHEN "username" LIKE 'system:node:%' THEN substr("username", 13)
        WHEN "iam_session" LIKE 'i-%' THEN "iam_session"
    END AS instance,
    "sourceIPs[0]" AS source_ip,
    "userAgent" AS user_agent,
    CASE WHEN "iam_arn" LIKE 'arn:%' THEN split_part("iam_arn", ':', 5) END AS account,
    'kubernetes' AS service,
    CASE
        WHEN "objectRef.resource" <> ''
            THEN concat_ws('/', NULLIF("objectRef.namespace", ''), "objectRef.resource", "objectRef.subresource")
    END AS resource
FROM raw
WHERE "auditID" IS NOT NULL
