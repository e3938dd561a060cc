-- datadog_audit, further row: the application key of a request that names its
-- API key too.
SELECT
    "application_key" AS credential_value,
    'datadog_application_key' AS credential_kind
FROM raw
WHERE "application_key" <> '' AND "api_key" <> ''
