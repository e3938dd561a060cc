-- vault_audit, further row: the accessor of the token, where the device logs it in
-- the clear: whoever knows the token so finds its use here.
--
-- Choices: On a login the accessor is the new token's, which is not a use.
-- Accessors that are hashed are left out: no list of tokens has them so.
SELECT
    "accessor" AS credential_value,
    'vault_accessor' AS credential_kind
FROM raw
WHERE "accessor" NOT LIKE 'hmac-sha256:%' AND "token" IS NOT NULL
    AND NOT ("request.path" LIKE 'auth/%' AND ("request.path" LIKE '%/login' OR "request.path" LIKE '%/login/%')
        AND "request.path" NOT LIKE '%/role/%')
