-- otlp_logs, further row: the third secret in the query string.
-- Each different one is a use of its own: an API key and a token, or an old value beside a new one.
SELECT
    query_secret(COALESCE("url", "query"), '3') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret(COALESCE("url", "query"), '3') IS NOT NULL
