-- spire: calls of the SPIRE server's API.
--
-- Shows: which agent (by its SPIFFE id) obtained SVIDs for which workload, and
-- until when; the join token behind an agent's attestation; agents that were
-- refused because their certificate is expired, replaced or banned; join
-- tokens, entries and signing authorities that were made or ended.
--
-- Cannot show: the certificate that a caller presented, unless it was refused
-- as not active; serial numbers of issued SVIDs below log level debug, and ids
-- of JWT-SVIDs at any; the expiry of an agent's SVID; the value of a join token
-- until an agent has used it up: its SPIFFE id then ends with it, here too.
--
-- Choices: The audit record of an issuance names the hash of its request
-- (`csr`), the debug line of the same call the serial number: one event, for
-- which the debug line stands if there is one (stage 2). Serial numbers are
-- decimal here and hexadecimal elsewhere, hence a kind of their own. A call
-- that is refused before it is audited leaves one or two lines: what they say
-- of the agent's certificate (stage 2) is `rejected`, a caller without the
-- right is `denied`. A batch makes one record for each entry, all with one
-- `request_id`. JSON has gRPC's numbers where text has their names. A caller on
-- the local socket is its user, and the binary the workload. Deleted and banned
-- agents are refused from then on: `revoked`. What an entry issued lives on
-- after the entry: `inactive`.
SELECT
    CASE
        WHEN "request_id" IS NULL THEN NULL
        WHEN "method" NOT LIKE 'Batch%' OR "message" NOT IN ('API accessed', 'Signed X509 SVID') THEN "request_id"
        WHEN "entry_id" <> '' THEN concat("request_id", '/', "entry_id")
    END AS native_uid,
    CASE WHEN "message" LIKE 'Agent %' OR "message" LIKE '%igned %' THEN 2 ELSE 1 END AS stage,
    parse_time("event_time") AS event_time,
    CASE
        WHEN "method" IN (
            'AttestAgent', 'RenewAgent', 'CreateJoinToken', 'MintX509SVID', 'MintJWTSVID', 'MintWITSVID',
            'BatchNewX509SVID', 'NewJWTSVID', 'BatchNewWITSVID', 'NewDownstreamX509CA') THEN 'token_exchange'
        WHEN "method" IN ('BanAgent', 'DeleteAgent', 'BatchCreateEntry', 'BatchUpdateEntry', 'BatchDeleteEntry')
            OR "service" LIKE 'localauthority.%' AND "method" NOT LIKE 'Get%' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "method" AS action,

    CASE
        WHEN "message" LIKE 'Agent %' THEN 'rejected'
        WHEN "message" LIKE 'Failed to authenticate%' OR "message" LIKE 'Authorization failure%' THEN 'denied'
        WHEN "message" LIKE '%igned %' OR "status" = 'success' THEN 'success'
        WHEN "status_code" IN ('Internal', 'Unavailable', 'Unknown', 'DeadlineExceeded', 'Canceled', 'DataLoss',
            '13', '14', '2', '4', '1', '15') THEN 'error'
        WHEN "status_code" IN ('Unauthenticated', '16') THEN 'rejected'
        WHEN "status_code" IN ('ResourceExhausted', '8') THEN 'denied'
        WHEN "method" = 'AttestAgent' THEN 'rejected'
        WHEN "status_code" IN ('PermissionDenied', '7') OR "status_message" LIKE '%not authorized%' THEN 'denied'
        WHEN "status" = 'error' THEN 'success'
        ELSE 'unknown'
    END AS outcome,
    CASE
        WHEN "message" LIKE 'Agent %' THEN "message"
        ELSE replace(COALESCE("status_message", "error"), '\"', '"')
    END AS reason,
    CASE
        WHEN "message" = 'Agent SVID is expired' THEN 'expired'
        WHEN "message" = 'Agent is not attested' THEN 'unknown_principal'
        WHEN "message" LIKE 'Agent %' THEN 'revoked'
        WHEN "message" LIKE 'Failed to authenticate%' OR "message" LIKE 'Authorization failure%' THEN 'not_allowed'
        WHEN "status_code" IS NULL THEN NULL
        WHEN "status_code" IN ('Internal', 'Unavailable', 'Unknown', 'DeadlineExceeded', 'Canceled', 'DataLoss',
            '13', '14', '2', '4', '1', '15') THEN 'backend_fault'
        WHEN "status_code" IN ('ResourceExhausted', '8') THEN 'throttled'
        WHEN "method" = 'AttestAgent' THEN CASE
            WHEN "status_message" LIKE '%expired%' THEN 'expired'
            WHEN "status_message" LIKE '%is banned%' OR "status_message" LIKE '%already been used to attest%' THEN 'revoked'
            WHEN "status_message" LIKE '%join token does not exist%' THEN 'unknown_credential'
            WHEN "status_message" LIKE 'malformed%' THEN 'request'
            ELSE 'wrong_credential'
        END
        WHEN "status_code" IN ('Unauthenticated', '16') THEN 'wrong_credential'
        WHEN "status_code" IN ('PermissionDenied', '7') OR "status_message" LIKE '%not authorized%' THEN 'not_allowed'
        ELSE 'request'
    END AS reason_class,

    CASE
        WHEN "message" = 'Agent SVID is not active' THEN "svid_serial_num"
        WHEN "node_attestor_type" = 'join_token' AND "agent_id" LIKE '%/spire/agent/join_token/%'
            THEN split_part("agent_id", '/spire/agent/join_token/', 2)
    END AS credential_value,
    CASE WHEN "message" = 'Agent SVID is not active' THEN 'x509_serial_decimal' ELSE 'secret_value' END
        AS credential_kind,
    CASE
        WHEN "message" = 'Agent SVID is not active' THEN split_part(COALESCE("caller_id", ''), '/', 3)
    END AS credential_scope,

    CASE
        WHEN "message" = 'Signed X509 SVID' THEN "serial_num"
        WHEN "message" = 'API accessed' AND "status" = 'success' THEN "csr"
    END AS issued_credential_value,
    CASE WHEN "message" = 'Signed X509 SVID' THEN 'x509_serial_decimal' ELSE 'csr_sha256' END AS issued_credential_kind,
    CASE WHEN "message" = 'Signed X509 SVID' THEN split_part(COALESCE("spiffe_id", ''), '/', 3) END
        AS issued_credential_scope,
    CASE
        WHEN "status" = 'error' THEN NULL
        WHEN "message" LIKE '%igned %' THEN parse_time("expiration")
        WHEN "method" NOT IN (
            'CreateJoinToken', 'MintX509SVID', 'MintJWTSVID', 'BatchNewX509SVID', 'NewJWTSVID', 'NewDownstreamX509CA')
            THEN NULL
        WHEN "expires_at" IS NOT NULL THEN parse_time("expires_at")
        WHEN TRY_CAST("ttl" AS BIGINT) BETWEEN 1 AND 4000000000
            THEN parse_time("event_time") + arrow_cast(TRY_CAST("ttl" AS BIGINT), 'Duration(Second)')
    END AS issued_expires_time,
    CASE
        WHEN "status" = 'error' THEN NULL
        WHEN "message" LIKE '%igned %' THEN 'response'
        WHEN "method" NOT IN (
            'CreateJoinToken', 'MintX509SVID', 'MintJWTSVID', 'BatchNewX509SVID', 'NewJWTSVID', 'NewDownstreamX509CA')
            THEN NULL
        WHEN "expires_at" IS NOT NULL THEN 'response'
        WHEN TRY_CAST("ttl" AS BIGINT) BETWEEN 1 AND 4000000000 THEN 'request'
    END AS issued_ttl_source,

    CASE
        WHEN "method" IN ('BanAgent', 'DeleteAgent') THEN "spiffe_id"
        WHEN "method" IN ('BatchCreateEntry', 'BatchUpdateEntry', 'BatchDeleteEntry') THEN CASE
            WHEN "entry_id" <> '' THEN concat('entry/', "entry_id") ELSE "spiffe_id"
        END
    END AS target_secret_id,
    CASE WHEN "service" LIKE 'localauthority.%' AND "method" NOT LIKE 'Get%' THEN "local_authority_id" END
        AS target_credential_value,
    'spire_authority_id' AS target_credential_kind,
    CASE
        WHEN "status" IS DISTINCT FROM 'success' THEN NULL
        WHEN "method" IN ('BanAgent', 'DeleteAgent') THEN 'revoked'
        WHEN "method" = 'BatchCreateEntry' THEN 'active'
        WHEN "method" = 'BatchDeleteEntry' THEN 'inactive'
        WHEN "local_authority_id" IS NULL THEN NULL
        WHEN "method" LIKE 'Prepare%Authority' THEN 'active'
        WHEN "method" LIKE 'Activate%Authority' THEN 'current'
        WHEN "method" LIKE 'Taint%Authority' THEN 'previous'
        WHEN "method" LIKE 'Revoke%Authority' THEN 'revoked'
    END AS target_state,

    CASE
        WHEN "caller_id" <> '' THEN "caller_id"
        WHEN "agent_id" <> '' THEN "agent_id"
        WHEN "caller_uid" IS NOT NULL THEN concat('uid/', "caller_uid")
    END AS principal,
    COALESCE(NULLIF("caller_id", ''), NULLIF("agent_id", ''), "caller_path") AS workload,
    CASE
        WHEN "caller_id" <> '' THEN 'caller_id'
        WHEN "agent_id" <> '' THEN 'agent_id'
        WHEN "caller_path" IS NOT NULL THEN 'caller_path'
    END AS workload_evidence,
    regexp_replace("caller_addr", '^\[?([^\[\]]*?)\]?:[0-9]+$', '\1') AS source_ip,
    NULLIF(split_part(COALESCE(NULLIF("caller_id", ''), NULLIF("agent_id", ''), NULLIF("spiffe_id", ''), ''), '/', 3), '')
        AS account,
    "service" AS service,
    NULLIF("spiffe_id", '') AS resource
FROM raw
WHERE "service" IS NOT NULL AND (
    ("message" = 'API accessed' AND "record_type" = 'audit')
    OR "message" IN (
        'Signed X509 SVID', 'Server CA successfully signed JWT SVID',
        'Agent SVID is expired', 'Agent is not attested', 'Agent is banned', 'Agent SVID is not active',
        'Failed to authenticate caller', 'Authorization failure from OPA auth'))
