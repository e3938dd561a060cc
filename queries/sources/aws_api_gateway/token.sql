-- aws_api_gateway, further row: the token of a request that has an API key or a
-- signature too.
SELECT
    "token_id" AS credential_value,
    'jwt_id' AS credential_kind
FROM raw
WHERE "token_id" IS NOT NULL
    AND ("api_key" IS NOT NULL OR "api_key_id" IS NOT NULL OR "access_key" IS NOT NULL)
