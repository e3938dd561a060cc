-- redis: who connected to Redis or Valkey, and who was refused.
--
-- Shows: users of connections that ended (the server log, `loglevel verbose`)
-- and of those that stay open (CLIENT LIST); passwords, commands, keys and
-- channels that were refused, by user and how often (ACL LOG).
--
-- Cannot show: which password of a user was presented, so every event names its
-- principal only. The server log has no line for a refused password. (The
-- hashes in ACL LIST and ACL GETUSER are SHA-256 of the passwords: as
-- `secret_sha256` they name versions in the registry.)
--
-- Choices: ACL LOG and CLIENT LIST are exported, once a minute or so, as the
-- comment in source.toml has it. Until 7.0 an entry has no time but its age,
-- and no id: it needs the time of the export, and a reset after it, else it
-- counts again. Since 7.2 the last export of an entry is the one that counts.
-- Groups of equal entries are one event, at the time of the latest. Commands
-- that were refused came after a password that was not: `denied`. A connection
-- is a use by the user it ended with, or has. Who did not authenticate is
-- `default` too: taken for a use, unless nothing was sent (skipped), or
-- authenticating was the last thing sent (`unknown`). Keys and channels are not kept.
-- The name that a client gives itself, else its library, is its user agent.
SELECT
    CASE WHEN "entry-id" IS NOT NULL THEN concat("entry-id", ' ', "timestamp-created") END AS native_uid,
    CASE WHEN "entry-id" IS NOT NULL THEN LEAST(TRY_CAST("count" AS BIGINT), 255) END AS stage,
    CASE
        WHEN "clock" IS NOT NULL THEN parse_time(concat(
            substr("date", 8, 4), '-',
            lpad(CAST(1 + strpos('JanFebMarAprMayJunJulAugSepOctNovDec', substr("date", 4, 3)) / 3 AS VARCHAR), 2, '0'), '-',
            substr("date", 1, 2), 'T', "clock"))
        WHEN "timestamp-last-updated" IS NOT NULL THEN parse_time("timestamp-last-updated")
        ELSE parse_time(CAST(TRY_CAST(1000 * (
            TRY_CAST("exported_time" AS DOUBLE) - TRY_CAST(COALESCE("age-seconds", "idle") AS DOUBLE)) AS BIGINT) AS VARCHAR))
    END AS event_time,
    CASE WHEN "clock" IS NOT NULL THEN 'no_zone' WHEN "age-seconds" IS NULL THEN 'seconds' ELSE 'exact' END AS time_quality,
    CASE WHEN "reason" <> 'auth' THEN 'upstream' ELSE 'auth' END AS category,
    CASE
        WHEN "reason" IS NOT NULL THEN "command"
        WHEN "clock" IS NOT NULL THEN 'connection closed'
        ELSE 'connected'
    END AS action,
    CASE
        WHEN "reason" = 'auth' THEN 'rejected'
        WHEN "reason" IS NOT NULL THEN 'denied'
        WHEN "user" = 'default' AND "command" IN ('auth', 'hello') THEN 'unknown'
        ELSE 'success'
    END AS outcome,
    "reason" AS reason,
    CASE WHEN "reason" = 'auth' THEN 'wrong_credential' WHEN "reason" IS NOT NULL THEN 'not_allowed' END AS reason_class,
    COALESCE("username", "user") AS principal,
    -- A path, where the client came over a Unix socket.
    CASE WHEN "address" NOT LIKE '/%' THEN btrim("address", '[]') END AS source_ip,
    COALESCE(
        NULLIF("name", ''),
        CASE WHEN "library" <> '' THEN concat("library", CASE WHEN "library_version" <> '' THEN concat('/', "library_version") END) END)
        AS user_agent,
    'redis' AS service,
    TRY_CAST("count" AS INT) AS event_count
FROM raw
WHERE "user" IS NOT NULL AND ("reason" IS NOT NULL OR "command" <> 'NULL' OR "user" <> 'default')
