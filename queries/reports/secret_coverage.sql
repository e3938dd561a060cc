-- secret_coverage: per secret version, the logs that could have shown a use of it.
-- Answers: which sources could have shown this credential, and up to when were they read?
-- Reads: secret_versions, version_credentials, version_sources, source_coverage
-- Cannot show: sources whose logs were never read; whether a source of the same kind of identifier
-- is the one that this version is used at.
-- known_by says why a source and scope is listed, as `version_sources` has it: `seen`,
-- `same_secret` or `same_kind`. Of a version without any there is one row, which says `no_source`,
-- or `no_identifier` where it is known by none, so that no log can show it.
WITH named AS (
    SELECT DISTINCT secret_id, version FROM version_credentials
)
SELECT
    v.secret_id,
    v.version,
    k.source,
    k.source_scope,
    coalesce(
        k.known_by, CASE WHEN n.secret_id IS NULL THEN 'no_identifier' ELSE 'no_source' END
    ) AS known_by,
    s.start_time,
    s.watermark_time,
    s.delay,
    s.reject_count,
    s.hole_count,
    s.blind_spots,
    s.holes
FROM secret_versions AS v
LEFT JOIN version_sources AS k ON k.secret_id = v.secret_id AND k.version = v.version
LEFT JOIN named AS n ON n.secret_id = v.secret_id AND n.version = v.version
LEFT JOIN source_coverage AS s ON s.source = k.source AND s.source_scope = k.source_scope
ORDER BY v.secret_id, v.version_number, v.version, k.place, k.source, k.source_scope
