-- http_json: requests through a proxy, gateway or load balancer that logs JSON.
--
-- Shows: the raw credential that came with a request (authorization header,
-- API-key header, query parameter), fingerprinted at once and stored nowhere;
-- or, where the gateway names one, the id of the API key, token or client
-- certificate; who sent it, to which host and path, and how it ended.
--
-- Cannot show: credentials that the log format leaves out or masks; what the
-- backend behind the proxy thought of a request that the proxy let pass.
--
-- Choices: Statuses mean what `http_outcome` says: any 4xx but 401, 403 and 407
-- is a use, and the status is kept as its reason.
-- A header that was emptied (Caddy writes `[]` for what it redacts) is none.
-- Caddy names a client certificate by its serial number in decimal, which is a
-- kind of its own. A request that nobody answered has status 0: `unknown`.
-- A user name that looks like a random key is one (Freshdesk, Toggl and others
-- take it so): it is never the principal.
-- A request that presents several credentials has a further row for each: the
-- files beside this one. Where a certificate was refused and the request let
-- through, or one of two credentials refused the request, the log does not say
-- which: the outcome is that of the request, for all of them.
-- Request ids travel through several hops, and clients choose them and send them
-- again when they retry: two records are one event only where the id, the time
-- as written and all that the log says of the request and its credentials are
-- the same, and only where there is an id.
SELECT
    CASE WHEN "request_id" NOT IN ('', '-') THEN concat("request_id", ' ', "time", chr(31), concat_ws(chr(31),
        "method", "host", "uri", "query", "status", "client", "user", "user_agent", "authorization", "api_key",
        "auth_token", "api_key_id", "jwt_id", "certificate_sha256", "certificate_sha1", "certificate_serial",
        "certificate_serial_decimal", "certificate_subject", "spiffe")) END AS native_uid,
    parse_time("time") AS event_time,
    "method" AS action,
    http_outcome("status") AS outcome,
    CASE WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status" END AS reason,
    http_reason_class("status") AS reason_class,

    CASE
        WHEN authorization_value(NULLIF("authorization", '[]')) IS NOT NULL THEN authorization_value(NULLIF("authorization", '[]'))
        WHEN "api_key" NOT IN ('', '-', '[]') THEN "api_key"
        WHEN "api_key_id" NOT IN ('', '-') THEN "api_key_id"
        WHEN "jwt_id" NOT IN ('', '-') THEN "jwt_id"
        ELSE COALESCE(
            query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, '1'),
            CASE WHEN "certificate_sha256" NOT IN ('', '-') THEN "certificate_sha256" END,
            CASE WHEN "certificate_sha1" NOT IN ('', '-') THEN "certificate_sha1" END,
            CASE WHEN "certificate_serial" NOT IN ('', '-') THEN "certificate_serial" END,
            "certificate_serial_decimal")
    END AS credential_value,
    CASE
        WHEN authorization_value(NULLIF("authorization", '[]')) IS NOT NULL THEN authorization_kind(NULLIF("authorization", '[]'))
        WHEN "api_key" NOT IN ('', '-', '[]') THEN 'secret_value'
        WHEN "api_key_id" NOT IN ('', '-') THEN 'api_key_id'
        WHEN "jwt_id" NOT IN ('', '-') THEN 'jwt_id'
        WHEN COALESCE("certificate_sha256", "certificate_sha1", "certificate_serial", "certificate_serial_decimal") IS NULL
            THEN 'secret_value'
        WHEN query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, '1') IS NOT NULL THEN 'secret_value'
        WHEN "certificate_sha256" NOT IN ('', '-') THEN 'x509_sha256'
        WHEN "certificate_sha1" NOT IN ('', '-') THEN 'x509_sha1'
        WHEN "certificate_serial" NOT IN ('', '-') THEN 'x509_serial'
        ELSE 'x509_serial_decimal'
    END AS credential_kind,

    COALESCE(
        authorization_user("authorization"),
        CASE WHEN "user" NOT IN ('', '-') THEN user_name("user") END,
        NULLIF("certificate_subject", '-')) AS principal,
    CASE WHEN "spiffe" LIKE 'spiffe://%' THEN "spiffe" END AS workload,
    CASE WHEN "spiffe" LIKE 'spiffe://%' THEN 'downstream_peer_uri_san' END AS workload_evidence,
    NULLIF("client", '-') AS source_ip,
    -- Log shippers keep objects of their own under these names.
    CASE WHEN "user_agent" NOT LIKE '{%' AND "user_agent" <> '-' THEN "user_agent" END AS user_agent,
    CASE WHEN "host" NOT LIKE '{%' AND "host" <> '-' THEN "host" END AS service,
    CASE
        WHEN "uri" LIKE 'http%://%' THEN regexp_replace(split_part(split_part("uri", '?', 1), '#', 1), '^\w+://[^/]*', '')
        ELSE split_part(split_part("uri", '?', 1), '#', 1)
    END AS resource
FROM raw
-- Lines of the same program that are not about a request have no status.
WHERE "status" IS NOT NULL
