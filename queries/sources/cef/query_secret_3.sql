-- cef, further row: the third secret in the query string.
SELECT
    query_secret("extension.request", '3') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret("extension.request", '3') IS NOT NULL
