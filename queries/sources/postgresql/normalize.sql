-- postgresql: logins to a PostgreSQL server, and changes of its roles.
--
-- Shows: which role logged in to which database from where; passwords and
-- other credentials that were refused, and why; statements that set, expire or
-- end a role's password, by the new password where it was written in clear.
--
-- Cannot show: which password of a role was used, so a login names its
-- principal only, except for a role that Vault made (`v-...`): it has one
-- password for life, and its name is the credential. Queries, other than those
-- that lacked a privilege. Whether a statement that changes a role succeeded.
-- In stderr the reason of a refusal, where the line of its detail does not
-- follow its message, as when several processes write at once.
--
-- Choices: `connection authorized` is the login; `connection received`,
-- `connection authenticated` (14 and later) and `disconnection` belong to the
-- same one and are skipped. Without an entry in pg_hba.conf, or without the
-- client certificate that it asks for, nothing was presented: `rejected`, as
-- not allowed. A role without LOGIN, a full server or a database that is not
-- there are found after the password was accepted: with log_connections such a
-- login is also `connection authorized`, and counts twice. A statement that
-- drops several roles is a row for each.
-- The application's name is what the client says of itself: its user agent.
-- Zones are abbreviations here: the unambiguous ones are taken, others are
-- read as UTC (`no_zone`). In stderr a tab begins each further line of a
-- message, and is none of a password's.
SELECT
    CASE WHEN "session" IS NOT NULL THEN concat("session", ' ', "line", ' ', "stamp") END AS native_uid,
    parse_time(concat("time", CASE "zone"
        WHEN 'UTC' THEN 'Z' WHEN 'GMT' THEN 'Z' WHEN 'WET' THEN 'Z' WHEN 'CET' THEN '+01:00' WHEN 'CEST' THEN '+02:00'
        WHEN 'WEST' THEN '+01:00' WHEN 'EET' THEN '+02:00' WHEN 'EEST' THEN '+03:00' WHEN 'MSK' THEN '+03:00'
        WHEN 'EST' THEN '-05:00' WHEN 'EDT' THEN '-04:00' WHEN 'MST' THEN '-07:00' WHEN 'MDT' THEN '-06:00'
        WHEN 'PST' THEN '-08:00' WHEN 'PDT' THEN '-07:00' WHEN 'JST' THEN '+09:00' WHEN 'AEST' THEN '+10:00'
        WHEN 'AEDT' THEN '+11:00'
        ELSE CASE
            WHEN "zone" LIKE '+__' OR "zone" LIKE '-__' THEN concat("zone", ':00')
            WHEN "zone" LIKE '+%' OR "zone" LIKE '-%' THEN "zone"
            ELSE 'Z'
        END
    END)) AS event_time,
    CASE
        WHEN "zone" IN ('UTC', 'GMT', 'WET', 'CET', 'CEST', 'WEST', 'EET', 'EEST', 'MSK', 'EST', 'EDT', 'MST', 'MDT',
            'PST', 'PDT', 'JST', 'AEST', 'AEDT') OR "zone" LIKE '+%' OR "zone" LIKE '-%' THEN 'exact'
        ELSE 'no_zone'
    END AS time_quality,
    CASE
        WHEN "verb" IS NOT NULL THEN 'lifecycle'
        WHEN "denied" IS NOT NULL THEN CASE WHEN "severity" = 'FATAL' THEN 'auth' ELSE 'upstream' END
        ELSE 'auth'
    END AS category,
    CASE
        WHEN "verb" IS NOT NULL THEN concat(lower("verb"), ' role')
        WHEN "denied" IS NOT NULL AND "severity" <> 'FATAL' THEN 'statement'
        ELSE COALESCE("authorized", 'connection')
    END AS action,

    CASE
        WHEN "authorized" IS NOT NULL OR "verb" IS NOT NULL OR "no_database" IS NOT NULL THEN 'success'
        WHEN "denied" IS NOT NULL OR "no_login" IS NOT NULL OR "full" IS NOT NULL THEN 'denied'
        ELSE 'rejected'
    END AS outcome,
    CASE
        WHEN "no_role" IS NOT NULL THEN 'role does not exist'
        WHEN "no_login" IS NOT NULL THEN 'role is not permitted to log in'
        WHEN "no_database" IS NOT NULL THEN 'database does not exist'
        ELSE COALESCE("failed", "refused", "full", "denied")
    END AS reason,
    CASE
        WHEN "failed" IS NOT NULL THEN CASE
            WHEN "details" LIKE 'Role % does not exist.%' THEN 'unknown_principal'
            WHEN "details" LIKE 'User % has an expired password.%' THEN 'expired'
            ELSE 'wrong_credential'
        END
        WHEN "no_role" IS NOT NULL THEN 'unknown_principal'
        WHEN "refused" IS NOT NULL OR "denied" IS NOT NULL OR "no_login" IS NOT NULL THEN 'not_allowed'
        WHEN "full" IS NOT NULL THEN 'throttled'
        WHEN "no_database" IS NOT NULL THEN 'request'
    END AS reason_class,

    CASE
        WHEN COALESCE("role", "session_role") ~ '^v-.+-[A-Za-z0-9]{20}-\d{10}$' THEN COALESCE("role", "session_role")
    END AS credential_value,
    'postgres_dynamic_role' AS credential_kind,

    CASE WHEN "verb" IS NOT NULL THEN concat('role/', "target") END AS target_secret_id,
    CASE
        WHEN "verb" IS NULL THEN NULL
        WHEN "line_severity" IS NULL THEN replace("password", '''''', '''')
        ELSE replace(replace("password", '''''', ''''), concat(chr(10), chr(9)), chr(10))
    END AS target_credential_value,
    'secret_value' AS target_credential_kind,
    CASE
        WHEN "verb" IS NULL THEN NULL
        WHEN lower("verb") = 'drop' THEN 'revoked'
        WHEN "password" IS NOT NULL OR "verifier" IS NOT NULL THEN 'current'
        WHEN lower("valid") = 'nologin' THEN 'inactive'
        WHEN lower("valid") = 'login' THEN 'active'
    END AS target_state,

    NULLIF(NULLIF(COALESCE("role", "session_role"), ''), '[unknown]') AS principal,
    CASE
        WHEN "host" IS NOT NULL AND "host" <> '[local]' THEN "host"
        WHEN "address" <> '[local]' THEN "address"
    END AS source_ip,
    NULLIF(NULLIF(COALESCE("application", "application_name"), ''), '[unknown]') AS user_agent,
    'postgresql' AS service,
    NULLIF(NULLIF(COALESCE("database", "session_database"), ''), '[unknown]') AS resource
FROM raw
WHERE "severity" IN ('LOG', 'FATAL', 'ERROR')
    AND ("authorized" IS NOT NULL OR "failed" IS NOT NULL OR "refused" IS NOT NULL OR "no_login" IS NOT NULL
        OR "full" IS NOT NULL OR "denied" IS NOT NULL
        OR (("no_role" IS NOT NULL OR "no_database" IS NOT NULL) AND "severity" = 'FATAL')
        OR ("verb" IS NOT NULL AND lower("target") <> 'mapping'
            AND (lower("verb") <> 'alter' OR "valid" IS NOT NULL OR "password" IS NOT NULL OR "verifier" IS NOT NULL)))
