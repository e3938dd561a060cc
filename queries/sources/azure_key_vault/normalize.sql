-- azure_key_vault: requests to Azure Key Vault and Managed HSM.
--
-- Shows: who reads which secret, and which version where one was asked for or
-- answered; new, changed and deleted secrets, keys and certificates; the token
-- of the caller, where the record carries its `uti` claim.
--
-- Cannot show: values; the version behind a read of the current one, where the
-- id in the record has none; which secret of an application obtained the
-- token, but through the sign-in that issued it; that two spellings of a name
-- are one secret (names match without case, and stand here as written).
--
-- Choices: The HTTP status decides: `resultType` may say Success beside a 403.
-- A client without a token asks first and gets a 401 that tells it where to
-- obtain one: `rejected`, with neither credential nor principal. Records have
-- no id of their own (`correlationId` is the client's). Deleting a secret says
-- nothing of single versions, whose values stay valid where they are used.
-- A token's id is unique within the tenant, else within the vault.
SELECT
    parse_time("time") AS event_time,
    lower(regexp_replace("vault", '^.*/', '')) AS source_scope,
    CASE
        WHEN "status" = '401' OR "operation" = 'Authentication'
            OR ("status" IS NULL AND "signature" = 'Unauthorized') THEN 'auth'
        -- What failed, other than for want of permission, read and changed nothing.
        WHEN "status" LIKE '4__' AND "status" <> '403' OR "status" LIKE '5__' THEN 'upstream'
        WHEN "status" IS NULL AND "result" <> 'Success' AND ("signature" IS DISTINCT FROM 'Forbidden') THEN 'upstream'
        WHEN "operation" = 'SecretGet' THEN 'secret_read'
        WHEN "operation" IN (
            'SecretSet', 'SecretUpdate', 'SecretDelete', 'SecretRecover', 'SecretPurge', 'SecretRestore',
            'KeyCreate', 'KeyImport', 'KeyRotate', 'KeyUpdate', 'KeyDelete', 'KeyRecover', 'KeyPurge', 'KeyRestore',
            'CertificateCreate', 'CertificateImport', 'CertificateMerge', 'CertificateRenew', 'CertificateUpdate',
            'CertificateDelete', 'CertificateRecover', 'CertificatePurge', 'CertificateRestore'
        ) THEN 'lifecycle'
        WHEN "operation" LIKE '%NearExpiry%' OR "operation" LIKE '%Expired%'
            OR "operation" LIKE '%NewVersionCreated%' THEN 'lifecycle'
        ELSE 'upstream'
    END AS category,
    "operation" AS action,

    CASE
        WHEN "status" LIKE '2__' OR "status" LIKE '3__' THEN 'success'
        WHEN "status" = '401' THEN 'rejected'
        WHEN "status" = '403' OR "status" = '429' THEN 'denied'
        WHEN "status" LIKE '5__' THEN 'error'
        WHEN "status" LIKE '4__' THEN 'success'
        WHEN "signature" = 'Unauthorized' THEN 'rejected'
        WHEN "signature" = 'Forbidden' THEN 'denied'
        ELSE 'success'
    END AS outcome,
    CASE
        WHEN "status" LIKE '2__' OR "status" LIKE '3__' THEN NULL
        WHEN "status" LIKE '4__' OR "status" LIKE '5__' OR "signature" IN ('Unauthorized', 'Forbidden')
            OR "result" <> 'Success'
            THEN COALESCE(NULLIF("description", ''), NULLIF("signature", ''), "status", "result")
    END AS reason,
    CASE
        WHEN "status" LIKE '2__' OR "status" LIKE '3__' THEN NULL
        WHEN "status" = '401' OR ("status" IS NULL AND "signature" = 'Unauthorized') THEN CASE
            WHEN "description" LIKE '%expired%' THEN 'expired' ELSE 'wrong_credential'
        END
        WHEN "status" = '403' OR ("status" IS NULL AND "signature" = 'Forbidden') THEN 'not_allowed'
        WHEN "status" = '429' THEN 'throttled'
        WHEN "status" LIKE '5__' THEN 'backend_fault'
        WHEN "status" LIKE '4__' OR "result" <> 'Success' THEN 'request'
    END AS reason_class,

    "token" AS credential_value,
    'jwt_id' AS credential_kind,
    lower("tenant") AS credential_scope,

    CASE
        WHEN "id" ~ '/(secrets|keys|certificates)/' OR "request_uri" ~ '/(secrets|keys|certificates)/'
            THEN regexp_replace(
                CASE WHEN "id" ~ '/(secrets|keys|certificates)/' THEN "id" ELSE "request_uri" END,
                '^(https://[^/]+/(secrets|keys|certificates)/[^/?]+).*$', '\1')
    END AS target_secret_id,
    CASE
        WHEN "id" ~ '/(secrets|keys|certificates)/[^/?]+/[0-9A-Fa-f]{32}'
            THEN regexp_replace("id", '^.*/(secrets|keys|certificates)/[^/?]+/([0-9A-Fa-f]{32}).*$', '\2')
        WHEN "request_uri" ~ '/(secrets|keys|certificates)/[^/?]+/[0-9A-Fa-f]{32}'
            THEN regexp_replace("request_uri", '^.*/(secrets|keys|certificates)/[^/?]+/([0-9A-Fa-f]{32}).*$', '\2')
    END AS target_version,
    CASE
        WHEN "id" ~ '/(secrets|keys|certificates)/[^/?]+/[0-9A-Fa-f]{32}' THEN 'properties.id'
        WHEN "request_uri" ~ '/(secrets|keys|certificates)/[^/?]+/[0-9A-Fa-f]{32}' THEN 'properties.requestUri'
    END AS version_evidence,
    -- Only what succeeded, and names its version, changes a state.
    CASE
        WHEN "status" NOT LIKE '2__' THEN NULL
        WHEN COALESCE("id", '') !~ '/(secrets|keys|certificates)/[^/?]+/[0-9A-Fa-f]{32}' THEN NULL
        WHEN "operation" IN ('SecretSet', 'KeyCreate', 'KeyImport', 'KeyRotate', 'CertificateImport', 'CertificateMerge')
            THEN 'current'
        WHEN "operation" = 'SecretUpdate' THEN CASE lower("enabled")
            WHEN 'false' THEN 'inactive' WHEN 'true' THEN 'active'
        END
    END AS target_state,

    COALESCE(NULLIF("user", ''), NULLIF("app", ''), NULLIF("object", '')) AS principal,
    -- A managed identity that users assign may run in many places.
    CASE
        WHEN "asked_by" <> '' THEN regexp_replace("asked_by", '^.*/', '')
        WHEN "identity" <> '' AND lower("identity") NOT LIKE '%/userassignedidentities/%'
            THEN regexp_replace("identity", '^.*/', '')
    END AS workload,
    CASE
        WHEN "asked_by" <> '' THEN 'identity.claim.xms_az_rid'
        WHEN "identity" <> '' AND lower("identity") NOT LIKE '%/userassignedidentities/%'
            THEN 'identity.claim.xms_mirid'
    END AS workload_evidence,
    NULLIF(regexp_replace("ip", '^(\d+\.\d+\.\d+\.\d+):\d+$', '\1'), '') AS source_ip,
    NULLIF("client_info", '') AS user_agent,
    CASE WHEN lower("vault") LIKE '/subscriptions/%' THEN lower(split_part("vault", '/', 3)) END AS account,
    lower(regexp_replace("vault", '^.*/', '')) AS resource
FROM raw
-- Exports may mix resources, and vaults write metrics and policy evaluations too.
WHERE lower("vault") LIKE '%/microsoft.keyvault/%' AND ("category" = 'AuditEvent' OR "category" IS NULL)
