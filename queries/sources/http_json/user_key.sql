-- http_json, further row: a key that came as the user name of Basic authentication,
-- whose password may be there too.
SELECT
    COALESCE(authorization_user_secret("authorization"), user_secret("user")) AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE authorization_user_secret("authorization") IS NOT NULL OR user_secret("user") IS NOT NULL
