-- cloudflare_http, further row: the client certificate of a request that presents
-- another credential too.
SELECT
    "ClientMTLSAuthCertFingerprint" AS credential_value,
    'x509_sha256' AS credential_kind
FROM raw
WHERE "ClientMTLSAuthCertFingerprint" <> ''
