-- mysql_audit: logins to MySQL and MariaDB, and changes of their users.
--
-- Shows: who connected from where, or why not; users that were created,
-- altered, locked and dropped.
--
-- Cannot show: which password a login used, nor what became of the one before:
-- a user is not a version of his password. What a session does later presents
-- no credential and is skipped, as its end is.
--
-- Choices: A failed connection is `rejected` where the error says that the
-- user, the password or the account was refused, or the user is blocked after
-- too many wrong passwords; one that failed for its
-- database or for limits had authenticated: `denied` or a use with its reason;
-- other errors tell nothing: `unknown`. Of a statement only its kind and the
-- user it names are read, never its text: all of them where it drops users,
-- else the first.
-- Connection ids start anew with the server: only Enterprise Audit has an id,
-- unique within its second.
SELECT
    CASE WHEN "id" IS NOT NULL THEN concat("time", ' ', "id") END AS native_uid,
    CASE
        WHEN "time" LIKE '________ %'
            THEN parse_time(concat(substr("time", 1, 4), '-', substr("time", 5, 2), '-', substr("time", 7)))
        ELSE parse_time("time")
    END AS event_time,
    CASE WHEN "time" LIKE '________ %' THEN 'no_zone' ELSE 'exact' END AS time_quality,
    CASE WHEN "verb" IS NOT NULL THEN 'lifecycle' ELSE 'auth' END AS category,
    CASE WHEN "verb" IS NOT NULL THEN upper("verb") ELSE "operation" END AS action,
    CASE
        WHEN "code" = '0' THEN CASE WHEN "operation" = 'FAILED_CONNECT' THEN 'unknown' ELSE 'success' END
        WHEN "verb" IS NOT NULL THEN CASE
            WHEN "code" IN ('1044', '1142', '1227') THEN 'denied'
            ELSE 'success'
        END
        WHEN "code" IN ('1045', '1130', '1698', '1820', '1862', '3118', '4150', '4151') THEN 'rejected'
        WHEN "code" = '1044' THEN 'denied'
        WHEN "code" IN ('1049', '1203', '1226') THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE WHEN "code" <> '0' AND "code" <> '' THEN "code" END AS reason,
    CASE
        WHEN "code" = '0' THEN NULL
        WHEN "code" IN ('1045', '1698') THEN 'wrong_credential'
        WHEN "code" = '1130' THEN 'unknown_principal'
        WHEN "code" IN ('1820', '1862') THEN 'expired'
        WHEN "code" IN ('3118', '4151') THEN 'revoked'
        WHEN "code" IN ('1044', '1142', '1227') THEN 'not_allowed'
        WHEN "code" IN ('1203', '1226', '4150') THEN 'throttled'
        WHEN "code" = '1049' OR "verb" IS NOT NULL THEN 'request'
    END AS reason_class,
    -- A user by name and host, on the server that the log names.
    CASE
        WHEN "verb" IS NULL THEN NULL
        WHEN "target_user" IS NULL THEN concat(CASE WHEN "server" <> '' THEN concat("server", '/') END, "user", '@', "host")
        ELSE concat(
            CASE WHEN "server" <> '' THEN concat("server", '/') END, "target_user", '@', COALESCE("target_host", '%'))
    END AS target_secret_id,
    CASE
        WHEN "code" <> '0' OR "verb" IS NULL THEN NULL
        WHEN "verb" LIKE 'd%' OR "verb" LIKE 'D%' THEN 'revoked'
        WHEN upper("clause") LIKE '%ACCOUNT LOCK%' THEN 'inactive'
        WHEN upper("clause") LIKE '%ACCOUNT UNLOCK%' OR upper("verb") LIKE 'CREATE%' THEN 'active'
    END AS target_state,
    NULLIF("user", '') AS principal,
    NULLIF("host", '') AS source_ip,
    COALESCE("connection_data.connection_attributes.program_name", "connection_data.connection_attributes._client_name")
        AS user_agent,
    'mysql' AS service,
    NULLIF("database", '') AS resource,
    "server" AS source_scope
FROM raw
WHERE "verb" IS NOT NULL
    OR "operation" IN ('CONNECT', 'FAILED_CONNECT', 'PROXY_CONNECT')
    OR ("class" = 'connection' AND "operation" IN ('connect', 'change_user'))
