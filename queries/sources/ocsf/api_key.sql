-- ocsf, further row: the API key in a header of a request that has an
-- authorization header too.
SELECT
    "api_key" AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "api_key" IS NOT NULL AND "authorization" IS NOT NULL
