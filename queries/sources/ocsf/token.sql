-- ocsf, further row: the id of the token, beside a header that holds a
-- credential: that token, or another.
SELECT
    "token" AS credential_value,
    'api_key_id' AS credential_kind
FROM raw
WHERE "token" IS NOT NULL AND ("authorization" IS NOT NULL OR "api_key" IS NOT NULL)
