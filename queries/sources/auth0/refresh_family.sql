-- auth0, further row: the refresh token of an exchange whose client
-- signed or presented a certificate.
SELECT
    "details.familyId" AS credential_value,
    'auth0_refresh_family' AS credential_kind
FROM raw
WHERE "details.familyId" <> ''
    AND ("jti" IS NOT NULL OR "mtls_thumbprint_sha256" IS NOT NULL OR "kid" IS NOT NULL)
