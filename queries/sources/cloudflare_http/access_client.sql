-- cloudflare_http, further row: the service token of Cloudflare Access, which let
-- a request through that presents another credential to the origin.
SELECT
    "access_client_id" AS credential_value,
    'api_key_id' AS credential_kind
FROM raw
WHERE "access_client_id" IS NOT NULL AND ("authorization" IS NOT NULL OR "api_key" IS NOT NULL)
