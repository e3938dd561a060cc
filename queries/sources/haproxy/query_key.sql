-- haproxy, further row: the API key in the query string of a request that
-- presents another credential too.
SELECT
    COALESCE(
        NULLIF(query_parameter(replace("uri", '#', '%'), 'api_key'), ''),
        NULLIF(query_parameter(replace("uri", '#', '%'), 'apikey'), ''),
        NULLIF(query_parameter(replace("uri", '#', '%'), 'key'), '')) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE "uri" LIKE '%?%key=%' AND "version" IS NOT NULL
