-- github_audit, further row: the id of the token whose hash is logged too. GitHub
-- lists tokens by their ids: whoever knows a token so finds its use here.
SELECT
    "token_id" AS credential_value,
    'github_token_id' AS credential_kind
FROM raw
WHERE "token_id" IS NOT NULL AND "hashed_token" IS NOT NULL
