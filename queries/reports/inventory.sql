-- inventory: who consumes which version of which secret.
-- Answers: whom must I talk to before I rotate, and who has switched already?
-- Reads: consumer_facts, consumer_states, declared_consumers, secret_versions, credential_ids
-- Cannot show: use before our logs begin, or where the logs are silent; see `coverage`.
-- Rows with attribution `principal` say who, not with which credential: they prove no use of a version.
SELECT
    f.secret_id,
    f.version,
    f.credential_uid,
    coalesce(i.id_kind, f.id_kind) AS id_kind,
    f.workload,
    f.principal,
    f.environment,
    CASE WHEN f.secret_id IS NOT NULL THEN
        d.workload IS NOT NULL AND (
            d.is_everywhere OR f.environment IS NULL OR array_has(d.environments, f.environment)
        )
    END AS declared,
    f.evidence,
    f.first_seen_time,
    f.last_seen_time,
    f.last_used_time,
    f.last_rejected_time,
    f.attempt_count,
    f.use_count,
    f.rejected_count,
    f.derived_use_count,
    f.derived_last_used_time,
    f.tail_expires_time,
    s.state,
    f.source_ips,
    f.user_agents,
    f.sources,
    coalesce(f.direct_attribution, 'derived') AS attribution,
    i.id_value,
    v.state AS version_state,
    v.cutoff_time,
    v.revoked_time,
    s.soak_until_time
FROM consumer_facts AS f
LEFT JOIN consumer_states AS s
    ON s.secret_id = f.secret_id
    AND (s.workload IS NOT DISTINCT FROM f.workload)
    AND (s.environment IS NOT DISTINCT FROM f.environment)
LEFT JOIN (
    SELECT
        secret_id, workload,
        bool_or(environment IS NULL) AS is_everywhere,
        array_agg(environment) FILTER (WHERE environment IS NOT NULL) AS environments
    FROM declared_consumers
    GROUP BY secret_id, workload
) AS d ON d.secret_id = f.secret_id AND d.workload = f.workload
LEFT JOIN secret_versions AS v ON v.secret_id = f.secret_id AND v.version = f.version
LEFT JOIN credential_ids AS i ON i.credential_uid = f.credential_uid
ORDER BY
    f.secret_id NULLS LAST,
    f.version_number,
    f.version,
    greatest(f.last_used_time, f.derived_last_used_time) DESC NULLS LAST,
    f.workload NULLS LAST,
    f.principal NULLS LAST,
    f.environment NULLS LAST,
    f.credential_uid NULLS LAST
