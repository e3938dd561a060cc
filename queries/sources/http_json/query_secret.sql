-- http_json, further row: the secret in the query string of a request that
-- presents another credential too.
SELECT
    query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, '1') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret(CASE WHEN "uri" LIKE '%?%' THEN "uri" ELSE NULLIF("query", '-') END, '1') IS NOT NULL
