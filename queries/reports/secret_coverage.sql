-- secret_coverage: per secret version, the logs that could have shown a use of it.
-- Answers: which sources could have shown this credential, and up to when were they read?
-- Reads: secret_versions, version_credentials, descent, usage_totals, source_coverage
-- Cannot show: sources whose logs were never read; whether a source of the same kind of identifier
-- is the one that this version is used at.
-- known_by says why a source and scope is listed, the strongest reason only: `seen`, an event there
-- names a credential of this version or one obtained from it; `same_secret`, one of another
-- version of the secret; `same_kind`, its events name credentials of a kind that this version is
-- known by. Of a version that none of them is true of there is one row, which says `no_source`,
-- or `no_identifier` where it is known by none, so that no log can show it.
-- A hash and the secret itself are one kind: either way the credential is the same.
WITH shown AS (
    SELECT
        credential_uid, source, coalesce(source_scope, '') AS source_scope,
        CASE WHEN id_kind = 'secret_sha256' THEN 'secret_value' ELSE id_kind END AS id_kind,
        bool_or(attribution = 'exact') AS is_exact
    FROM usage_totals
    WHERE credential_uid IS NOT NULL
    GROUP BY 1, 2, 3, 4
),
kinds AS (
    SELECT DISTINCT source, source_scope, id_kind FROM shown WHERE is_exact
),
own AS (
    SELECT c.secret_id, c.version, s.source, s.source_scope
    FROM version_credentials AS c
    JOIN shown AS s ON s.credential_uid = c.credential_uid
    UNION
    SELECT d.secret_id, d.version, s.source, s.source_scope
    FROM descent AS d
    JOIN shown AS s ON s.credential_uid = d.credential_uid
    WHERE d.secret_id IS NOT NULL
),
reasons AS (
    SELECT
        v.secret_id, v.version, o.source, o.source_scope,
        CASE WHEN o.version = v.version THEN 1 ELSE 2 END AS place
    FROM secret_versions AS v
    JOIN own AS o ON o.secret_id = v.secret_id
    UNION ALL
    SELECT c.secret_id, c.version, k.source, k.source_scope, 3 AS place
    FROM version_credentials AS c
    JOIN kinds AS k
        ON k.id_kind = CASE WHEN c.id_kind = 'secret_sha256' THEN 'secret_value' ELSE c.id_kind END
),
known AS (
    SELECT secret_id, version, source, source_scope, min(place) AS place
    FROM reasons
    GROUP BY 1, 2, 3, 4
),
named AS (
    SELECT DISTINCT secret_id, version FROM version_credentials
)
SELECT
    v.secret_id,
    v.version,
    k.source,
    k.source_scope,
    CASE
        WHEN k.place = 1 THEN 'seen'
        WHEN k.place = 2 THEN 'same_secret'
        WHEN k.place = 3 THEN 'same_kind'
        WHEN n.secret_id IS NULL THEN 'no_identifier'
        ELSE 'no_source'
    END AS known_by,
    s.start_time,
    s.watermark_time,
    s.delay,
    s.reject_count,
    s.hole_count,
    s.blind_spots,
    s.holes
FROM secret_versions AS v
LEFT JOIN known AS k ON k.secret_id = v.secret_id AND k.version = v.version
LEFT JOIN named AS n ON n.secret_id = v.secret_id AND n.version = v.version
LEFT JOIN source_coverage AS s ON s.source = k.source AND s.source_scope = k.source_scope
ORDER BY v.secret_id, v.version_number, v.version, k.place, k.source, k.source_scope
