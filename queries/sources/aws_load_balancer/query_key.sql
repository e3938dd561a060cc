-- aws_load_balancer, further row: the API key in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter("url", 'api_key'), ''),
        NULLIF(query_parameter("url", 'apikey'), ''),
        NULLIF(query_parameter("url", 'key'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "connection" IS NULL AND "url" LIKE '%?%key=%'
