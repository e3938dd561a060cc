-- entra_sign_in: sign-ins to Microsoft Entra ID: of service principals and
-- managed identities, and of users where the same export has them.
--
-- Shows: which secret or certificate of an application (`keyId`, else the
-- certificate's thumbprint) or which federated credential obtained which token
-- for which resource, and what was refused, and why.
--
-- Cannot show: the credential of a sign-in that was refused, mostly (then only
-- the application is named); the token that a workload of another issuer
-- presented; until when a token is valid; uses of a token; the life of keys
-- (that is in the category AuditLogs, which is skipped here).
--
-- Choices: A key's id is unique within its application, which is its scope:
-- an application signs in to many tenants with one key. The token is named by
-- its `uti` claim within the tenant, as logs of resources name it. Tokens are
-- taken to live for 90 minutes, the longest default, those of managed
-- identities for 24 hours, those under continuous access evaluation for 28.
-- Only errors that refuse the credential itself are `rejected`. Other failures
-- (consent, conditional access, a disabled application, unknown codes) issued
-- no token but may have followed a right secret: `denied`, which is a use.
SELECT
    "id" AS native_uid,
    parse_time("time") AS event_time,
    lower("tenant") AS source_scope,
    CASE WHEN "user" <> '' THEN 'auth' ELSE 'token_exchange' END AS category,
    'Sign-in activity' AS action,

    CASE
        WHEN "result" = '0' OR "result" = 'Success' THEN 'success'
        WHEN "result" IS NULL OR "result" = '' THEN 'unknown'
        WHEN "result" IN (
            '7000222', '7000215', '7000218', '7000216', '700027', '700024', '700023', '700021', '700022', '700016',
            '70021', '700211', '700212', '700213', '700223', '70002', '50027', '50013', '500133', '50012', '5002738',
            '70008', '70000', '700082', '700084', '700003', '50173', '50132', '50133', '50078',
            '50126', '50034', '50053', '50055', '50056', '50064', '50144', '500121'
        ) THEN 'rejected'
        WHEN "result" IN ('50000', '90012', '90024', '90033', '90041') THEN 'error'
        ELSE 'denied'
    END AS outcome,
    CASE
        WHEN "result" IN ('0', 'Success') THEN NULL
        WHEN "failure" <> '' AND "failure" <> 'Other.' THEN concat("result", ': ', "failure")
        ELSE "result"
    END AS reason,
    CASE
        WHEN "result" IN ('0', 'Success') OR "result" IS NULL OR "result" = '' THEN NULL
        WHEN "result" IN ('7000222', '700024', '70008', '700082', '700084', '500133', '50055', '50144', '50078')
            THEN 'expired'
        WHEN "result" IN ('50173', '50132', '50133', '700003') THEN 'revoked'
        WHEN "result" IN ('700016', '50034') THEN 'unknown_principal'
        WHEN "result" IN ('700027', '700021', '70021', '700211', '700212', '700213', '700223', '7000218')
            THEN 'unknown_credential'
        WHEN "result" IN ('50053', '50196', '90055') THEN 'throttled'
        WHEN "result" IN (
            '7000215', '7000216', '700023', '700022', '70002', '70000', '50027', '50013', '50012', '5002738',
            '50126', '50056', '50064', '500121'
        ) THEN 'wrong_credential'
        WHEN "result" IN ('50000', '90012', '90024', '90033', '90041') THEN 'backend_fault'
        WHEN "result" IN (
            '7000112', '7000114', '50057', '50105', '53000', '53001', '53002', '53003', '53004', '530003', '530034',
            '65001', '50072', '50074', '50076', '50079', '501051', '500571', '50020'
        ) THEN 'not_allowed'
        ELSE 'request'
    END AS reason_class,

    CASE
        WHEN "key_id" <> '' AND "key_id" <> '00000000-0000-0000-0000-000000000000' THEN "key_id"
        WHEN "thumbprint" <> '' THEN "thumbprint"
        WHEN "federated" <> '' AND "federated" <> '00000000-0000-0000-0000-000000000000' THEN "federated"
    END AS credential_value,
    CASE
        WHEN "key_id" <> '' AND "key_id" <> '00000000-0000-0000-0000-000000000000' THEN 'entra_key_id'
        WHEN "thumbprint" <> '' THEN 'x509_sha1'
        ELSE 'entra_federated_credential_id'
    END AS credential_kind,
    CASE
        WHEN ("key_id" <> '' AND "key_id" <> '00000000-0000-0000-0000-000000000000')
            OR COALESCE("thumbprint", '') = '' THEN lower("app")
    END AS credential_scope,

    CASE WHEN "result" IN ('0', 'Success') THEN "token" END AS issued_credential_value,
    'jwt_id' AS issued_credential_kind,
    lower("tenant") AS issued_credential_scope,
    CASE
        WHEN "result" IN ('0', 'Success') THEN parse_time("time") + arrow_cast(CASE
            WHEN "long_lived" = 'True' THEN 100800
            WHEN "category" = 'ManagedIdentitySignInLogs' OR lower("identity_type") LIKE '%assigned' THEN 86400
            ELSE 5400
        END, 'Duration(Second)')
    END AS issued_expires_time,
    CASE WHEN "result" IN ('0', 'Success') THEN 'default' END AS issued_ttl_source,

    COALESCE(NULLIF("user", ''), NULLIF("service_principal", ''), "app") AS principal,
    -- Only a managed identity tells what runs: the resource that it is assigned to.
    CASE
        WHEN "assigned_to" <> '' THEN regexp_replace("assigned_to", '^.*/', '')
        WHEN lower("identity_type") = 'systemassigned' THEN "service_principal"
    END AS workload,
    CASE
        WHEN "assigned_to" <> '' THEN 'associatedResourceId'
        WHEN lower("identity_type") = 'systemassigned' THEN 'servicePrincipalName'
    END AS workload_evidence,
    COALESCE(NULLIF("ip", ''), NULLIF("caller_ip", '')) AS source_ip,
    -- Without a user agent, the library that asked: `Family: MSAL Library: MSAL.Java 1.10.0 Platform: Java`.
    CASE
        WHEN "user_agent" <> '' THEN "user_agent"
        WHEN "library" LIKE '%Library: Unknown%' THEN NULL
        WHEN "library" LIKE '%Library: % Platform:%'
            THEN regexp_replace("library", '^.*Library: (\S+) (\S+) Platform:.*$', '\1/\2')
    END AS user_agent,
    lower("tenant") AS account,
    NULLIF("resource_name", '') AS service,
    -- That of the envelope is the tenant.
    CASE WHEN "resource" <> '' AND "resource" NOT LIKE '/tenants/%' THEN "resource" END AS resource
FROM raw
-- Diagnostic exports may mix categories.
WHERE "category" LIKE '%SignInLogs' OR ("category" IS NULL AND "app" IS NOT NULL)
