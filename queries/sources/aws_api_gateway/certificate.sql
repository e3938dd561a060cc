-- aws_api_gateway, further row: the client certificate of a request that presents
-- another credential too.
SELECT
    "certificate_serial" AS credential_value,
    'x509_serial' AS credential_kind
FROM raw
WHERE "certificate_serial" IS NOT NULL AND (
    "api_key" IS NOT NULL OR "api_key_id" IS NOT NULL OR "access_key" IS NOT NULL OR "token_id" IS NOT NULL)
