-- doppler: activity and secret reads, as a Doppler log stream sends them.
--
-- Shows: who read which version of which secret; changes of secrets; service
-- account tokens by their id and service tokens by their name; changes that an
-- API token made, by the token's id.
--
-- Cannot show: the token behind a read or a change by a user or a service
-- account (`principal`), refused requests, the version that a change made, and
-- which secrets a read named if it named several.
--
-- Choices: A secret is `project/config/NAME`. A read of several is a read of
-- `project/config` without a version: one event can stand for one secret only,
-- and the first alone would be a guess. A change that names several is one of
-- `project/config` too. Ids hold within a workplace. The stream has only what
-- was done, so all is `success`.
SELECT
    NULLIF("slug", '') AS native_uid,
    parse_time("createdAt") AS event_time,
    CASE
        WHEN "type" = 'security.secret_read' THEN 'secret_read'
        WHEN "type" LIKE 'enclave.project.config.secrets.%' OR "type" LIKE '%token.%'
            OR "type" LIKE '%rotat%' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "type" AS action,
    'success' AS outcome,

    -- Only of a token is `slug` the id of a credential.
    CASE WHEN "user.kind" = 'apiToken' THEN "user.slug" END AS credential_value,
    'api_key_id' AS credential_kind,
    CASE
        WHEN "type" = 'security.secret_read' THEN CASE
            WHEN "metadata.secrets[1].s" IS NULL
                THEN concat_ws('/', "metadata.secrets[0].p", "metadata.secrets[0].c", "metadata.secrets[0].s")
            ELSE concat_ws('/', "metadata.secrets[0].p", "metadata.secrets[0].c")
        END
        WHEN "type" LIKE 'team.service_account.token.%'
            THEN concat('service_account/', "metadata.serviceAccountName", '/', "metadata.serviceAccountTokenName")
        WHEN "type" LIKE 'enclave.project.config.service_token.%'
            THEN concat("metadata.projectId", '/', "metadata.configName", '/service_token/', "metadata.serviceTokenName")
        WHEN "type" LIKE 'enclave.project.config.secrets.%' THEN concat_ws('/', "metadata.projectId", "metadata.configName",
            CASE
                WHEN COALESCE("metadata.diff.added[1]", "metadata.diff.updated[1]", "metadata.diff.removed[1]") IS NOT NULL
                    THEN NULL
                WHEN "metadata.diff.added[0]" IS NULL AND "metadata.diff.updated[0]" IS NULL
                    THEN "metadata.diff.removed[0]"
                WHEN "metadata.diff.added[0]" IS NULL AND "metadata.diff.removed[0]" IS NULL
                    THEN "metadata.diff.updated[0]"
                WHEN "metadata.diff.updated[0]" IS NULL AND "metadata.diff.removed[0]" IS NULL
                    THEN "metadata.diff.added[0]"
            END)
    END AS target_secret_id,
    CASE
        WHEN "type" = 'security.secret_read' THEN
            CASE WHEN "metadata.secrets[1].s" IS NULL THEN "metadata.secrets[0].v" END
        WHEN "type" LIKE 'team.service_account.token.%' THEN "metadata.serviceAccountTokenId"
    END AS target_version,
    CASE
        WHEN "type" = 'security.secret_read' AND "metadata.secrets[1].s" IS NULL
            AND "metadata.secrets[0].v" IS NOT NULL THEN 'metadata.secrets[0].v'
    END AS version_evidence,
    CASE
        WHEN "type" LIKE 'team.service_account.token.%' THEN "metadata.serviceAccountTokenId"
    END AS target_credential_value,
    'api_key_id' AS target_credential_kind,
    CASE
        WHEN "type" NOT LIKE '%token.%' OR "metadata.serviceAccountTokenId" IS NULL THEN NULL
        WHEN "type" LIKE '%.create' THEN 'active'
        WHEN "type" LIKE '%.delete' OR "type" LIKE '%.revoke' OR "type" LIKE '%.expire' THEN 'revoked'
    END AS target_state,

    NULLIF("actor", '') AS principal,
    "session.ip" AS source_ip,
    "workplace.id" AS account,
    "environment" AS environment,
    "session.method" AS service,
    CASE
        WHEN "type" = 'security.secret_read'
            THEN NULLIF(concat_ws('/', "metadata.secrets[0].p", "metadata.secrets[0].c"), '')
        ELSE NULLIF(concat_ws('/', "metadata.projectId", "metadata.configName"), '')
    END AS resource,
    "workplace.id" AS source_scope
FROM raw
WHERE "type" IS NOT NULL AND "workplace.id" IS NOT NULL
