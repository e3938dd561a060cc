-- sshd: logins to OpenSSH servers.
--
-- Shows: which key or certificate logged in as which user, from where and on
-- which host; keys that were refused or stand in a revocation list; password
-- logins by user.
--
-- Cannot show: which password was used; refused keys at the default log level
-- (LogLevel VERBOSE shows them); what a session did; lines without a time, as
-- containers print them. `last message repeated` of old syslogs says nothing
-- of what it repeats, and is skipped.
--
-- Choices: A key that a client offers and the server refuses is an attempt
-- and `rejected`: clients offer all keys they have. A certificate is known by
-- its serial and key id, within the authority that signed it: that is what a
-- rotation replaces, whatever key it was made for. `Accepted key` (VERBOSE)
-- comes before `Accepted publickey` and is not a second login; `Postponed` and
-- `Failed none` are steps of the protocol. A revoked key that is also reported
-- as `Failed` counts as two attempts. Why a certificate was refused stands in
-- another line, which does not name it, and is not read.
-- There is no native id in text logs: the same line at the same place of the
-- same file is the same event.
SELECT
    "__CURSOR" AS native_uid,
    CASE
        WHEN "time" < 'A' THEN parse_time("time")
        ELSE syslog_time("time", "_file_time")
    END AS event_time,
    CASE
        WHEN "time" >= 'A' THEN 'no_year'
        WHEN "time" NOT LIKE '____-%' THEN 'exact'
        WHEN "time" LIKE '%Z' OR "time" LIKE '%+__:__' OR "time" LIKE '%+____' THEN 'exact'
        WHEN "time" ~ '-\d\d:?\d\d$' THEN 'exact'
        ELSE 'no_zone'
    END AS time_quality,
    COALESCE("accepted", "failed", 'publickey') AS action,
    CASE WHEN "accepted" IS NOT NULL THEN 'success' ELSE 'rejected' END AS outcome,
    COALESCE("revoked", "invalid") AS reason,
    CASE
        WHEN "revoked" IS NOT NULL THEN 'revoked'
        WHEN "invalid" IS NOT NULL THEN 'unknown_principal'
        WHEN "failed" IS NOT NULL THEN 'wrong_credential'
    END AS reason_class,
    CASE
        WHEN "certificate" IS NOT NULL THEN concat("serial", ' ', "certificate")
        ELSE "key"
    END AS credential_value,
    CASE WHEN "certificate" IS NOT NULL THEN 'ssh_certificate' ELSE 'ssh_public_key' END AS credential_kind,
    CASE WHEN "certificate" IS NOT NULL THEN rtrim("authority", '=') ELSE '' END AS credential_scope,
    "user" AS principal,
    "address" AS source_ip,
    'ssh' AS service,
    "host" AS resource,
    "host" AS source_scope,
    TRY_CAST("repeat" AS INT) AS event_count
FROM raw
WHERE ("accepted" IS NOT NULL OR "failed" <> 'none' OR "revoked" IS NOT NULL)
    AND ("program" IS NULL OR "program" LIKE 'sshd%' OR "program" LIKE '%/sshd%')
