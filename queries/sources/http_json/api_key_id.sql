-- http_json, further row: the id of the API key, beside a credential that is
-- logged itself. It may be that same key by its other name: whoever knows the
-- key by its id finds its use here.
SELECT
    "api_key_id" AS credential_value,
    'api_key_id' AS credential_kind
FROM raw
WHERE "api_key_id" IS NOT NULL AND ("authorization" IS NOT NULL OR "api_key" IS NOT NULL)
