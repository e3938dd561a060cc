-- slack_audit: events of the audit logs API of a Slack Enterprise organization.
--
-- Shows: sign-ins and refused sign-ins of people; what people and apps did,
-- as uses by a principal; when an app was installed, got other scopes, kept or
-- changed its token, or was removed.
--
-- Cannot show: any token, since Slack logs no id of one (`principal` at most,
-- never `exact`), nor calls of the Web API as such.
--
-- Choices: Installing an app into a workspace issues its tokens and removing
-- it revokes them: the secret is `WORKSPACE/app/APP`, without versions. The
-- session id of a person names a sign-in, not a secret that anyone rotates,
-- and is left out. `USLACKUSER` is nobody. A refused sign-in is `rejected`, a
-- blocked action `denied`; all else has happened: `success`.
SELECT
    NULLIF("id", '') AS native_uid,
    parse_time("date_create") AS event_time,
    CASE
        WHEN "action" IN ('user_login', 'user_login_failed', 'cli_login') THEN 'auth'
        WHEN "action" IN ('app_installed', 'app_uninstalled', 'app_deleted', 'org_app_installed', 'org_app_uninstalled',
            'org_app_workspace_added', 'org_app_workspace_removed', 'app_scopes_expanded', 'app_token_preserved',
            'workflow_app_token_preserved', 'bot_token_upgraded', 'bot_token_downgraded') THEN 'lifecycle'
        WHEN "action" LIKE 'app\_variable\_%' OR "action" LIKE 'ekm\_key\_%' OR "action" LIKE 'user\_password\_reset%'
            OR "action" LIKE '%session\_reset%' OR "action" LIKE '%sessions\_reset%'
            OR "action" IN ('user_session_invalidated', 'user_deactivated', 'user_reactivated') THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "action" AS action,
    CASE
        WHEN "action" LIKE '%login\_failed' THEN 'rejected'
        WHEN "action" LIKE '%\_blocked' THEN 'denied'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "action" LIKE '%login\_failed' OR "action" LIKE '%\_blocked' THEN "details.reason"
    END AS reason,
    CASE
        WHEN "action" LIKE '%login\_failed' THEN 'wrong_credential'
        WHEN "action" LIKE '%\_blocked' THEN 'not_allowed'
    END AS reason_class,

    CASE
        WHEN "action" IN ('app_installed', 'app_uninstalled', 'app_deleted', 'org_app_installed', 'org_app_uninstalled',
            'org_app_workspace_added', 'org_app_workspace_removed', 'app_scopes_expanded', 'app_token_preserved',
            'workflow_app_token_preserved', 'bot_token_upgraded', 'bot_token_downgraded')
            AND "entity.app.id" <> '' THEN concat("context.location.id", '/app/', "entity.app.id")
    END AS target_secret_id,
    CASE
        WHEN "entity.app.id" IS NULL OR "entity.app.id" = '' THEN NULL
        WHEN "action" IN ('app_installed', 'org_app_installed', 'org_app_workspace_added', 'app_token_preserved',
            'workflow_app_token_preserved') THEN 'active'
        WHEN "action" IN ('app_uninstalled', 'app_deleted', 'org_app_uninstalled', 'org_app_workspace_removed')
            THEN 'revoked'
    END AS target_state,

    CASE
        WHEN "actor.user.id" = 'USLACKUSER' THEN NULL
        ELSE COALESCE(NULLIF("actor.user.email", ''), NULLIF("actor.user.name", ''), NULLIF("actor.user.id", ''))
    END AS principal,
    NULLIF("app", '') AS workload,
    CASE WHEN "app" <> '' THEN 'context.app' END AS workload_evidence,
    NULLIF("context.ip_address", '') AS source_ip,
    NULLIF("context.ua", '') AS user_agent,
    "context.location.id" AS account,
    "entity.type" AS resource
FROM raw
WHERE "action" IS NOT NULL
