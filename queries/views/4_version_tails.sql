-- version_tails: until when what was obtained with a credential can still be valid.
-- Answers: when will the last session of a secret version have ended?
-- Reads: lineage, exchanges, params (as_of_time)
-- Cannot show: sessions whose issuing event is missing; see `unresolved_sessions`.
-- endless_issued_time is when something was last obtained of which no log says how long it is valid.
WITH unnamed AS (
    -- Some logs say until when what was obtained is valid, and not what it is.
    SELECT
        x.parent_credential_uid AS credential_uid, x.issued_time, x.expires_time
    FROM exchanges AS x
    CROSS JOIN params AS p
    WHERE x.link_strength = 'id_principal' AND x.issued_time <= p.as_of_time
),
obtained AS (
    SELECT
        l.root_credential_uid AS credential_uid, coalesce(l.issued_time, l.root_issued_time) AS issued_time,
        l.expires_time
    FROM lineage AS l
    CROSS JOIN params AS p
    WHERE l.root_issued_time <= p.as_of_time
    UNION ALL
    SELECT credential_uid, issued_time, expires_time FROM unnamed
    UNION ALL
    SELECT l.root_credential_uid AS credential_uid, u.issued_time, u.expires_time
    FROM unnamed AS u
    JOIN lineage AS l ON l.credential_uid = u.credential_uid
)
SELECT
    credential_uid,
    max(expires_time) AS tail_expires_time,
    max(issued_time) FILTER (WHERE expires_time IS NULL) AS endless_issued_time
FROM obtained
WHERE credential_uid IS NOT NULL
GROUP BY credential_uid
