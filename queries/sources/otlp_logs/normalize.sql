-- otlp_logs: log records of OpenTelemetry that describe a request.
--
-- Shows: the raw credential of a request where its headers were captured as
-- attributes (`http.request.header.authorization`, `....x-api-key`) or its
-- query string holds one, fingerprinted at once; who sent it, to which
-- service, and how it ended.
--
-- Cannot show: what the body of a record says; credentials that no attribute
-- holds: the user alone is named then (`principal`).
--
-- Choices: A record counts if it names a credential, or the method, status or
-- address of a request; all others are skipped, a user's name alone is none.
-- The conventions use the same names on both sides of a call. `url.full` is
-- of the caller, who is then the workload, and `server.address` the service;
-- with `url.path` or `client.address` the record is the server's, and so is
-- the resource. 401, 407 and gRPC's UNAUTHENTICATED refused the credential;
-- 403 and PERMISSION_DENIED knew it; without a status it counts as a use.
-- A service without a name calls itself `unknown_service`: no name.
SELECT
    NULLIF("uid", '') AS native_uid,
    COALESCE(parse_time(NULLIF("timeUnixNano", '0')), parse_time(NULLIF("observedTimeUnixNano", '0'))) AS event_time,
    parse_time(NULLIF("observedTimeUnixNano", '0')) AS observed_time,
    COALESCE("method", NULLIF("event_name", '')) AS action,
    CASE
        WHEN "status" IN ('401', '407') OR "grpc_status" IN ('16', 'UNAUTHENTICATED') THEN 'rejected'
        WHEN "status" = '403' OR "grpc_status" IN ('7', 'PERMISSION_DENIED') THEN 'denied'
        WHEN "status" LIKE '5__' OR "grpc_status" IN ('2', '13', '14', '15', 'UNKNOWN', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS')
            THEN 'error'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status"
        WHEN "grpc_status" NOT IN ('0', 'OK') THEN "grpc_status"
        WHEN "status" IS NULL AND "grpc_status" IS NULL THEN "error"
    END AS reason,
    CASE
        WHEN "status" IN ('401', '407') OR "grpc_status" IN ('16', 'UNAUTHENTICATED') THEN 'wrong_credential'
        WHEN "status" = '403' OR "grpc_status" IN ('7', 'PERMISSION_DENIED') THEN 'not_allowed'
        WHEN "status" = '429' OR "grpc_status" IN ('8', 'RESOURCE_EXHAUSTED') THEN 'throttled'
        WHEN "status" LIKE '5__' OR "grpc_status" IN ('2', '13', '14', '15', 'UNKNOWN', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS')
            THEN 'backend_fault'
        WHEN "status" LIKE '4__' OR "grpc_status" NOT IN ('0', 'OK') THEN 'request'
    END AS reason_class,

    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_value("authorization")
        WHEN "api_key" <> '' THEN "api_key"
        ELSE query_secret(COALESCE("url", "query"), '1')
    END AS credential_value,
    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_kind("authorization")
        ELSE 'secret_value'
    END AS credential_kind,

    COALESCE(authorization_user("authorization"), NULLIF("user", '')) AS principal,
    CASE
        WHEN "url" IS NULL OR "client" IS NOT NULL OR "service" LIKE 'unknown_service%' THEN NULL
        WHEN "namespace" IS NOT NULL AND "service" IS NOT NULL THEN concat("namespace", '/', "service")
        ELSE "service"
    END AS workload,
    CASE
        WHEN "url" IS NULL OR "client" IS NOT NULL OR "service" LIKE 'unknown_service%' OR "service" IS NULL THEN NULL
        ELSE 'resource.service.name'
    END AS workload_evidence,
    CASE WHEN "url" IS NOT NULL AND "client" IS NULL THEN "instance" END AS instance,
    "client" AS source_ip,
    "user_agent" AS user_agent,
    "account" AS account,
    "region" AS region,
    "environment" AS environment,
    CASE
        WHEN "url" IS NOT NULL AND "client" IS NULL
            THEN COALESCE("server", NULLIF(regexp_replace("url", '^\w+://(?:[^/@]*@)?([^/:?#]+).*$', '\1'), "url"))
        WHEN "service" NOT LIKE 'unknown_service%' THEN "service"
    END AS service,
    CASE
        WHEN "path" IS NOT NULL THEN split_part("path", '?', 1)
        ELSE regexp_replace(split_part(split_part("url", '?', 1), '#', 1), '^\w+://[^/]*', '')
    END AS resource,
    CASE WHEN "service" NOT LIKE 'unknown_service%' THEN "service" END AS source_scope
FROM raw
WHERE "method" IS NOT NULL OR "status" IS NOT NULL OR "grpc_status" IS NOT NULL OR "url" IS NOT NULL
    OR "authorization" IS NOT NULL OR "api_key" IS NOT NULL
