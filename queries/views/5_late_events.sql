-- late_events: events of retired secret versions at or after their cutoff, each in one class.
-- Answers: what happened that should not have?
-- Reads: events, usage, version_credentials, descent, addresses, params (as_of_time)
-- `usage` finds the credentials to look at, so that `events` is read for those alone.
-- Event time decides; an event that arrived late but happened before the cutoff is none.
WITH candidates AS (
    SELECT v.secret_id, v.version, v.credential_uid, v.cutoff_time, v.revoked_time,
        false AS is_derived, NULL AS root_principal,
        arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS expires_time
    FROM version_credentials AS v
    WHERE v.cutoff_time IS NOT NULL
    UNION ALL
    SELECT v.secret_id, v.version, d.credential_uid, v.cutoff_time, v.revoked_time,
        true AS is_derived, d.root_principal, d.expires_time
    FROM descent AS d
    JOIN version_credentials AS v
        ON v.credential_uid = d.root_credential_uid
        AND v.secret_id = d.secret_id AND v.version = d.version
    WHERE v.cutoff_time IS NOT NULL AND d.root_issued_time < v.cutoff_time
),
late AS (
    SELECT c.*
    FROM candidates AS c
    JOIN (
        SELECT credential_uid, max(last_time) AS last_time FROM usage GROUP BY credential_uid
    ) AS u ON u.credential_uid = c.credential_uid AND u.last_time >= c.cutoff_time
)
SELECT
    l.secret_id, l.version, e.credential_uid, l.is_derived, l.cutoff_time, l.revoked_time,
    l.expires_time,
    CASE
        WHEN l.is_derived THEN 'derived_after_cutoff'
        WHEN e.outcome = 'rejected' THEN 'rejected_after_cutoff'
        WHEN l.revoked_time IS NOT NULL AND e.event_time >= l.revoked_time
            THEN 'accepted_after_revocation'
        -- What was obtained has a name, or at least an end.
        WHEN e.outcome = 'success'
            AND (e.issued_credential_uid IS NOT NULL OR e.issued_expires_time IS NOT NULL)
            THEN 'exchanged_after_cutoff'
        ELSE 'accepted_after_cutoff'
    END AS class,
    coalesce(l.root_principal, e.principal) AS principal,
    coalesce(
        e.workload,
        a.workload,
        nullif(concat_ws(' / ', e.principal, e.user_agent_product, a.network), '')
    ) AS workload,
    coalesce(e.environment, a.environment) AS environment,
    e.event_uid, e.source, e.source_scope, e.native_uid, e.file_uid, e.record_number, e.source_ip,
    e.event_time, e.observed_time, e.event_count
FROM events AS e
JOIN late AS l ON l.credential_uid = e.credential_uid AND e.event_time >= l.cutoff_time
CROSS JOIN params AS p
LEFT JOIN addresses AS a ON a.source_ip = e.source_ip
WHERE
    e.event_time <= p.as_of_time
    AND e.via_service IS NULL
    AND e.attribution <> 'principal'
    AND (
        e.outcome IN ('success', 'denied')
        OR (e.outcome = 'rejected' AND NOT l.is_derived)
    )
