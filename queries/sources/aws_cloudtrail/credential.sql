-- aws_cloudtrail, further row: the bearer token or other credential that is named
-- beside an access key.
SELECT
    "userIdentity.credentialId" AS credential_value,
    'aws_credential_id' AS credential_kind,
    '' AS credential_scope
FROM raw
WHERE "userIdentity.credentialId" IS NOT NULL AND "userIdentity.accessKeyId" <> ''
