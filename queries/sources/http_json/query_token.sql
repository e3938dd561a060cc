-- http_json, further row: the token in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, 'access_token'), ''),
        NULLIF(query_parameter(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, 'token'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "uri" LIKE '%token=%' OR "query" LIKE '%token=%'
