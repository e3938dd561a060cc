-- consumers: workload and principal with the evidence that named them.
-- Answers: who was seen presenting credentials, and how do we know who it was?
-- Reads: consumer_usage
SELECT
    workload, principal, environment, evidence,
    min(first_time) AS first_seen_time, max(last_time) AS last_seen_time,
    count(DISTINCT credential_uid) AS credential_count, sum(attempt_count) AS attempt_count
FROM consumer_usage
GROUP BY workload, principal, environment, evidence
