-- aws_load_balancer: requests to load balancers, and their TLS connections.
--
-- Shows: in connection logs, which client certificate (serial and subject)
-- opened a connection, or why it was refused; in access logs, requests with
-- their status, and a raw key where a client put one into the query string.
--
-- Cannot show: credentials in headers; which requests came over a connection
-- (the trace id of both logs tells, but rows are read one by one).
--
-- Choices: Statuses mean what `http_outcome` says. A connection whose
-- certificate was verified is a use: it stands for all requests that follow on
-- it. One without a certificate is skipped. Trace ids of requests can be chosen
-- by clients and are no id; a connection's id is.
SELECT
    "connection" AS native_uid,
    parse_time("time") AS event_time,
    CASE WHEN "connection" IS NOT NULL THEN 'auth' ELSE 'upstream' END AS category,
    CASE
        WHEN "connection" IS NOT NULL THEN 'mutual TLS'
        WHEN "method" <> '-' THEN "method"
    END AS action,
    CASE
        WHEN "verified" IS NOT NULL THEN CASE
            WHEN "verified" = 'Success' THEN 'success'
            WHEN "verified" LIKE '%ProcessingError' THEN 'error'
            WHEN "verified" LIKE 'Failed:ClientCert%' THEN 'rejected'
            ELSE 'unknown'
        END
        ELSE http_outcome("status")
    END AS outcome,
    CASE
        WHEN "verified" LIKE 'Failed:%' THEN substr("verified", 8)
        WHEN "error_reason" <> '-' THEN "error_reason"
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' THEN "status"
    END AS reason,
    CASE
        WHEN "verified" IS NOT NULL THEN CASE
            WHEN "verified" = 'Failed:ClientCertExpired' THEN 'expired'
            WHEN "verified" = 'Failed:ClientCertCrlHit' THEN 'revoked'
            WHEN "verified" LIKE '%ProcessingError' THEN 'backend_fault'
            WHEN "verified" LIKE 'Failed:ClientCert%' THEN 'wrong_credential'
        END
        ELSE http_reason_class("status")
    END AS reason_class,
    CASE
        WHEN "connection" IS NOT NULL THEN "serial"
        WHEN "url" LIKE '%?%' THEN query_secret("url", '1')
    END AS credential_value,
    CASE WHEN "connection" IS NOT NULL THEN 'x509_serial' ELSE 'secret_value' END AS credential_kind,
    NULLIF("subject", '-') AS principal,
    NULLIF("client", '-') AS source_ip,
    NULLIF(NULLIF("user_agent", '-'), '') AS user_agent,
    -- Delivered files are named after account, region and balancer, whose id has
    -- dots there.
    CASE
        WHEN "account" IS NOT NULL THEN "account"
        WHEN "_file_name" ~ '\d{12}_elasticloadbalancing_[^_]+_[^_]+_'
            THEN regexp_replace("_file_name", '^.*?(\d{12})_elasticloadbalancing_([^_]+)_([^_]+)_.*$', '\1')
    END AS account,
    CASE
        WHEN "region" IS NOT NULL THEN "region"
        WHEN "_file_name" ~ '\d{12}_elasticloadbalancing_[^_]+_[^_]+_'
            THEN regexp_replace("_file_name", '^.*?(\d{12})_elasticloadbalancing_([^_]+)_([^_]+)_.*$', '\2')
    END AS region,
    CASE
        WHEN "url" LIKE '%://%' THEN NULLIF(regexp_replace("url", '^\w+://(\[[^\]]*\]|[^/:?]*).*$', '\1'), '')
    END AS service,
    -- The path, or the port of the listener.
    CASE
        WHEN "connection" IS NOT NULL THEN "port"
        WHEN "url" LIKE '%://%' THEN regexp_replace(split_part(split_part("url", '?', 1), '#', 1), '^\w+://[^/]*', '')
    END AS resource,
    CASE
        WHEN "balancer" IS NOT NULL THEN "balancer"
        WHEN "_file_name" ~ '\d{12}_elasticloadbalancing_[^_]+_[^_]+_'
            THEN replace(regexp_replace(
                "_file_name", '^.*?(\d{12})_elasticloadbalancing_([^_]+)_([^_]+)_.*$', '\3'), '.', '/')
    END AS source_scope
FROM raw
WHERE "balancer" IS NOT NULL OR "serial" <> '-' OR "verified" <> '-'
