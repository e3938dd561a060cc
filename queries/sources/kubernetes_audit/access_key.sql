-- kubernetes_audit, further row: the AWS key that signed the token (EKS), beside the
-- id of a credential.
SELECT
    "access_key" AS credential_value,
    'aws_access_key_id' AS credential_kind
FROM raw
WHERE "access_key" <> '' AND "credential_id" <> ''
