-- http_json, further row: the token in a header of its own, beside an
-- authorization header or an API key.
SELECT
    NULLIF("auth_token", '[]') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "auth_token" IS NOT NULL AND ("authorization" IS NOT NULL OR "api_key" IS NOT NULL)
