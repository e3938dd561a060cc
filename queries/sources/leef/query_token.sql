-- leef, further row: the token in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter("url", 'access_token'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "url" LIKE '%token=%'
