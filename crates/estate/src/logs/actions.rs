//! The calls that made-up AWS clients make.

/// One API call. In the texts `{account}`, `{region}` and `{name}` are the caller's, `#` becomes a number,
/// and `@` the current version id of a secret in Secrets Manager.
#[derive(Debug)]
pub(crate) struct Action {
    /// Without `.amazonaws.com`.
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) read_only: bool,
    /// A data event, which trails log only when told so.
    pub(crate) data: bool,
    pub(crate) parameters: &'static str,
    /// Type and ARN of what it acts on.
    pub(crate) resource: Option<(&'static str, &'static str)>,
}

const fn read(service: &'static str, name: &'static str, parameters: &'static str) -> Action {
    Action { service, name, read_only: true, data: false, parameters, resource: None }
}

const fn write(service: &'static str, name: &'static str, parameters: &'static str) -> Action {
    Action { service, name, read_only: false, data: false, parameters, resource: None }
}

const fn on(action: Action, kind: &'static str, arn: &'static str) -> Action {
    Action { resource: Some((kind, arn)), ..action }
}

const fn data(action: Action) -> Action {
    Action { data: true, ..action }
}

const BUCKET: &str = "arn:aws:s3:::{name}-{account}";
const SECRET: &str = "arn:aws:secretsmanager:{region}:{account}:secret:{name}-Ab3dEf";

/// The place of `GetSecretValue` that names a version.
pub(crate) const GET_SECRET_VALUE: usize = 1;

/// The first is what everybody does now and then.
pub(crate) const ACTIONS: [Action; 28] = [
    read("sts", "GetCallerIdentity", "null"),
    on(
        read(
            "secretsmanager",
            "GetSecretValue",
            r#"{"secretId":"arn:aws:secretsmanager:{region}:{account}:secret:{name}-Ab3dEf","versionId":"@"}"#,
        ),
        "AWS::SecretsManager::Secret",
        SECRET,
    ),
    read(
        "secretsmanager",
        "GetSecretValue",
        r#"{"secretId":"{name}","versionStage":"AWSCURRENT"}"#,
    ),
    read(
        "ec2",
        "DescribeInstances",
        r#"{"instancesSet":{"items":[{"instanceId":"i-0#"}]},"filterSet":{}}"#,
    ),
    read(
        "ec2",
        "DescribeVolumes",
        r#"{"volumeSet":{"items":[{"volumeId":"vol-0#"}]},"filterSet":{}}"#,
    ),
    read(
        "ec2",
        "DescribeSecurityGroups",
        r#"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"sg-0#"}]},"filterSet":{}}"#,
    ),
    on(
        data(read(
            "s3",
            "GetObject",
            r#"{"bucketName":"{name}-{account}","Host":"{name}-{account}.s3.{region}.amazonaws.com","key":"daily/part-#.parquet"}"#,
        )),
        "AWS::S3::Bucket",
        BUCKET,
    ),
    on(
        data(write(
            "s3",
            "PutObject",
            r#"{"bucketName":"{name}-{account}","Host":"{name}-{account}.s3.{region}.amazonaws.com","key":"incoming/batch-#.json"}"#,
        )),
        "AWS::S3::Bucket",
        BUCKET,
    ),
    on(
        read(
            "s3",
            "GetBucketLocation",
            r#"{"bucketName":"{name}-{account}","Host":"s3.{region}.amazonaws.com","location":""}"#,
        ),
        "AWS::S3::Bucket",
        BUCKET,
    ),
    on(
        read(
            "s3",
            "GetBucketAcl",
            r#"{"bucketName":"{name}-{account}","Host":"s3.{region}.amazonaws.com","acl":""}"#,
        ),
        "AWS::S3::Bucket",
        BUCKET,
    ),
    on(
        read("kms", "DescribeKey", r#"{"keyId":"arn:aws:kms:{region}:{account}:key/{name}"}"#),
        "AWS::KMS::Key",
        "arn:aws:kms:{region}:{account}:key/{name}",
    ),
    on(
        read(
            "kms",
            "GenerateDataKey",
            r#"{"keyId":"arn:aws:kms:{region}:{account}:key/{name}","keySpec":"AES_256"}"#,
        ),
        "AWS::KMS::Key",
        "arn:aws:kms:{region}:{account}:key/{name}",
    ),
    read("dynamodb", "DescribeTable", r#"{"tableName":"{name}-#"}"#),
    on(
        write(
            "dynamodb",
            "UpdateTable",
            r#"{"tableName":"{name}","provisionedThroughput":{"readCapacityUnits":#,"writeCapacityUnits":5}}"#,
        ),
        "AWS::DynamoDB::Table",
        "arn:aws:dynamodb:{region}:{account}:table/{name}",
    ),
    read(
        "sqs",
        "GetQueueAttributes",
        r#"{"queueUrl":"https://sqs.{region}.amazonaws.com/{account}/{name}","attributeNames":["All"]}"#,
    ),
    write(
        "sqs",
        "SetQueueAttributes",
        r##"{"queueUrl":"https://sqs.{region}.amazonaws.com/{account}/{name}","attributes":{"VisibilityTimeout":"#"}}"##,
    ),
    read("sns", "GetTopicAttributes", r#"{"topicArn":"arn:aws:sns:{region}:{account}:{name}"}"#),
    read(
        "logs",
        "DescribeLogStreams",
        r#"{"logGroupName":"/app/{name}","orderBy":"LastEventTime","descending":true,"limit":#}"#,
    ),
    write(
        "logs",
        "CreateLogStream",
        r#"{"logGroupName":"/app/{name}","logStreamName":"{name}/#"}"#,
    ),
    read("monitoring", "DescribeAlarms", r#"{"alarmNamePrefix":"{name}","maxRecords":#}"#),
    read("rds", "DescribeDBInstances", r#"{"dBInstanceIdentifier":"{name}-#"}"#),
    read("lambda", "GetFunction20150331v2", r#"{"functionName":"{name}-#"}"#),
    on(
        data(write(
            "lambda",
            "Invoke",
            r#"{"functionName":"arn:aws:lambda:{region}:{account}:function:{name}","invocationType":"Event"}"#,
        )),
        "AWS::Lambda::Function",
        "arn:aws:lambda:{region}:{account}:function:{name}",
    ),
    read(
        "ecr",
        "DescribeImages",
        r#"{"repositoryName":"{name}","imageIds":[{"imageTag":"build-#"}]}"#,
    ),
    on(
        write(
            "ecr",
            "PutImage",
            r#"{"repositoryName":"{name}","imageTag":"build-#","registryId":"{account}"}"#,
        ),
        "AWS::ECR::Repository",
        "arn:aws:ecr:{region}:{account}:repository/{name}",
    ),
    read("ssm", "GetParameters", r#"{"names":["/{name}/config-#"],"withDecryption":true}"#),
    read("route53", "ListResourceRecordSets", r#"{"hostedZoneId":"Z0#","maxItems":"300"}"#),
    read(
        "autoscaling",
        "DescribeAutoScalingGroups",
        r#"{"autoScalingGroupNames":["{name}-#"],"maxRecords":100}"#,
    ),
];
