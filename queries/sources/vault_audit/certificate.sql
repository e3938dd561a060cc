-- vault_audit, further row: the client certificate of a request that presents a
-- token or a login secret too.
SELECT
    "certificate" AS credential_value,
    'x509_serial' AS credential_kind
FROM raw
WHERE "certificate" IS NOT NULL
