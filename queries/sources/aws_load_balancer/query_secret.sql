-- aws_load_balancer, further row: the secret in the query string of a request that
-- presents another credential too.
SELECT
    query_secret("url", '1') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret("url", '1') IS NOT NULL AND "url" LIKE '%?%' AND "connection" IS NULL
