-- http_json, further row: the third secret in the query string.
SELECT
    query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, '3') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, '3') IS NOT NULL
