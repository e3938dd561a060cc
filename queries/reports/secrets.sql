-- secrets: secrets, their versions, and the identifiers known for each.
-- Answers: what does lastuse look for?
-- Reads: secret_versions, version_credentials
SELECT
    v.secret_id, v.version, v.owner, v.state, v.active_time, v.cutoff_time, v.revoked_time,
    v.learnt_from,
    array_sort(array_agg(DISTINCT concat(
        c.id_kind, ' ', coalesce(c.id_value, substr(c.credential_uid, 1, 12))
    )) FILTER (WHERE c.id_kind IS NOT NULL)) AS identifiers
FROM secret_versions AS v
LEFT JOIN version_credentials AS c ON c.secret_id = v.secret_id AND c.version = v.version
GROUP BY 1, 2, v.version_number, 3, 4, 5, 6, 7, 8
ORDER BY v.secret_id, v.version_number, v.version
