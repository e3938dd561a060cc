-- cloudflare_http, further row: the second secret in the query string.
SELECT
    query_secret("uri", '2') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret("uri", '2') IS NOT NULL AND "uri" LIKE '%?%'
