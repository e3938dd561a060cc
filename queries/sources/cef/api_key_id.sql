-- cef, further row: the id of the API key of a request that has an
-- authorization header too.
SELECT
    "api_key_id" AS credential_value,
    'api_key_id' AS credential_kind
FROM raw
WHERE "api_key_id" IS NOT NULL AND "authorization" IS NOT NULL
