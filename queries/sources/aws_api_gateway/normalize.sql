-- aws_api_gateway: requests to stages of Amazon API Gateway.
--
-- Shows: which API key came (by its id, or raw and fingerprinted where the
-- format logs it), or which access key, token or client certificate the format
-- names; who signed; to which route, and how it ended.
--
-- Cannot show: what the format leaves out, which in AWS's own examples is
-- every credential; headers, since no variable holds them.
--
-- Choices: 401 refused (`rejected`), 403 knew who it
-- was and did not allow (`denied`), 5xx a fault, any other 4xx a use with its
-- status as the reason. Where the format names why the gateway itself answered
-- (`$context.error.responseType`), that decides: 403 is also its answer to an
-- unknown API key, a wrong signature and an expired token. A key over its
-- quota was known: a use. `-` stands for what is missing.
-- Of several credentials the first row has the API key before a signature, since
-- it is what a usage plan counts, and a client certificate last, since it is
-- checked for the connection; the others have further rows. What
-- stands as access key is one only if it looks like one: AWS does not document
-- `$context.identity.accessKey`.
-- Clients may choose `requestId`: two records are one event only where the id,
-- the time and what the log says of the request and its credentials are the same.
-- A connection over WebSocket is its `$connect`; each message is a use too.
SELECT
    CASE WHEN "request_id" NOT IN ('', '-') THEN concat("request_id", ' ', "time", chr(31), concat_ws(chr(31),
        "method", "route", "domain", "status", "ip", "user_agent", "api_key", "api_key_id", "access_key", "token_id",
        "certificate_serial", "user_arn", "caller", "authorizer_principal", "subject")) END AS native_uid,
    parse_time("time") AS event_time,
    -- Routes of HTTP APIs begin with their method.
    CASE
        WHEN "method" <> '-' THEN "method"
        WHEN "route" ~ '^[A-Z]+ /' THEN split_part("route", ' ', 1)
    END AS action,
    CASE
        WHEN "response_type" IN ('INVALID_API_KEY', 'INVALID_SIGNATURE', 'EXPIRED_TOKEN', 'MISSING_AUTHENTICATION_TOKEN', 'UNAUTHORIZED')
            THEN 'rejected'
        WHEN "response_type" IN ('ACCESS_DENIED', 'WAF_FILTERED') THEN 'denied'
        WHEN "response_type" LIKE 'AUTHORIZER_%' OR "response_type" LIKE 'INTEGRATION_%' THEN 'error'
        WHEN "status" = '401' THEN 'rejected'
        WHEN "status" = '403' THEN 'denied'
        WHEN character_length("status") <> 3 THEN 'unknown'
        WHEN "status" LIKE '5%' THEN 'error'
        WHEN "status" LIKE '1%' OR "status" LIKE '2%' OR "status" LIKE '3%' OR "status" LIKE '4%' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "response_type" NOT IN ('', '-') THEN "response_type"
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status"
    END AS reason,
    CASE
        WHEN "response_type" = 'EXPIRED_TOKEN' THEN 'expired'
        WHEN "response_type" IN ('INVALID_API_KEY', 'INVALID_SIGNATURE', 'MISSING_AUTHENTICATION_TOKEN', 'UNAUTHORIZED')
            THEN 'wrong_credential'
        WHEN "response_type" IN ('ACCESS_DENIED', 'WAF_FILTERED') THEN 'not_allowed'
        WHEN "response_type" LIKE 'AUTHORIZER_%' OR "response_type" LIKE 'INTEGRATION_%' THEN 'backend_fault'
        WHEN "status" = '401' THEN 'wrong_credential'
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" LIKE '4__' THEN 'request'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
    END AS reason_class,

    CASE
        WHEN "api_key" NOT IN ('', '-') AND "api_key" NOT LIKE '*%' THEN "api_key"
        WHEN "api_key_id" NOT IN ('', '-') THEN "api_key_id"
        WHEN "access_key" ~ '^A[KS]IA[A-Z0-9]+$' THEN "access_key"
        WHEN "token_id" NOT IN ('', '-') THEN "token_id"
        ELSE "certificate_serial"
    END AS credential_value,
    CASE
        WHEN "api_key" NOT IN ('', '-') AND "api_key" NOT LIKE '*%' THEN 'secret_value'
        WHEN "api_key_id" NOT IN ('', '-') THEN 'api_key_id'
        WHEN "access_key" ~ '^A[KS]IA[A-Z0-9]+$' THEN 'aws_access_key_id'
        WHEN "token_id" NOT IN ('', '-') THEN 'jwt_id'
        ELSE 'x509_serial'
    END AS credential_kind,

    COALESCE(
        NULLIF(NULLIF("user_arn", '-'), ''), NULLIF(NULLIF("caller", '-'), ''),
        NULLIF(NULLIF("authorizer_principal", '-'), ''), NULLIF(NULLIF("subject", '-'), ''),
        NULLIF(NULLIF("certificate_subject", '-'), '')) AS principal,
    NULLIF("ip", '-') AS source_ip,
    NULLIF(NULLIF("user_agent", '-'), '') AS user_agent,
    CASE WHEN "account" ~ '^\d{12}$' THEN "account" END AS account,
    CASE
        WHEN "domain" LIKE '%.execute-api.%.amazonaws.com%'
            THEN regexp_replace("domain", '^.*\.execute-api\.([^.]+)\..*$', '\1')
    END AS region,
    COALESCE(NULLIF("domain", '-'), NULLIF("api_id", '-')) AS service,
    CASE WHEN "route" <> '-' THEN regexp_replace("route", '^[A-Z]+ ', '') END AS resource,
    CASE WHEN "account" ~ '^\d{12}$' THEN "account" END AS source_scope
FROM raw
WHERE "status" IS NOT NULL
