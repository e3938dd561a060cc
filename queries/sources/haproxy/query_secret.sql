-- haproxy, further row: the secret in the query string of a request that
-- presents another credential too.
SELECT
    query_secret(replace("uri", '#', '%'), '1') AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE query_secret(replace("uri", '#', '%'), '1') IS NOT NULL AND "uri" LIKE '%?%' AND "version" IS NOT NULL
