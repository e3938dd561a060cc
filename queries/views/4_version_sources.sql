-- version_sources: per secret version, the sources and scopes that could have shown a use of it.
-- Answers: which logs must be complete before silence means anything?
-- Reads: secret_versions, version_credentials, descent, usage_totals
-- Cannot show: sources whose logs were never read; whether a source of the same kind of identifier
-- is the one that this version is used at.
-- known_by says why, the strongest reason only: `seen`, an event there names a credential of this
-- version or one obtained from it; `same_secret`, one of another version of the secret;
-- `same_kind`, its events name credentials of a kind that this version is known by.
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
)
SELECT
    secret_id, version, source, source_scope, min(place) AS place,
    CASE min(place) WHEN 1 THEN 'seen' WHEN 2 THEN 'same_secret' ELSE 'same_kind' END AS known_by
FROM reasons
GROUP BY secret_id, version, source, source_scope
