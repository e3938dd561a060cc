-- haproxy, further row: the token in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter(replace("uri", '#', '%'), 'access_token'), ''),
        NULLIF(query_parameter(replace("uri", '#', '%'), 'private_token'), ''),
        NULLIF(query_parameter(replace("uri", '#', '%'), 'token'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "uri" LIKE '%?%token=%' AND "version" IS NOT NULL
