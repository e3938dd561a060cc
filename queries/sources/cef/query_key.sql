-- cef, further row: the API key in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter("extension.request", 'api_key'), ''),
        NULLIF(query_parameter("extension.request", 'apikey'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "extension.request" LIKE '%key=%'
