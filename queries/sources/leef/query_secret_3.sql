-- leef, further row: the third secret in the query string.
SELECT
    query_secret("url", '3') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret("url", '3') IS NOT NULL
