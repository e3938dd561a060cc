-- ocsf, further row: the credential of the session, beside a header or
-- a token.
SELECT
    "session_credential" AS credential_value,
    CASE WHEN "session_credential" ~ '^A(KIA|SIA)[A-Z0-9]{12,}$' THEN 'aws_access_key_id' ELSE 'api_key_id' END AS credential_kind
FROM raw
WHERE "session_credential" IS NOT NULL
    AND ("authorization" IS NOT NULL OR "api_key" IS NOT NULL OR "token" IS NOT NULL)
