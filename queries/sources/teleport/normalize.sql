-- teleport: what a Teleport cluster's auth service and agents record.
--
-- Shows: which join token let which bot or agent in, which bot instance is
-- behind every later event, certificates and SVIDs that were issued and until
-- when, logins with their MFA device, refused logins and certificates, and the
-- lives of join tokens, bots, users and MFA devices.
--
-- Cannot show: which certificate a person's session used; certificates by
-- serial number, other than SVIDs; a password.
--
-- Choices: A join by a secret token (`method` is `token`) names the token by
-- its masked name, whose last quarter tells it apart; joins by other methods
-- name a rule, which is no credential: they are known by who joined. A bot's
-- instance stands for the certificates that it renews from join to join: the
-- join issues it (`teleport_bot_instance`), what it does afterwards presents
-- it. The MFA device of a login is the credential that the event names.
-- `cert.generation_mismatch` is a bot's certificate that was already replaced:
-- `rejected`. A certificate without a right to that login is a use, `denied`.
-- The first moment of Go's calendar (year 1) stands for "never".
SELECT
    "uid" AS native_uid,
    parse_time("time") AS event_time,
    "cluster_name" AS source_scope,
    CASE
        WHEN "event" LIKE 'session.%' OR "event" = 'exec' OR "event" = 'kube.request' THEN 'upstream'
        WHEN "event" IN ('cert.create', 'bot.join', 'instance.join', 'spiffe.svid.issued', 'cert.generation_mismatch')
            THEN 'token_exchange'
        WHEN "event" IN ('user.login', 'auth', 'mfa_auth_challenge.validate', 'recovery_code.used') THEN 'auth'
        WHEN "event" LIKE 'join_token.%' OR "event" LIKE 'bot.%' OR "event" LIKE 'lock.%'
            OR "event" IN (
                'user.create', 'user.update', 'user.delete', 'user.password_change', 'mfa.add', 'mfa.delete',
                'recovery_code.generated', 'recovery_token.create', 'reset_password_token.create',
                'bot_token.create', 'privilege_token.create', 'trusted_cluster_token.create',
                'github.created', 'github.updated', 'github.deleted', 'oidc.created', 'oidc.updated',
                'oidc.deleted', 'saml.created', 'saml.updated', 'saml.deleted')
            THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "event" AS action,

    CASE
        WHEN "event" = 'cert.generation_mismatch' THEN 'rejected'
        WHEN "event" = 'session.rejected' THEN 'denied'
        WHEN "success" = 'false' THEN CASE
            WHEN "error" LIKE '%not in the set of valid principals%' OR "error" LIKE '%access to % denied%'
                OR "error" LIKE '%access denied%' THEN 'denied'
            WHEN "event" IN ('user.login', 'auth', 'bot.join', 'instance.join', 'mfa_auth_challenge.validate', 'recovery_code.used')
                THEN 'rejected'
            ELSE 'error'
        END
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "event" = 'session.rejected' THEN "reason"
        WHEN "success" = 'false' THEN "error"
    END AS reason,
    CASE
        WHEN "event" = 'cert.generation_mismatch' THEN 'revoked'
        WHEN "event" = 'session.rejected' THEN 'not_allowed'
        WHEN "success" = 'false' THEN CASE
            WHEN "error" LIKE '%not in the set of valid principals%' OR "error" LIKE '%access to % denied%'
                OR "error" LIKE '%access denied%' THEN 'not_allowed'
            WHEN "error" LIKE '%expired%' THEN 'expired'
            WHEN "error" LIKE 'lock targeting%' OR "error" LIKE '%is in force%' OR "error" LIKE '%revoked%' THEN 'revoked'
            WHEN "event" IN ('bot.join', 'instance.join') AND "error" LIKE '%not found%' THEN 'unknown_credential'
            WHEN "event" IN ('user.login', 'auth', 'bot.join', 'instance.join', 'mfa_auth_challenge.validate', 'recovery_code.used')
                THEN 'wrong_credential'
            ELSE 'backend_fault'
        END
    END AS reason_class,

    CASE
        WHEN "event" IN ('bot.join', 'instance.join') THEN CASE WHEN "method" = 'token' THEN "token_name" END
        WHEN "bot_instance" <> '' THEN "bot_instance"
        ELSE "mfa_device"
    END AS credential_value,
    CASE
        WHEN "event" IN ('bot.join', 'instance.join') THEN 'teleport_join_token'
        WHEN "bot_instance" <> '' THEN 'teleport_bot_instance'
        ELSE 'teleport_mfa_device'
    END AS credential_kind,
    "cluster_name" AS credential_scope,
    CASE
        WHEN "event" = 'bot.join' THEN CASE WHEN "success" = 'true' THEN "bot_instance" END
        WHEN "event" = 'spiffe.svid.issued' THEN COALESCE(NULLIF("serial_number", ''), "jti")
    END AS issued_credential_value,
    CASE
        WHEN "event" = 'bot.join' THEN 'teleport_bot_instance'
        WHEN "serial_number" <> '' THEN 'x509_serial'
        ELSE 'jwt_id'
    END AS issued_credential_kind,
    "cluster_name" AS issued_credential_scope,
    CASE
        WHEN "event" = 'cert.create' AND "identity.expires" NOT LIKE '0001-%' THEN parse_time("identity.expires")
    END AS issued_expires_time,
    CASE
        WHEN "event" = 'cert.create' AND "identity.expires" NOT LIKE '0001-%' THEN 'response'
    END AS issued_ttl_source,

    CASE
        WHEN "event" LIKE 'join_token.%' THEN CASE WHEN "join_method" <> 'token' THEN concat('join_token/', "name") END
        WHEN "event" IN ('bot.create', 'bot.update', 'bot.delete') THEN concat('bot/', "name")
        WHEN "event" IN ('user.create', 'user.update', 'user.delete') THEN concat('user/', "name")
        WHEN "event" IN ('user.password_change', 'reset_password_token.create')
            THEN concat('user/', COALESCE(NULLIF("name", ''), "user"))
    END AS target_secret_id,
    CASE
        WHEN "event" LIKE 'join_token.%' THEN CASE WHEN "join_method" = 'token' THEN "name" END
        WHEN "event" IN ('mfa.add', 'mfa.delete') THEN "mfa_device_uuid"
    END AS target_credential_value,
    CASE WHEN "event" LIKE 'join_token.%' THEN 'teleport_join_token' ELSE 'teleport_mfa_device' END AS target_credential_kind,
    "cluster_name" AS target_credential_scope,
    CASE "event"
        WHEN 'join_token.create' THEN 'active'
        WHEN 'join_token.delete' THEN 'revoked'
        WHEN 'bot.create' THEN 'active'
        WHEN 'bot.delete' THEN 'revoked'
        WHEN 'user.create' THEN 'active'
        WHEN 'user.delete' THEN 'revoked'
        WHEN 'user.password_change' THEN 'current'
        WHEN 'mfa.add' THEN 'active'
        WHEN 'mfa.delete' THEN 'revoked'
    END AS target_state,

    "user" AS principal,
    CASE WHEN "event" = 'instance.join' THEN "node_name" ELSE "bot" END AS workload,
    CASE
        WHEN "event" = 'instance.join' THEN CASE WHEN "node_name" IS NOT NULL THEN 'node_name' END
        WHEN "bot" IS NOT NULL THEN 'bot_name'
    END AS workload_evidence,
    CASE WHEN "event" = 'instance.join' THEN "host_id" ELSE "bot_instance" END AS instance,
    "address" AS source_ip,
    "user_agent" AS user_agent,
    "service" AS service,
    "resource" AS resource
FROM raw
WHERE "event" IS NOT NULL AND "uid" IS NOT NULL
