-- combined_log: requests in the common or combined format.
--
-- Shows: the user of HTTP authentication, and a raw key where a client put one
-- into the query string; from where, to which path, and how it ended.
--
-- Cannot show: the credential in every other case. A user is not a version of
-- his password: such rows name who, never what.
--
-- Choices: Statuses as in http_json: 401 and 407 refused (`rejected`), 403
-- authenticated and not allowed (`denied`), 5xx a fault, and any other 4xx a
-- use, with the status as the reason: it may have come before or after
-- authentication. Apache says that the user of a 401 may be bogus; nginx logs a
-- user that nobody checked. Both are shown as principals, as the log escapes
-- them: `\x22` or `\"` for a quote, `\xc3\xbc` for what is not ASCII.
-- There is no native id: the same line at the same place of the same file is
-- the same event.
SELECT
    parse_time("time") AS event_time,
    "method" AS action,
    CASE
        WHEN "status" = '401' OR "status" = '407' THEN 'rejected'
        WHEN "status" = '403' THEN 'denied'
        WHEN "status" LIKE '5%' THEN 'error'
        WHEN "status" LIKE '2%' OR "status" LIKE '3%' OR "status" LIKE '4%' OR "status" = '101' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status" END AS reason,
    CASE
        WHEN "status" = '401' OR "status" = '407' THEN 'wrong_credential'
        WHEN "status" = '403' THEN 'not_allowed'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" LIKE '4__' THEN 'request'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
    END AS reason_class,
    CASE WHEN "uri" LIKE '%?%' THEN COALESCE(
        NULLIF(query_parameter("uri", 'api_key'), ''),
        NULLIF(query_parameter("uri", 'apikey'), ''),
        NULLIF(query_parameter("uri", 'access_token'), ''),
        NULLIF(query_parameter("uri", 'private_token'), ''),
        NULLIF(query_parameter("uri", 'token'), ''),
        query_parameter("uri", 'key')) END AS credential_value,
    'secret_value' AS credential_kind,
    CASE WHEN "user" NOT IN ('-', '', '""') THEN "user" END AS principal,
    -- A list of forwarded addresses begins with the client.
    CASE WHEN "client" NOT IN ('-', 'unix:') THEN btrim(split_part("client", ',', 1)) END AS source_ip,
    NULLIF(NULLIF("user_agent", '-'), '') AS user_agent,
    regexp_replace("vhost", ':\d+$', '') AS service,
    CASE
        WHEN "uri" LIKE 'http%://%' THEN regexp_replace(split_part(split_part("uri", '?', 1), '#', 1), '^\w+://[^/]*', '')
        ELSE split_part(split_part("uri", '?', 1), '#', 1)
    END AS resource
FROM raw
