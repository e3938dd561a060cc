-- leef, further row: the second secret in the query string.
-- Each different one is a use of its own: an API key and a token, or an old value beside a new one.
SELECT
    query_secret("url", '2') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret("url", '2') IS NOT NULL
