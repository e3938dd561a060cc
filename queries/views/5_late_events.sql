-- late_events: events of retired secret versions at or after their cutoff, each in one class.
-- Answers: what happened that should not have?
-- Reads: events, usage, version_credentials, descent, addresses
-- `usage` finds the credentials to look at, so that `events` is read for those alone.
-- Event time decides; an event that arrived late but happened before the cutoff is none. A version
-- that was revoked without a cutoff is late from its revocation on.
-- Of what failed at the backend or came to nobody knows what, the version was presented all the
-- same: a straggler before the revocation, and somebody who tries an old secret after it.
WITH candidates AS (
    SELECT v.secret_id, v.version, v.credential_uid, v.cutoff_time, v.revoked_time,
        least(v.cutoff_time, v.revoked_time) AS late_time,
        false AS is_derived, NULL AS root_principal,
        arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS expires_time
    FROM version_credentials AS v
    WHERE v.cutoff_time IS NOT NULL OR v.revoked_time IS NOT NULL
    UNION ALL
    SELECT v.secret_id, v.version, d.credential_uid, v.cutoff_time, v.revoked_time,
        least(v.cutoff_time, v.revoked_time) AS late_time,
        true AS is_derived, d.root_principal, d.expires_time
    FROM descent AS d
    JOIN version_credentials AS v
        ON v.credential_uid = d.root_credential_uid
        AND v.secret_id = d.secret_id AND v.version = d.version
    WHERE d.root_issued_time < least(v.cutoff_time, v.revoked_time)
),
late AS (
    SELECT c.*
    FROM candidates AS c
    JOIN (
        SELECT credential_uid, max(last_time) AS last_time FROM usage GROUP BY credential_uid
    ) AS u ON u.credential_uid = c.credential_uid AND u.last_time >= c.late_time
),
-- The small side of a join stands on the left: that one is held in memory.
found AS (
    SELECT
        l.secret_id, l.version, l.is_derived, l.cutoff_time, l.revoked_time, l.expires_time,
        l.root_principal, e.credential_uid, e.outcome, e.issued_credential_uid,
        e.issued_expires_time, e.principal, e.workload, e.user_agent_product, e.environment,
        e.event_uid, e.source, e.source_scope, e.native_uid, e.file_uid, e.record_number,
        e.source_ip, e.event_time, e.observed_time, e.event_count
    FROM late AS l
    JOIN events AS e ON e.credential_uid = l.credential_uid AND e.event_time >= l.late_time
    WHERE
        e.event_time <= {as_of_time}
        AND e.via_service IS NULL
        AND e.attribution <> 'principal'
        AND (e.outcome IN ('success', 'denied') OR NOT l.is_derived)
)
SELECT
    f.secret_id, f.version, f.credential_uid, f.is_derived, f.cutoff_time, f.revoked_time,
    f.expires_time,
    CASE
        WHEN f.is_derived THEN 'derived_after_cutoff'
        WHEN f.outcome = 'rejected' THEN 'rejected_after_cutoff'
        WHEN f.revoked_time IS NOT NULL AND f.event_time >= f.revoked_time THEN CASE
            WHEN f.outcome IN ('success', 'denied') THEN 'accepted_after_revocation'
            ELSE 'rejected_after_cutoff'
        END
        -- What was obtained has a name, or at least an end.
        WHEN f.outcome = 'success'
            AND (f.issued_credential_uid IS NOT NULL OR f.issued_expires_time IS NOT NULL)
            THEN 'exchanged_after_cutoff'
        ELSE 'accepted_after_cutoff'
    END AS class,
    coalesce(f.root_principal, f.principal) AS principal,
    coalesce(
        f.workload,
        a.workload,
        nullif(concat_ws(' / ', f.principal, f.user_agent_product, a.network), '')
    ) AS workload,
    coalesce(f.environment, a.environment) AS environment,
    f.event_uid, f.source, f.source_scope, f.native_uid, f.file_uid, f.record_number, f.source_ip,
    f.event_time, f.observed_time, f.event_count
FROM addresses AS a
RIGHT JOIN found AS f ON f.source_ip = a.source_ip
