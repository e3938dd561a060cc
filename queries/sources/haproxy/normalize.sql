-- haproxy: requests in HAProxy's HTTP log.
--
-- Shows: a raw key where a client put one into the query string; the user of a
-- captured `Authorization: Basic` header; from where, to which path of which
-- frontend, and how it ended.
--
-- Cannot show: the credential in every other case. Captured headers are cut at
-- a length that the log does not tell, so that a captured token or password is
-- never taken for a credential: such rows name who, never what. Nor is a key
-- of a request line that was cut.
--
-- Choices: Statuses mean what `http_outcome` says; that of a failure is the
-- reason. What was no HTTP and what ended without a status (-1) is `unknown`.
-- The time is that of the request in the proxy's local time, read as UTC and
-- marked; where syslog wrote a time with its zone, that is taken, which is when
-- the request ended. A captured header of the form `product/1...` is taken for
-- the user agent. The client is the proxy's peer.
-- In a request `#` always begins an escape of HAProxy (`#22` for a quote): it
-- is read as `%`.
-- There is no native id: the same line at the same place of the same file is
-- the same event.
SELECT
    COALESCE(parse_time("logged"), parse_time("time")) AS event_time,
    CASE WHEN "logged" IS NULL THEN 'no_zone' END AS time_quality,
    "method" AS action,
    CASE WHEN "method" IS NULL THEN 'unknown' ELSE http_outcome("status") END AS outcome,
    CASE WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status" END AS reason,
    http_reason_class("status") AS reason_class,
    CASE WHEN "uri" LIKE '%?%' AND "version" IS NOT NULL THEN query_secret(replace("uri", '#', '%'), '1') END AS credential_value,
    'secret_value' AS credential_kind,
    NULLIF(authorization_user("authorization"), '') AS principal,
    CASE WHEN "client" NOT LIKE 'unix%' THEN "client" END AS source_ip,
    "user_agent" AS user_agent,
    "frontend" AS service,
    CASE
        WHEN "uri" LIKE 'http%://%' THEN regexp_replace(split_part(replace("uri", '#', '%'), '?', 1), '^\w+://[^/]*', '')
        ELSE split_part(replace("uri", '#', '%'), '?', 1)
    END AS resource,
    "host" AS source_scope
FROM raw
WHERE "status" IS NOT NULL
