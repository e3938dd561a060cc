-- gitlab_shell: Git commands over SSH that GitLab let in.
--
-- Shows: the SSH or deploy key of each command by its number, the user or
-- project it acted for, from where.
--
-- Cannot show: what was refused; the key's fingerprint (GitLab's API tells it).
--
-- Choices: A key is `Key/number` as in gitlab_api: user and deploy keys are
-- numbered together. The same command also stands in `api_json.log`, as a
-- request to `internal/allowed`: reading both shows it twice, never as two
-- keys. Give the log the --scope of its instance. A certificate has no number:
-- only its user is named.
SELECT
    CASE WHEN "correlation_id" <> '' THEN concat("correlation_id", '/', "time", chr(31), concat_ws(chr(31),
        "command", "gl_key_id", "username", "remote_ip", "gl_project_path")) END AS native_uid,
    parse_time("time") AS event_time,
    "command" AS action,
    'success' AS outcome,
    CASE WHEN "gl_key_id" <> '0' THEN concat('Key/', "gl_key_id") END AS credential_value,
    'gitlab_token_id' AS credential_kind,
    COALESCE(NULLIF("username", ''), NULLIF("user_id", '')) AS principal,
    NULLIF("remote_ip", '') AS source_ip,
    NULLIF("gl_key_type", '') AS service,
    NULLIF("gl_project_path", '') AS resource
FROM raw
WHERE "msg" = 'executing git command'
