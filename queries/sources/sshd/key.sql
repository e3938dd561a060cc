-- sshd, further row: the key that a certificate was made for, which the client
-- holds and proved. Whoever knows the key and not the certificate finds its use
-- here.
SELECT
    "key" AS credential_value,
    'ssh_public_key' AS credential_kind,
    '' AS credential_scope
FROM raw
WHERE "certificate" IS NOT NULL AND "key" IS NOT NULL
