-- alerts: uses of retired secret versions, one finding per version, consumer and class.
-- Answers: who breaks if I revoke, who is broken, what did revoking not stop?
-- Reads: late_events
-- Cannot show: a use that no log names; see `coverage`.
SELECT
    secret_id, version,
    min(credential_uid) AS credential_uid,
    class,
    CASE class
        WHEN 'accepted_after_revocation' THEN 'critical'
        WHEN 'derived_after_cutoff' THEN 'medium'
        ELSE 'high'
    END AS severity,
    workload, principal, environment,
    min(event_time) AS first_time,
    max(event_time) AS last_time,
    sum(event_count) AS count,
    min(cutoff_time) AS cutoff_time,
    min(revoked_time) AS revoked_time,
    max(expires_time) AS tail_expires_time,
    array_sort(array_agg(DISTINCT source_ip) FILTER (WHERE source_ip IS NOT NULL)) AS source_ips,
    array_slice(array_sort(array_agg(DISTINCT event_uid)), 1, 20) AS evidence_uids
FROM late_events
GROUP BY secret_id, version, class, workload, principal, environment
-- What rows took back was no use.
HAVING sum(event_count) > 0
ORDER BY
    CASE class
        WHEN 'accepted_after_revocation' THEN 1
        WHEN 'derived_after_cutoff' THEN 3
        ELSE 2
    END,
    secret_id, version, class, workload NULLS LAST, principal NULLS LAST, environment NULLS LAST
