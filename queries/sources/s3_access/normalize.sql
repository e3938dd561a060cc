-- s3_access: requests to S3 buckets.
--
-- Shows: who requested (the ARN of a user or role session, a canonical id, a
-- service), and for presigned URLs the access key that signed them.
--
-- Cannot show: the access key of all other requests: they name who, never
-- which key. CloudTrail's data events do.
--
-- Choices: Error codes that refuse the key, its signature or its session token
-- are `rejected`; a 403 without one is `denied`, also where a presigned URL has
-- expired, since nothing says that its key has. Other 4xx are uses with the
-- code as the reason. What S3 does by itself (lifecycle rules) presents no
-- credential and is skipped. A multi-object delete writes one record per
-- object with one request id: one use. A role's session named by an SDK or an
-- instance says nothing of the software: the role stands for it.
-- Each bucket has its own logging, so the bucket is the scope.
SELECT
    concat("request_id", ' ', "operation") AS native_uid,
    parse_time("time") AS event_time,
    "operation" AS action,
    CASE
        WHEN "error" IN (
            'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken', 'InvalidSecurity', 'ExpiredToken',
            'TokenRefreshRequired'
        ) THEN 'rejected'
        WHEN "status" = '403' THEN 'denied'
        WHEN "status" LIKE '5%' THEN 'error'
        WHEN "status" LIKE '___' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "error" <> '-' THEN "error"
        WHEN "status" LIKE '4%' OR "status" LIKE '5%' THEN "status"
    END AS reason,
    CASE
        WHEN "error" = 'InvalidAccessKeyId' THEN 'unknown_credential'
        WHEN "error" IN ('SignatureDoesNotMatch', 'InvalidToken', 'InvalidSecurity') THEN 'wrong_credential'
        WHEN "error" IN ('ExpiredToken', 'TokenRefreshRequired') THEN 'expired'
        WHEN "error" = 'SlowDown' THEN 'throttled'
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" LIKE '5%' THEN 'backend_fault'
        WHEN "status" LIKE '4%' THEN 'request'
    END AS reason_class,
    -- `ID/date/region/...`, or the bare id of signature version 2.
    CASE WHEN "uri" LIKE '%?%' THEN COALESCE(
        NULLIF(split_part(query_parameter("uri", 'X-Amz-Credential'), '/', 1), ''),
        query_parameter("uri", 'AWSAccessKeyId')) END AS credential_value,
    'aws_access_key_id' AS credential_kind,
    CASE WHEN "requester" LIKE 'svc:%' THEN substr("requester", 5) END AS via_service,
    NULLIF(NULLIF("requester", '-'), 'Anonymous') AS principal,
    CASE
        WHEN "session" ~ '^(botocore-session-|aws-(go-|dotnet-)?sdk-|i-|[0-9.]*$|[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$)'
            THEN "role"
        ELSE "session"
    END AS workload,
    CASE WHEN "session" IS NOT NULL THEN 'requester' END AS workload_evidence,
    CASE WHEN "session" LIKE 'i-%' THEN "session" END AS instance,
    NULLIF("client", '-') AS source_ip,
    NULLIF(NULLIF("user_agent", '-'), '') AS user_agent,
    "region" AS region,
    's3.amazonaws.com' AS service,
    "bucket" AS resource,
    "bucket" AS source_scope
FROM raw
WHERE "operation" NOT LIKE 'S3.%'
