-- aws_load_balancer, further row: the second secret in the query string.
SELECT
    query_secret("url", '2') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret("url", '2') IS NOT NULL AND "url" LIKE '%?%' AND "connection" IS NULL
