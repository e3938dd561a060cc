-- ocsf, further row: the client certificate of a login that names another
-- credential too.
SELECT
    COALESCE(NULLIF("certificate_sha256", ''), "certificate_serial") AS credential_value,
    CASE WHEN "certificate_sha256" <> '' THEN 'x509_sha256' ELSE 'x509_serial' END AS credential_kind,
    CASE WHEN COALESCE("certificate_sha256", '') = '' THEN "certificate_issuer" END AS credential_scope
FROM raw
WHERE "class_uid" = '3002' AND ("certificate_sha256" IS NOT NULL OR "certificate_serial" IS NOT NULL)
