-- aws_cloudtrail: API calls, sign-ins and service events of AWS accounts.
--
-- Shows: the access key of every signed call (`AKIA` long-lived, `ASIA`
-- session), which key obtained which session and until when (STS, Roles
-- Anywhere, Cognito), who reads which version of a secret (Secrets Manager,
-- SSM, and KMS on their behalf), and the life of access keys and of secrets.
--
-- Cannot show: data events that the trail does not log; which key a password
-- sign-in or a service acting on its own used (none); the version behind a
-- GetSecretValue that names none, except through the KMS event beside it; the
-- further names of a GetParameters or BatchGetSecretValue (KMS names each);
-- which versions a rotation or DeleteSecret ended; sessions that end early by
-- an `AWSRevokeOlderSessions` policy; the path of an IAM user in the name of
-- an access key's secret.
--
-- Choices: An error code that comes after authentication (NoSuchKey,
-- ValidationException, DryRunOperation, ...) is a use and `success`, with the
-- code as the reason. AWS throttles by account and principal, so it had to
-- authenticate the caller to do so: throttled is a use, not allowed for now,
-- hence `denied`. Only a fault of the backend itself is `error`.
-- A service that forwards a call (`invokedBy`) signs with a throw-away session
-- of its own: for users, root and federated users that key is nobody's
-- credential and is left out; a role's session is its own, and kept.
SELECT
    "eventID" AS native_uid,
    parse_time("time") AS event_time,
    "account" AS source_scope,
    CASE
        WHEN "issued_key" IS NOT NULL THEN 'token_exchange'
        -- What failed, other than for want of permission, read and changed nothing.
        WHEN "errorCode" NOT LIKE '%Denied%' AND "errorCode" NOT LIKE '%Unauthorized%' THEN CASE
            WHEN "eventName" LIKE 'AssumeRo%' OR "eventName" IN ('GetSessionToken', 'GetFederationToken')
                THEN 'token_exchange'
            ELSE 'upstream'
        END
        WHEN "decrypted" IS NOT NULL AND "eventName" = 'Decrypt' THEN 'secret_read'
        WHEN "requestParameters.withDecryption" = 'true' THEN 'secret_read'
        WHEN "requestParameters.type" = 'SecureString' THEN 'lifecycle'
        ELSE CASE "eventName"
            WHEN 'AssumeRole' THEN 'token_exchange'
            WHEN 'AssumeRoleWithSAML' THEN 'token_exchange'
            WHEN 'AssumeRoleWithWebIdentity' THEN 'token_exchange'
            WHEN 'AssumeRoot' THEN 'token_exchange'
            WHEN 'GetSessionToken' THEN 'token_exchange'
            WHEN 'GetFederationToken' THEN 'token_exchange'
            WHEN 'GetRoleCredentials' THEN 'token_exchange'
            WHEN 'GetCredentialsForIdentity' THEN 'token_exchange'
            WHEN 'GetSigninToken' THEN 'token_exchange'
            WHEN 'CreateTokenWithIAM' THEN 'token_exchange'
            WHEN 'ConsoleLogin' THEN 'auth'
            WHEN 'ExternalIdPDirectoryLogin' THEN 'auth'
            WHEN 'CredentialVerification' THEN 'auth'
            WHEN 'UserAuthentication' THEN 'auth'
            WHEN 'SwitchRole' THEN 'auth'
            WHEN 'GetSecretValue' THEN 'secret_read'
            WHEN 'BatchGetSecretValue' THEN 'secret_read'
            WHEN 'CreateAccessKey' THEN 'lifecycle'
            WHEN 'UpdateAccessKey' THEN 'lifecycle'
            WHEN 'DeleteAccessKey' THEN 'lifecycle'
            WHEN 'CreateServiceSpecificCredential' THEN 'lifecycle'
            WHEN 'ResetServiceSpecificCredential' THEN 'lifecycle'
            WHEN 'UpdateServiceSpecificCredential' THEN 'lifecycle'
            WHEN 'DeleteServiceSpecificCredential' THEN 'lifecycle'
            WHEN 'UploadSSHPublicKey' THEN 'lifecycle'
            WHEN 'UpdateSSHPublicKey' THEN 'lifecycle'
            WHEN 'DeleteSSHPublicKey' THEN 'lifecycle'
            WHEN 'UploadSigningCertificate' THEN 'lifecycle'
            WHEN 'UpdateSigningCertificate' THEN 'lifecycle'
            WHEN 'DeleteSigningCertificate' THEN 'lifecycle'
            WHEN 'CreateLoginProfile' THEN 'lifecycle'
            WHEN 'UpdateLoginProfile' THEN 'lifecycle'
            WHEN 'DeleteLoginProfile' THEN 'lifecycle'
            WHEN 'ChangePassword' THEN 'lifecycle'
            WHEN 'CreateSecret' THEN 'lifecycle'
            WHEN 'PutSecretValue' THEN 'lifecycle'
            WHEN 'UpdateSecret' THEN 'lifecycle'
            WHEN 'UpdateSecretVersionStage' THEN 'lifecycle'
            WHEN 'RotateSecret' THEN 'lifecycle'
            WHEN 'CancelRotateSecret' THEN 'lifecycle'
            WHEN 'RotationStarted' THEN 'lifecycle'
            WHEN 'RotationSucceeded' THEN 'lifecycle'
            WHEN 'RotationFailed' THEN 'lifecycle'
            WHEN 'RotationAbandoned' THEN 'lifecycle'
            WHEN 'DeleteSecret' THEN 'lifecycle'
            WHEN 'RestoreSecret' THEN 'lifecycle'
            WHEN 'StartSecretVersionDelete' THEN 'lifecycle'
            WHEN 'EndSecretVersionDelete' THEN 'lifecycle'
            ELSE 'upstream'
        END
    END AS category,
    "eventName" AS action,

    CASE
        WHEN "sign_in" = 'Failure' THEN 'rejected'
        WHEN "responseElements.SwitchRole" = 'Failure' THEN 'denied'
        WHEN "errorCode" IS NULL THEN 'success'
        WHEN "errorCode" IN (
            'AccessDenied', 'AccessDeniedException', 'AccessDeniedError',
            'UnauthorizedOperation', 'Client.UnauthorizedOperation',
            'UnauthorizedAccess', 'UnauthorizedException',
            'AuthorizationError', 'AuthorizationErrorException',
            'NotAuthorized', 'NotAuthorizedException', 'Forbidden', 'ForbiddenException',
            'VpceAccessDenied', 'AccountAccessDenied', 'AllAccessDisabled',
            'OptInRequired', 'Client.OptInRequired', 'SubscriptionRequiredException',
            'Blocked', 'Client.Blocked', 'PendingVerification', 'Client.PendingVerification',
            'Throttling', 'ThrottlingException', 'ThrottledException', 'Throttled',
            'RequestLimitExceeded', 'Client.RequestLimitExceeded',
            'TooManyRequestsException', 'RequestThrottled', 'RequestThrottledException',
            'ProvisionedThroughputExceededException', 'SlowDown',
            'EC2ThrottledException', 'PriorRequestNotComplete', 'BandwidthLimitExceeded'
        ) THEN 'denied'
        WHEN "errorCode" IN (
            'InvalidClientTokenId', 'UnrecognizedClientException', 'InvalidAccessKeyId',
            'InvalidToken', 'InvalidTokenException', 'InvalidIdentityToken',
            'InvalidIdentityTokenException', 'TokenRefreshRequired', 'IDPRejectedClaim',
            'ExpiredToken', 'ExpiredTokenException',
            'AuthFailure', 'Client.AuthFailure',
            'SignatureDoesNotMatch', 'InvalidSignatureException', 'InvalidSignature',
            'IncompleteSignature', 'IncompleteSignatureException',
            'MissingAuthenticationToken', 'MissingAuthenticationTokenException',
            'RequestExpired', 'Client.RequestExpired', 'RequestTimeTooSkewed'
        ) THEN 'rejected'
        WHEN "errorCode" IN (
            'InternalFailure', 'InternalFailureException', 'InternalError', 'InternalErrorException',
            'InternalServerError', 'InternalServerErrorException', 'InternalServerException',
            'InternalServiceError', 'InternalServiceErrorException', 'InternalServiceException',
            'ServiceUnavailable', 'ServiceUnavailableException', 'ServiceUnavailableError',
            'ServiceFailure', 'ServiceException', 'Unavailable', 'DependencyTimeoutException',
            'KMSInternalException', 'IDPCommunicationError'
        ) OR "errorCode" LIKE 'Server.%' THEN 'error'
        WHEN "errorCode" LIKE '%AccessDenied%' OR "errorCode" LIKE '%UnauthorizedOperation'
            THEN 'denied'
        ELSE 'success'
    END AS outcome,
    "reason" AS reason,
    CASE
        WHEN "errorCode" IS NULL THEN NULL
        WHEN "errorCode" IN (
            'ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired',
            'RequestExpired', 'Client.RequestExpired', 'RequestTimeTooSkewed'
        ) THEN 'expired'
        WHEN "errorCode" IN (
            'SignatureDoesNotMatch', 'InvalidSignatureException', 'InvalidSignature',
            'IncompleteSignature', 'IncompleteSignatureException'
        ) THEN 'wrong_credential'
        WHEN "errorCode" IN (
            'InvalidClientTokenId', 'UnrecognizedClientException', 'InvalidAccessKeyId',
            'InvalidToken', 'InvalidTokenException', 'InvalidIdentityToken',
            'InvalidIdentityTokenException', 'IDPRejectedClaim', 'AuthFailure', 'Client.AuthFailure',
            'MissingAuthenticationToken', 'MissingAuthenticationTokenException'
        ) THEN 'unknown_credential'
        WHEN "errorCode" IN (
            'Throttling', 'ThrottlingException', 'ThrottledException', 'Throttled',
            'RequestLimitExceeded', 'Client.RequestLimitExceeded',
            'TooManyRequestsException', 'RequestThrottled', 'RequestThrottledException',
            'ProvisionedThroughputExceededException', 'SlowDown',
            'EC2ThrottledException', 'PriorRequestNotComplete', 'BandwidthLimitExceeded'
        ) THEN 'throttled'
        WHEN "errorCode" LIKE '%Denied%' OR "errorCode" LIKE '%Unauthorized%'
            OR "errorCode" LIKE '%Authoriz%' OR "errorCode" LIKE 'Forbidden%' THEN 'not_allowed'
        WHEN "errorCode" LIKE 'Internal%' OR "errorCode" LIKE 'Server.%'
            OR "errorCode" LIKE 'Service%' OR "errorCode" LIKE '%Unavailable' THEN 'backend_fault'
        ELSE 'request'
    END AS reason_class,

    CASE
        WHEN "userIdentity.invokedBy" IS NOT NULL
            AND "userIdentity.type" IN ('IAMUser', 'Root', 'FederatedUser')
            AND "userIdentity.accessKeyId" LIKE 'ASIA%' THEN NULL
        WHEN "userIdentity.accessKeyId" <> '' THEN "userIdentity.accessKeyId"
        ELSE "userIdentity.credentialId"
    END AS credential_value,
    CASE
        WHEN "userIdentity.credentialId" IS NULL THEN 'aws_access_key_id'
        WHEN "userIdentity.accessKeyId" <> '' THEN 'aws_access_key_id'
        ELSE 'aws_credential_id'
    END AS credential_kind,
    '' AS credential_scope,
    "userIdentity.invokedBy" AS via_service,

    "issued_key" AS issued_credential_value,
    'aws_access_key_id' AS issued_credential_kind,
    '' AS issued_credential_scope,
    CASE
        WHEN "issued_key" IS NULL THEN NULL
        WHEN "issued_expiration" IS NOT NULL THEN parse_time("issued_expiration")
        WHEN TRY_CAST("requestParameters.durationSeconds" AS BIGINT) BETWEEN 1 AND 1000000
            THEN parse_time("time") + arrow_cast(
                TRY_CAST("requestParameters.durationSeconds" AS BIGINT), 'Duration(Second)')
    END AS issued_expires_time,
    CASE
        WHEN "issued_key" IS NULL THEN NULL
        WHEN "issued_expiration" IS NOT NULL THEN 'response'
        WHEN "requestParameters.durationSeconds" IS NOT NULL THEN 'request'
    END AS issued_ttl_source,

    -- Parameters are named by their ARN, as KMS does, without a version or label.
    CASE
        WHEN NOT ("eventSource" IN ('secretsmanager.amazonaws.com', 'iam.amazonaws.com', 'ssm.amazonaws.com')
            OR "decrypted" IS NOT NULL) THEN NULL
        WHEN "eventSource" = 'secretsmanager.amazonaws.com' THEN COALESCE("secret", "parameter")
        WHEN "eventSource" = 'kms.amazonaws.com' THEN CASE WHEN "eventName" = 'Decrypt' THEN "decrypted" END
        WHEN "eventSource" = 'iam.amazonaws.com' THEN CASE
            WHEN "iam_key" IS NULL AND "iam_credential" IS NULL THEN NULL
            WHEN "eventName" NOT LIKE '%AccessKey' AND "eventName" NOT LIKE '%ServiceSpecificCredential'
                AND "eventName" NOT LIKE '%SSHPublicKey' AND "eventName" NOT LIKE '%SigningCertificate'
                THEN NULL
            WHEN "iam_user" IS NULL AND "userIdentity.type" = 'Root'
                THEN concat('arn:aws:iam::', "account", ':root')
            ELSE concat(
                CASE
                    WHEN "userIdentity.arn" LIKE 'arn:aws-cn:%' THEN 'arn:aws-cn'
                    WHEN "userIdentity.arn" LIKE 'arn:aws-us-gov:%' THEN 'arn:aws-us-gov'
                    ELSE 'arn:aws'
                END,
                ':iam::', "account", ':user/', COALESCE("iam_user", "userIdentity.userName"))
        END
        WHEN "eventSource" = 'ssm.amazonaws.com' THEN CASE
            WHEN ("requestParameters.withDecryption" IS DISTINCT FROM 'true')
                AND ("requestParameters.type" IS DISTINCT FROM 'SecureString') THEN NULL
            WHEN "parameter" LIKE 'arn:%' THEN regexp_replace("parameter", '(:parameter/[^:]*):[^:]*$', '\1')
            WHEN "parameter" IS NOT NULL THEN concat(
                'arn:aws:ssm:', "awsRegion", ':', "account", ':parameter',
                CASE WHEN "parameter" LIKE '/%' THEN '' ELSE '/' END, split_part("parameter", ':', 1))
        END
    END AS target_secret_id,
    CASE
        WHEN NOT ("eventSource" IN ('secretsmanager.amazonaws.com', 'iam.amazonaws.com', 'ssm.amazonaws.com')
            OR "decrypted" IS NOT NULL) THEN NULL
        WHEN "eventSource" = 'secretsmanager.amazonaws.com' THEN lower(CASE "eventName"
            WHEN 'GetSecretValue' THEN "requestParameters.versionId"
            WHEN 'CreateSecret' THEN COALESCE("responseElements.versionId", "requestParameters.clientRequestToken")
            WHEN 'PutSecretValue' THEN COALESCE("responseElements.versionId", "requestParameters.clientRequestToken")
            -- Every UpdateSecret carries a token; an answer without a version
            -- says that only the description or the key was changed.
            WHEN 'UpdateSecret' THEN CASE
                WHEN "responseElements.versionId" IS NOT NULL THEN "responseElements.versionId"
                WHEN "responseElements.name" IS NULL THEN "requestParameters.clientRequestToken"
            END
            WHEN 'RotateSecret' THEN COALESCE("responseElements.versionId", "requestParameters.clientRequestToken")
            WHEN 'UpdateSecretVersionStage' THEN "requestParameters.moveToVersionId"
        END)
        WHEN "eventSource" = 'kms.amazonaws.com' THEN CASE
            WHEN "eventName" = 'Decrypt' THEN lower("requestParameters.encryptionContext.SecretVersionId")
        END
        WHEN "eventSource" = 'iam.amazonaws.com' THEN CASE
            WHEN "eventName" LIKE '%AccessKey' THEN "iam_key"
            WHEN "eventName" LIKE '%ServiceSpecificCredential' OR "eventName" LIKE '%SSHPublicKey'
                OR "eventName" LIKE '%SigningCertificate' THEN "iam_credential"
        END
        WHEN "eventSource" = 'ssm.amazonaws.com' THEN CASE
            WHEN "requestParameters.type" = 'SecureString' THEN "responseElements.version"
            WHEN "requestParameters.withDecryption" = 'true' AND "parameter" NOT LIKE 'arn:%'
                THEN NULLIF(split_part("parameter", ':', 2), '')
        END
    END AS target_version,
    CASE
        WHEN "eventSource" = 'secretsmanager.amazonaws.com' AND "eventName" = 'GetSecretValue' THEN CASE
            WHEN "requestParameters.versionId" IS NOT NULL THEN 'requestParameters.versionId'
            WHEN "requestParameters.versionStage" <> 'AWSCURRENT' THEN 'requestParameters.versionStage'
        END
        WHEN "eventName" = 'Decrypt' AND "requestParameters.encryptionContext.SecretVersionId" IS NOT NULL
            THEN 'requestParameters.encryptionContext.SecretVersionId'
    END AS version_evidence,
    CASE WHEN "eventSource" = 'iam.amazonaws.com' THEN CASE
        WHEN "eventName" LIKE '%AccessKey' THEN "iam_key"
        WHEN "eventName" LIKE '%ServiceSpecificCredential' OR "eventName" LIKE '%SSHPublicKey'
            OR "eventName" LIKE '%SigningCertificate' THEN "iam_credential"
    END END AS target_credential_value,
    CASE WHEN "iam_credential" IS NULL THEN 'aws_access_key_id' ELSE 'aws_credential_id' END
        AS target_credential_kind,
    '' AS target_credential_scope,
    -- Only a change that took place changes a state.
    CASE
        WHEN NOT ("eventSource" IN ('secretsmanager.amazonaws.com', 'iam.amazonaws.com', 'ssm.amazonaws.com')
            OR "decrypted" IS NOT NULL) THEN NULL
        WHEN "errorCode" IS NOT NULL THEN NULL
        WHEN "eventSource" = 'iam.amazonaws.com' THEN CASE
            WHEN "iam_key" IS NULL AND "iam_credential" IS NULL THEN NULL
            WHEN "eventName" IN ('DeleteAccessKey', 'DeleteServiceSpecificCredential',
                'DeleteSSHPublicKey', 'DeleteSigningCertificate') THEN 'revoked'
            WHEN "eventName" IN ('CreateAccessKey', 'UpdateAccessKey',
                'CreateServiceSpecificCredential', 'UpdateServiceSpecificCredential',
                'ResetServiceSpecificCredential', 'UploadSSHPublicKey', 'UpdateSSHPublicKey',
                'UploadSigningCertificate', 'UpdateSigningCertificate')
                THEN CASE WHEN "iam_status" = 'Inactive' THEN 'inactive' ELSE 'active' END
        END
        WHEN "eventSource" = 'secretsmanager.amazonaws.com' THEN CASE "eventName"
            WHEN 'CreateSecret' THEN 'current'
            WHEN 'PutSecretValue' THEN CASE
                WHEN "requestParameters.versionStages" IS NULL
                    OR "requestParameters.versionStages" LIKE '%AWSCURRENT%' THEN 'current'
                ELSE 'active'
            END
            WHEN 'UpdateSecret' THEN CASE
                WHEN "responseElements.versionId" IS NOT NULL OR "responseElements.name" IS NULL THEN 'current'
            END
            WHEN 'RotateSecret' THEN 'active'
            WHEN 'UpdateSecretVersionStage' THEN CASE
                WHEN "requestParameters.moveToVersionId" IS NULL THEN NULL
                WHEN "requestParameters.versionStage" = 'AWSCURRENT' THEN 'current'
                WHEN "requestParameters.versionStage" = 'AWSPREVIOUS' THEN 'previous'
                ELSE 'active'
            END
        END
        WHEN "requestParameters.type" = 'SecureString' AND "eventName" = 'PutParameter' THEN 'current'
    END AS target_state,

    CASE
        WHEN "userIdentity.arn" <> '' THEN "userIdentity.arn"
        ELSE COALESCE(
            "userIdentity.invokedBy", NULLIF("userIdentity.userName", ''),
            NULLIF("userIdentity.principalId", ''), "userIdentity.onBehalfOf.userId", "userIdentity.accountId")
    END AS principal,
    -- A role's session is named by whoever assumed it: a name that an SDK or a
    -- platform made up (its own prefix, an instance, a number, a task or UUID)
    -- says nothing, and the role's name stands for it. (Asked first in both
    -- columns, so that the engine asks once.)
    CASE
        WHEN "userIdentity.principalId" ~ ':(botocore-session-|aws-(go-|dotnet-)?sdk-|i-|[0-9.]*$|[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$)'
            AND "userIdentity.type" = 'AssumedRole'
            THEN "userIdentity.sessionContext.sessionIssuer.userName"
        WHEN "userIdentity.type" IN ('AssumedRole', 'FederatedUser')
            THEN NULLIF(split_part("userIdentity.principalId", ':', 2), '')
        WHEN "userIdentity.type" = 'WebIdentityUser' THEN CASE
            WHEN "userIdentity.userName" LIKE 'system:serviceaccount:%'
                THEN replace(substr("userIdentity.userName", 23), ':', '/')
            ELSE "userIdentity.userName"
        END
    END AS workload,
    CASE
        WHEN "userIdentity.principalId" ~ ':(botocore-session-|aws-(go-|dotnet-)?sdk-|i-|[0-9.]*$|[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$)'
            AND "userIdentity.type" = 'AssumedRole'
            THEN 'userIdentity.sessionContext.sessionIssuer.userName'
        WHEN "userIdentity.type" IN ('AssumedRole', 'FederatedUser') AND "userIdentity.principalId" LIKE '%:%'
            THEN 'userIdentity.principalId'
        WHEN "userIdentity.type" = 'WebIdentityUser' THEN 'userIdentity.userName'
    END AS workload_evidence,
    CASE
        WHEN "userIdentity.principalId" LIKE '%:i-%'
            THEN split_part("userIdentity.principalId", ':', 2)
        WHEN "userIdentity.inScopeOf.credentialsIssuedTo" LIKE '%:instance/%'
            THEN split_part("userIdentity.inScopeOf.credentialsIssuedTo", '/', 2)
    END AS instance,
    "sourceIPAddress" AS source_ip,
    -- S3 writes the user agent in brackets.
    CASE
        WHEN "userAgent" LIKE '[%' THEN btrim("userAgent", '[]')
        ELSE "userAgent"
    END AS user_agent,
    "account" AS account,
    "awsRegion" AS region,
    "eventSource" AS service,
    COALESCE("resource", "secret", "iam_user") AS resource
FROM raw
-- Insight events tell of unusual rates, not of a request; an envelope may hold
-- other services' events.
WHERE "eventSource" IS NOT NULL
    AND ("eventCategory" IS DISTINCT FROM 'Insight')
    AND ("eventType" IS DISTINCT FROM 'AwsCloudTrailInsight')
