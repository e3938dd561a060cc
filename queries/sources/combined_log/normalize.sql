-- combined_log: requests in the common or combined format.
--
-- Shows: the user of HTTP authentication, and a raw key where a client put one
-- into the query string; from where, to which path, and how it ended.
--
-- Cannot show: the credential in every other case. A user is not a version of
-- his password: such rows name who, never what.
--
-- Choices: Statuses mean what `http_outcome` says; that of a failure is the
-- reason. Apache says that the user of a 401 may be bogus; nginx logs a user
-- that nobody checked. Both are shown as principals, as the log escapes them:
-- `\x22` or `\"` for a quote, `\xc3\xbc` for what is not ASCII.
-- A user name that looks like a random key is one, and never the principal: some
-- services take the key as the user name of Basic authentication.
-- There is no native id: the same line at the same place of the same file is
-- the same event.
SELECT
    parse_time("time") AS event_time,
    "method" AS action,
    http_outcome("status") AS outcome,
    CASE WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status" END AS reason,
    http_reason_class("status") AS reason_class,
    CASE WHEN "uri" LIKE '%?%' THEN query_secret("uri", '1') END AS credential_value,
    'secret_value' AS credential_kind,
    CASE WHEN "user" NOT IN ('-', '', '""') THEN user_name("user") END AS principal,
    -- A list of forwarded addresses begins with the client.
    CASE WHEN "client" NOT IN ('-', 'unix:') THEN btrim(split_part("client", ',', 1)) END AS source_ip,
    NULLIF(NULLIF("user_agent", '-'), '') AS user_agent,
    regexp_replace("vhost", ':\d+$', '') AS service,
    CASE
        WHEN "uri" LIKE 'http%://%' THEN regexp_replace(split_part(split_part("uri", '?', 1), '#', 1), '^\w+://[^/]*', '')
        ELSE split_part(split_part("uri", '?', 1), '#', 1)
    END AS resource
FROM raw
