-- ocsf, further row: the credential of the user, beside a header or a token.
--
-- Choices: Beside the credential of a session it is left out: it may be the one
-- that the session was obtained with, and was not presented then.
SELECT
    "user_credential" AS credential_value,
    CASE WHEN "user_credential" ~ '^A(KIA|SIA)[A-Z0-9]{12,}$' THEN 'aws_access_key_id' ELSE 'api_key_id' END AS credential_kind
FROM raw
WHERE "user_credential" IS NOT NULL AND COALESCE("session_credential", '') = ''
    AND ("authorization" IS NOT NULL OR "api_key" IS NOT NULL OR "token" IS NOT NULL)
