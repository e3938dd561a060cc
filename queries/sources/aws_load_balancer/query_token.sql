-- aws_load_balancer, further row: the token in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter("url", 'access_token'), ''),
        NULLIF(query_parameter("url", 'token'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "connection" IS NULL AND "url" LIKE '%?%token=%'
