-- combined_log, further row: a key that came as the user name of Basic authentication,
-- whose password may be there too.
SELECT
    user_secret("user") AS credential_value,
    'secret_value' AS credential_kind
FROM raw
WHERE user_secret("user") IS NOT NULL
