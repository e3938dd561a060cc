-- consumer_states: where each consumer of a secret stands between its old and new version.
-- Answers: who has switched, who has not, who went back?
-- Reads: consumer_facts, secret_versions, params (as_of_time)
-- The newest version of a secret is its new one, all others are old; while there is only one,
-- it is the old one. A consumer's rhythm is taken as three times its mean gap between active
-- hours, at least one hour; these are plain rules, without a stated risk.
WITH newest AS (
    SELECT secret_id, max(version_number) AS newest_number, count(*) AS version_count
    FROM secret_versions
    GROUP BY secret_id
),
sides AS (
    SELECT
        f.secret_id, f.workload, f.environment,
        n.version_count > 1 AND f.version_number = n.newest_number AS is_new,
        min(f.first_used_time) AS first_used,
        max(greatest(f.last_used_time, f.derived_last_used_time)) AS last_used,
        max(f.last_rejected_time) AS last_rejected,
        sum(f.active_hours) AS active_hours
    FROM consumer_facts AS f
    JOIN newest AS n ON n.secret_id = f.secret_id
    GROUP BY 1, 2, 3, 4
),
pairs AS (
    SELECT
        secret_id, workload, environment,
        min(first_used) FILTER (WHERE NOT is_new) AS old_first,
        max(last_used) FILTER (WHERE NOT is_new) AS old_last,
        sum(active_hours) FILTER (WHERE NOT is_new) AS old_hours,
        min(first_used) FILTER (WHERE is_new) AS new_first,
        max(last_used) FILTER (WHERE is_new) AS new_last,
        max(last_rejected) FILTER (WHERE is_new) AS new_rejected,
        sum(active_hours) AS hours,
        min(first_used) AS first_used,
        max(last_used) AS last_used
    FROM sides
    GROUP BY 1, 2, 3
),
rhythms AS (
    SELECT
        p.*,
        greatest(
            3600.0,
            CASE
                WHEN hours > 1
                THEN 3.0 * (to_unixtime(last_used) - to_unixtime(first_used)) / (hours - 1)
                ELSE 86400.0 * 35
            END
        ) AS rhythm_seconds,
        to_unixtime(a.as_of_time) - to_unixtime(p.last_used) AS quiet_seconds,
        to_unixtime(p.old_last) - to_unixtime(p.new_last) AS old_after_new_seconds
    FROM pairs AS p
    CROSS JOIN params AS a
)
SELECT
    secret_id, workload, environment, rhythm_seconds,
    CASE
        -- Whoever was only ever refused has used neither version.
        WHEN last_used IS NULL AND new_rejected IS NULL THEN NULL
        WHEN new_rejected IS NOT NULL AND (new_last IS NULL OR new_rejected > new_last)
            THEN 'failing_new'
        WHEN quiet_seconds > greatest(rhythm_seconds * 3, 86400.0 * 7) AND old_last IS NOT NULL
            AND (new_last IS NULL OR old_after_new_seconds > 0)
            THEN 'dormant'
        WHEN new_last IS NULL THEN 'old_only'
        WHEN old_last IS NULL THEN 'new_only'
        WHEN old_last < new_first THEN 'switched'
        WHEN old_after_new_seconds > rhythm_seconds THEN 'reverted'
        WHEN -old_after_new_seconds > rhythm_seconds THEN 'switched'
        ELSE 'both'
    END AS state
FROM rhythms
