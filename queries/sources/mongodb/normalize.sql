-- mongodb: logins to a MongoDB server, from its own log or its audit log.
--
-- Shows: which user logged in by which mechanism from where; refused logins
-- and why; commands that lacked a privilege; in the audit log also who did
-- them, and users that were created, changed and dropped.
--
-- Cannot show: which password, key or certificate was presented, so a login
-- names its principal only, except for a user that Vault made (`v-...`): it has
-- one password for life, and its name is the credential. In the server's log,
-- who lacked a privilege (only the connection is named).
--
-- Choices: A login that the client gave up is `unknown`; a directory or a
-- provider that could not be asked is an `error`. Members of the cluster log in
-- as `__system`, with the key file or a certificate. An update of a user counts
-- as a new password only where the log says so. Other messages are skipped.
SELECT
    parse_time("mongo_time") AS event_time,
    CASE "mongo_event"
        WHEN 'Successfully authenticated' THEN 'auth'
        WHEN 'authCheck' THEN 'upstream'
        WHEN 'Checking authorization failed' THEN 'upstream'
        WHEN 'createUser' THEN 'lifecycle'
        WHEN 'updateUser' THEN 'lifecycle'
        WHEN 'dropUser' THEN 'lifecycle'
        WHEN 'dropAllUsersFromDatabase' THEN 'lifecycle'
        ELSE 'auth'
    END AS category,
    COALESCE("mechanism", "param.command", "mongo_event") AS action,

    CASE
        WHEN "mongo_event" IN ('Successfully authenticated', 'Authentication succeeded') OR "result" = '0' THEN 'success'
        WHEN "mongo_event" = 'Checking authorization failed' OR "result" = '13' THEN 'denied'
        WHEN "error_name" = 'AuthenticationAbandoned' OR "result" = '337' THEN 'unknown'
        WHEN "error_name" IN ('OperationFailed', 'HostUnreachable', 'HostNotFound', 'NetworkTimeout',
            'NetworkInterfaceExceededTimeLimit', 'InternalError', 'InterruptedAtShutdown', 'ExceededTimeLimit') THEN 'error'
        WHEN "mongo_event" IN ('createUser', 'updateUser', 'dropUser', 'dropAllUsersFromDatabase', 'authCheck') THEN 'success'
        ELSE 'rejected'
    END AS outcome,
    COALESCE("error_name", NULLIF("result", '0')) AS reason,
    CASE
        WHEN "mongo_event" IN ('Successfully authenticated', 'Authentication succeeded') OR "result" = '0' THEN NULL
        WHEN "mongo_event" = 'Checking authorization failed' OR "result" = '13' THEN 'not_allowed'
        WHEN "error_name" = 'UserNotFound' OR "result" = '11' THEN CASE
            WHEN "mongo_event" IN ('createUser', 'updateUser', 'dropUser') THEN 'request'
            ELSE 'unknown_principal'
        END
        WHEN "error_name" IN ('OperationFailed', 'HostUnreachable', 'HostNotFound', 'NetworkTimeout',
            'NetworkInterfaceExceededTimeLimit', 'InternalError', 'InterruptedAtShutdown', 'ExceededTimeLimit') THEN 'backend_fault'
        WHEN "error_text" LIKE '%expired%' THEN 'expired'
        WHEN "error_name" = 'AuthenticationFailed' OR "result" = '18' THEN 'wrong_credential'
        ELSE 'request'
    END AS reason_class,

    CASE
        WHEN "mongo_event" IN ('createUser', 'updateUser', 'dropUser') THEN NULL
        WHEN COALESCE("user", "caller") ~ '^v-.+-[A-Za-z0-9]{20}-\d{10}$' THEN COALESCE("user", "caller")
    END AS credential_value,
    'mongodb_dynamic_user' AS credential_kind,
    CASE
        WHEN "mongo_event" IN ('createUser', 'updateUser', 'dropUser')
            THEN concat('user/', "database", '.', "user")
    END AS target_secret_id,
    CASE
        WHEN "result" <> '0' THEN NULL
        WHEN "mongo_event" = 'createUser' THEN 'active'
        WHEN "mongo_event" = 'updateUser' AND "param.passwordChanged" = 'true' THEN 'current'
        WHEN "mongo_event" = 'dropUser' THEN 'revoked'
    END AS target_state,

    CASE
        WHEN "mongo_event" IN ('createUser', 'updateUser', 'dropUser') THEN "caller"
        ELSE NULLIF(COALESCE("user", "caller"), '')
    END AS principal,
    "address" AS source_ip,
    'mongodb' AS service,
    COALESCE(NULLIF("database", ''), "param.ns") AS resource
FROM raw
WHERE "mongo_event" IN (
    'Successfully authenticated', 'Failed to authenticate', 'Authentication succeeded', 'Authentication failed',
    'Checking authorization failed',
    'authenticate', 'authCheck', 'createUser', 'updateUser', 'dropUser', 'dropAllUsersFromDatabase')
