-- http_json, further row: the serial number of a client certificate whose
-- fingerprint is logged too: whoever knows it by its number finds its use here.
SELECT
    "certificate_serial" AS credential_value,
    'x509_serial' AS credential_kind
FROM raw
WHERE "certificate_serial" IS NOT NULL
    AND ("certificate_sha256" IS NOT NULL OR "certificate_sha1" IS NOT NULL)
