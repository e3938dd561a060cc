-- cloudflare_http, further row: the API key in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" END, 'api_key'), ''),
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" END, 'apikey'), ''),
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" END, 'key'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "uri" LIKE '%?%key=%'
