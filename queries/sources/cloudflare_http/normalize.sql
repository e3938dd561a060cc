-- cloudflare_http: requests to zones on Cloudflare (dataset http_requests).
--
-- Shows: the client certificate of mutual TLS by its SHA-256, and whether it
-- was accepted; keys in query strings; and, where custom fields log them, the
-- headers that hold a credential, which are fingerprinted at once.
--
-- Cannot show: headers that the job does not log, and what the origin thought
-- of a request beyond its status.
--
-- Choices: Statuses mean what `http_outcome` says. A 403 with a certificate
-- that was not accepted refused the certificate. A request that a rule blocked
-- names the rule's action as its reason; its credential was not judged:
-- `denied`.
-- A certificate stands in a further row where a header or the query names a
-- credential. Where its check failed and the request was let through, it is a
-- use.
-- Ray ids are Cloudflare's own: one per request, also of Workers' subrequests.
SELECT
    NULLIF("RayID", '') AS native_uid,
    parse_time("EdgeStartTimestamp") AS event_time,
    "ClientRequestMethod" AS action,
    CASE
        WHEN "EdgeResponseStatus" = '403' AND "ClientMTLSAuthStatus" IN ('untrusted', 'notyetvalid', 'expired', 'revoked')
            THEN 'rejected'
        ELSE http_outcome("EdgeResponseStatus")
    END AS outcome,
    CASE
        WHEN "ClientMTLSAuthStatus" IN ('untrusted', 'notyetvalid', 'expired', 'revoked')
            THEN concat('client certificate ', "ClientMTLSAuthStatus")
        WHEN "EdgeResponseStatus" = '403' AND "action_taken" NOT IN ('', 'unknown', 'allow', 'log', 'skip') THEN "action_taken"
        WHEN "EdgeResponseStatus" LIKE '4__' OR "EdgeResponseStatus" LIKE '5__' THEN "EdgeResponseStatus"
    END AS reason,
    CASE
        WHEN "EdgeResponseStatus" = '403' AND "ClientMTLSAuthStatus" = 'expired' THEN 'expired'
        WHEN "EdgeResponseStatus" = '403' AND "ClientMTLSAuthStatus" = 'revoked' THEN 'revoked'
        WHEN "EdgeResponseStatus" = '403' AND "ClientMTLSAuthStatus" IN ('untrusted', 'notyetvalid') THEN 'wrong_credential'
        ELSE http_reason_class("EdgeResponseStatus")
    END AS reason_class,

    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_value("authorization")
        WHEN "api_key" <> '' THEN "api_key"
        WHEN "access_client_id" <> '' THEN "access_client_id"
        ELSE COALESCE(
            query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" END, '1'),
            NULLIF("ClientMTLSAuthCertFingerprint", ''))
    END AS credential_value,
    CASE
        WHEN authorization_value("authorization") IS NOT NULL THEN authorization_kind("authorization")
        WHEN "api_key" <> '' THEN 'secret_value'
        WHEN "access_client_id" <> '' THEN 'api_key_id'
        WHEN query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" END, '1') IS NOT NULL THEN 'secret_value'
        ELSE 'x509_sha256'
    END AS credential_kind,

    authorization_user("authorization") AS principal,
    NULLIF("ClientIP", '') AS source_ip,
    NULLIF("ClientRequestUserAgent", '') AS user_agent,
    NULLIF("ClientRequestHost", '') AS service,
    split_part(split_part("path", '?', 1), '#', 1) AS resource,
    NULLIF("zone", '') AS source_scope
FROM raw
WHERE "EdgeResponseStatus" IS NOT NULL
