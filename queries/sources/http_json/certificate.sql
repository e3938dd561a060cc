-- http_json, further row: the client certificate of a request that presents
-- another credential too.
SELECT
    COALESCE(
        NULLIF(NULLIF("certificate_sha256", ''), '-'),
        NULLIF(NULLIF("certificate_sha1", ''), '-'),
        NULLIF(NULLIF("certificate_serial", ''), '-'),
        "certificate_serial_decimal") AS credential_value,
    CASE
        WHEN "certificate_sha256" NOT IN ('', '-') THEN 'x509_sha256'
        WHEN "certificate_sha1" NOT IN ('', '-') THEN 'x509_sha1'
        WHEN "certificate_serial" NOT IN ('', '-') THEN 'x509_serial'
        ELSE 'x509_serial_decimal'
    END AS credential_kind
FROM raw
WHERE "certificate_sha256" IS NOT NULL OR "certificate_sha1" IS NOT NULL
    OR "certificate_serial" IS NOT NULL OR "certificate_serial_decimal" IS NOT NULL
