-- http_json, further row: the API key in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, 'api_key'), ''),
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, 'apikey'), ''),
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, 'key'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "uri" LIKE '%key=%' OR "query" LIKE '%key=%'
