-- keycloak, further row: who acted as another user, in an exchange for a token of
-- that user or from the administrators' console: it was with a credential of
-- theirs, the log does not say which.
SELECT
    "impersonator" AS principal
FROM raw
WHERE "impersonator" NOT IN ('', 'null')
