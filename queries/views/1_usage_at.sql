-- usage_at: usage up to the instant of the report.
-- Answers: what had been seen by then, to the microsecond?
-- Reads: usage; events only within the hour of the instant, which file statistics find.
SELECT
    hour_time, credential_uid, id_kind, attribution, outcome, via_service, source, source_scope,
    principal, workload, workload_evidence, instance, source_ip, user_agent_product, account,
    environment, attempt_count, first_time, last_time
FROM usage
WHERE hour_time < {as_of_hour}
UNION ALL
SELECT
    {as_of_hour} AS hour_time, credential_uid, id_kind, attribution, outcome, via_service, source,
    source_scope, principal, workload, workload_evidence, instance, source_ip, user_agent_product,
    account, environment, sum(event_count) AS attempt_count, min(event_time) AS first_time,
    max(event_time) AS last_time
FROM events
WHERE event_time >= {as_of_hour} AND event_time <= {as_of_time} AND attribution <> 'none'
GROUP BY
    credential_uid, id_kind, attribution, outcome, via_service, source, source_scope, principal,
    workload, workload_evidence, instance, source_ip, user_agent_product, account, environment
