-- snowflake_login: rows of LOGIN_HISTORY of a Snowflake account or organization.
--
-- Shows: every login with its user, client and kind of credential, and, where
-- Snowflake knows it, the id of the credential (programmatic access tokens, as
-- in ACCOUNT_USAGE.CREDENTIALS); refused logins and why.
--
-- Cannot show: which of a user's two keys or passwords came, where no id is
-- given (`principal`; a mismatch of the key's fingerprint still says that it
-- was not the one on record); the queries of a session.
--
-- Choices: Where the first factor may have been right (the second one failed,
-- a network policy, a disabled or locked user), a failure is `denied`, not
-- `rejected`. A failure of an unknown kind is `unknown`. Credential ids are of
-- one series within an account, whatever they name: one kind, `api_key_id`.
-- 0.0.0.0 stands for Snowflake's own services and for elided failures: no
-- address. Times without a zone are read as UTC and marked.
SELECT
    NULLIF(NULLIF("event_id", ''), '0') AS native_uid,
    parse_time("event_timestamp") AS event_time,
    CASE WHEN "event_timestamp" ~ '^\d{4}-\d\d-\d\d[ T][\d:.]+$' THEN 'no_zone' END AS time_quality,
    'auth' AS category,
    "event_type" AS action,
    CASE
        WHEN upper("is_success") IN ('YES', 'TRUE') THEN 'success'
        WHEN "error_message" ~ '(EXT_AUTHN|MFA|TOTP|PASSCODE|DUO|NOT_ALLOWED|NETWORK_POLICY|INCOMING_|ACCESS_DISABLED|USER_DISABLED|LOCKED|NOT_SUPPORTED)'
            THEN 'denied'
        WHEN "error_message" ~ '(INTERNAL|UNAVAILABLE|TIMEOUT)' THEN 'error'
        WHEN "error_message" ~ '(INCORRECT|INVALID|EXPIRED|MISMATCH|REVOKED|DISABLED|NOT_FOUND|UNKNOWN|EMPTY|ELIDED)'
            THEN 'rejected'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN upper("is_success") IN ('YES', 'TRUE') THEN NULL
        ELSE COALESCE(NULLIF("error_message", ''), NULLIF("error_code", ''))
    END AS reason,
    CASE
        WHEN upper("is_success") IN ('YES', 'TRUE') THEN NULL
        WHEN "error_message" ~ 'LOCKED' THEN 'throttled'
        WHEN "error_message" ~ '(EXT_AUTHN|MFA|TOTP|PASSCODE|DUO|NOT_ALLOWED|NETWORK_POLICY|INCOMING_|ACCESS_DISABLED|USER_DISABLED|NOT_SUPPORTED)'
            THEN 'not_allowed'
        WHEN "error_message" ~ '(INTERNAL|UNAVAILABLE|TIMEOUT)' THEN 'backend_fault'
        WHEN "error_message" ~ 'EXPIRED' THEN 'expired'
        WHEN "error_message" ~ '(REVOKED|DISABLED)' THEN 'revoked'
        WHEN "error_message" ~ '(USER_NOT_FOUND|UNKNOWN_USER|INVALID_USER)' THEN 'unknown_principal'
        WHEN "error_message" ~ '(INCORRECT|INVALID|MISMATCH|NOT_FOUND|UNKNOWN|EMPTY)' THEN 'wrong_credential'
    END AS reason_class,

    "first_authentication_factor_id" AS credential_value,
    'api_key_id' AS credential_kind,

    NULLIF("user_name", '') AS principal,
    NULLIF(NULLIF("client_ip", ''), '0.0.0.0') AS source_ip,
    CASE
        WHEN NULLIF("reported_client_version", '0') <> ''
            THEN concat("reported_client_type", '/', "reported_client_version")
        ELSE NULLIF("reported_client_type", '')
    END AS user_agent,
    NULLIF("account_name", '') AS account,
    NULLIF("region", '') AS region,
    NULLIF("first_authentication_factor", '') AS service,
    NULLIF("connection", '') AS resource,
    COALESCE(NULLIF("account_locator", ''), NULLIF("account_name", '')) AS source_scope
FROM raw
WHERE "event_id" IS NOT NULL
