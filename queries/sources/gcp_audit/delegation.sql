-- gcp_audit, further row: the identity with which a chain of delegations began,
-- where no key of it is named: one of its credentials was used, the log does
-- not say which.
SELECT
    "delegator" AS principal
FROM raw
WHERE "delegator" <> '' AND "key_name" IS NULL
