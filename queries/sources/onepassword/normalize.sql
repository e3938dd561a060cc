-- onepassword: item usages, sign-in attempts and audit events of 1Password.
--
-- Shows: who read which version of which item (`VAULT/ITEM`), and with which
-- client; sign-ins and why they failed; service account tokens made and
-- revoked, by their id.
--
-- Cannot show: the credential that signed in or fetched (`principal`); the
-- version that an update made; service account tokens at work, which act as
-- the service account.
--
-- Choices: Every use of an item but its making and its updates is a read,
-- also where only its editor was opened: the value was in reach. The version
-- that an update names may be the old or the new one, so it changes no state;
-- an item just made is `current`. A sign-in that failed for the password, the
-- second factor or SSO is `rejected`; for the firewall or an old client it is
-- `denied`; a failure of an unknown kind is `unknown`.
SELECT
    NULLIF("uuid", '') AS native_uid,
    parse_time("timestamp") AS event_time,
    CASE
        WHEN "item_uuid" IS NOT NULL THEN CASE
            WHEN "action" IN ('server-create', 'server-update') THEN 'lifecycle'
            ELSE 'secret_read'
        END
        WHEN "target_user.uuid" IS NOT NULL THEN 'auth'
        WHEN "object_type" LIKE '%token%' OR "action" IN ('trevoke', 'trename', 'tverify') THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "word" AS action,
    CASE
        WHEN "target_user.uuid" IS NULL OR "category" IN ('success', 'firewall_reported_success') THEN 'success'
        WHEN "category" IN ('credentials_failed', 'mfa_failed', 'sso_failed') THEN 'rejected'
        WHEN "category" LIKE 'firewall%' OR "category" LIKE 'modern\_version%' THEN 'denied'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "target_user.uuid" IS NULL OR "category" IN ('success', 'firewall_reported_success') THEN NULL
        ELSE "type"
    END AS reason,
    CASE
        WHEN "category" IN ('credentials_failed', 'mfa_failed', 'sso_failed') THEN 'wrong_credential'
        WHEN "category" = 'firewall_failed' OR "category" LIKE 'modern\_version%' THEN 'not_allowed'
    END AS reason_class,

    CASE
        WHEN "item_uuid" <> '' THEN concat_ws('/', "vault_uuid", "item_uuid")
        WHEN ("object_type" LIKE '%token%' OR "action" IN ('trevoke', 'trename', 'tverify')) AND "object_uuid" <> ''
            THEN concat('service_account_token/', "object_uuid")
    END AS target_secret_id,
    CASE
        WHEN "item_uuid" <> '' THEN NULLIF("used_version", '0')
        WHEN "object_type" LIKE '%token%' OR "action" IN ('trevoke', 'trename', 'tverify') THEN NULLIF("object_uuid", '')
    END AS target_version,
    CASE WHEN "item_uuid" <> '' AND "used_version" <> '0' THEN 'used_version' END AS version_evidence,
    CASE
        WHEN "object_type" LIKE '%token%' OR "action" IN ('trevoke', 'trename', 'tverify') THEN "object_uuid"
    END AS target_credential_value,
    'api_key_id' AS target_credential_kind,
    CASE
        WHEN "action" = 'server-create' THEN CASE WHEN "used_version" <> '0' THEN 'current' END
        WHEN "action" = 'trevoke' THEN 'revoked'
        WHEN "object_type" LIKE '%token%' THEN CASE
            WHEN "action" = 'create' THEN 'active'
            WHEN "action" IN ('revoke', 'delete', 'purge', 'expire') THEN 'revoked'
        END
    END AS target_state,

    NULLIF("who", '') AS principal,
    "session.device_uuid" AS instance,
    NULLIF("ip", '') AS source_ip,
    CASE
        WHEN "client.app_version" <> '' THEN concat("client.app_name", '/', "client.app_version")
        ELSE NULLIF("client.app_name", '')
    END AS user_agent,
    "account_uuid" AS account,
    COALESCE("object_type", "vault_uuid") AS resource,
    "account_uuid" AS source_scope
FROM raw
WHERE "item_uuid" IS NOT NULL OR "target_user.uuid" IS NOT NULL OR "object_type" IS NOT NULL
