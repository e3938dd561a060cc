-- consumer_facts: what is known of each consumer of each secret version.
-- Answers: first, last, last use, counts and derived counts.
-- Reads: version_usage
-- In two steps: the first leaves few rows of the many, and the lists of the second cost by the row.
-- A list of text views would take 8 KiB at least, and array_agg(DISTINCT) works group by group.
WITH parts AS (
    SELECT
        secret_id, version, version_number,
        CASE WHEN secret_id IS NULL THEN credential_uid END AS own_uid,
        workload, principal, environment, evidence, id_kind, attribution, outcome, is_derived,
        source, source_ip, user_agent_product,
        min(credential_uid) AS credential_uid,
        min(first_time) AS first_time, max(last_time) AS last_time,
        sum(attempt_count) AS attempt_count, max(expires_time) AS expires_time
    FROM version_usage
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
)
SELECT
    secret_id, version, version_number,
    min(credential_uid) AS credential_uid,
    min(id_kind) AS id_kind,
    workload, principal, environment,
    min(evidence) AS evidence,
    min(first_time) FILTER (WHERE NOT is_derived) AS first_seen_time,
    max(last_time) FILTER (WHERE NOT is_derived) AS last_seen_time,
    max(last_time) FILTER (
        WHERE NOT is_derived AND outcome IN ('success', 'denied') AND attribution <> 'principal'
    ) AS last_used_time,
    max(last_time) FILTER (WHERE NOT is_derived AND outcome = 'rejected') AS last_rejected_time,
    coalesce(sum(attempt_count) FILTER (WHERE NOT is_derived), 0) AS attempt_count,
    coalesce(sum(attempt_count) FILTER (
        WHERE NOT is_derived AND outcome IN ('success', 'denied')
    ), 0) AS use_count,
    coalesce(sum(attempt_count) FILTER (
        WHERE NOT is_derived AND outcome = 'rejected'
    ), 0) AS rejected_count,
    coalesce(sum(attempt_count) FILTER (
        WHERE is_derived AND outcome IN ('success', 'denied')
    ), 0) AS derived_use_count,
    max(last_time) FILTER (
        WHERE is_derived AND outcome IN ('success', 'denied')
    ) AS derived_last_used_time,
    max(expires_time) AS tail_expires_time,
    array_sort(array_distinct(array_agg(arrow_cast(source_ip, 'Utf8')) FILTER (WHERE source_ip IS NOT NULL))) AS source_ips,
    array_sort(array_distinct(array_agg(arrow_cast(user_agent_product, 'Utf8')) FILTER (
        WHERE user_agent_product IS NOT NULL
    ))) AS user_agents,
    array_sort(array_distinct(array_agg(arrow_cast(source, 'Utf8')))) AS sources,
    min(attribution) FILTER (WHERE NOT is_derived) AS direct_attribution
FROM parts
GROUP BY secret_id, version, version_number, own_uid, workload, principal, environment
