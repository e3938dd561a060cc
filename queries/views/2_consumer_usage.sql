-- consumer_usage: usage with its consumer named by the best evidence there is.
-- Answers: which software was it?
-- Reads: usage_totals (usage_at without its hours), addresses (each source address with its network
-- and asset)
-- Calls that a service forwarded are no consumer's.
SELECT
    u.usage_key, u.credential_uid, u.id_kind, u.attribution, u.outcome, u.source, u.source_scope,
    u.principal, u.instance, u.source_ip, u.user_agent_product, u.account,
    coalesce(
        u.workload,
        a.workload,
        nullif(concat_ws(' / ', u.principal, u.user_agent_product, a.network), '')
    ) AS workload,
    CASE
        WHEN u.workload IS NOT NULL THEN concat('event: ', coalesce(u.workload_evidence, 'workload'))
        WHEN a.workload IS NOT NULL THEN concat('asset: ', a.cidr)
        ELSE 'principal, agent and network'
    END AS evidence,
    coalesce(u.environment, a.environment) AS environment,
    u.attempt_count, u.first_time, u.last_time
FROM addresses AS a
RIGHT JOIN usage_totals AS u ON u.source_ip = a.source_ip
WHERE u.via_service IS NULL
