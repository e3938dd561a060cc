-- aws_api_gateway, further row: the id of the API key, where the key itself is logged
-- too: whoever knows the key by its id finds its use here.
SELECT
    "api_key_id" AS credential_value,
    'api_key_id' AS credential_kind
FROM raw
WHERE "api_key_id" IS NOT NULL AND "api_key" IS NOT NULL
