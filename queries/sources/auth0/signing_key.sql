-- auth0, further row: the key that a client signed with, beside its
-- certificate or token.
SELECT
    "kid" AS credential_value,
    'auth0_signing_key' AS credential_kind,
    "client_id" AS credential_scope
FROM raw
WHERE "kid" <> '' AND ("jti" IS NOT NULL OR "mtls_thumbprint_sha256" IS NOT NULL)
