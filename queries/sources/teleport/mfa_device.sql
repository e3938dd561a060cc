-- teleport, further row: the MFA device that confirmed what a bot's instance
-- did.
SELECT
    "mfa_device" AS credential_value,
    'teleport_mfa_device' AS credential_kind,
    "cluster_name" AS credential_scope
FROM raw
WHERE "mfa_device" IS NOT NULL AND "bot_instance" <> ''
