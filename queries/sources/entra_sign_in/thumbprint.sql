-- entra_sign_in, further row: the thumbprint of the certificate whose key id is
-- logged too: whoever knows it so finds its use here.
SELECT
    "thumbprint" AS credential_value,
    'x509_sha1' AS credential_kind
FROM raw
WHERE "thumbprint" <> '' AND "key_id" <> ''
