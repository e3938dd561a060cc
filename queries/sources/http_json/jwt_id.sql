-- http_json, further row: the id of the token, beside a credential that is
-- logged itself, or an API key. It may be that same token by its other name.
SELECT
    "jwt_id" AS credential_value,
    'jwt_id' AS credential_kind
FROM raw
WHERE "jwt_id" IS NOT NULL AND ("authorization" IS NOT NULL OR "api_key" IS NOT NULL OR "api_key_id" IS NOT NULL)
