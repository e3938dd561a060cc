-- aws_api_gateway, further row: the access key that signed a request which has an
-- API key too.
SELECT
    "access_key" AS credential_value,
    'aws_access_key_id' AS credential_kind
FROM raw
WHERE "access_key" ~ '^A[KS]IA[A-Z0-9]+$' AND ("api_key" IS NOT NULL OR "api_key_id" IS NOT NULL)
