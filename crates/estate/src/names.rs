//! The words that a made-up estate is made of.

/// Workloads; numbers are appended when an estate needs more.
pub(crate) const WORKLOADS: [&str; 40] = [
    "checkout",
    "billing",
    "invoices",
    "payouts",
    "ledger",
    "search",
    "catalog",
    "recommender",
    "inventory",
    "shipping",
    "returns",
    "notifications",
    "mailer",
    "reports",
    "exporter",
    "importer",
    "warehouse",
    "etl-nightly",
    "fraud-check",
    "pricing",
    "carts",
    "identity",
    "profiles",
    "media",
    "thumbnails",
    "webhooks",
    "scheduler",
    "backup",
    "archiver",
    "metrics",
    "support-desk",
    "crm-sync",
    "tax",
    "quotes",
    "loyalty",
    "coupons",
    "geo",
    "translations",
    "feeds",
    "partners",
];

/// What secrets are named after.
pub(crate) const TOPICS: [&str; 24] = [
    "payments",
    "analytics",
    "uploads",
    "partners",
    "orders",
    "documents",
    "mailings",
    "archive",
    "datalake",
    "imports",
    "stock",
    "tracking",
    "content",
    "maps",
    "messages",
    "ratings",
    "refunds",
    "contracts",
    "events",
    "images",
    "audit",
    "drafts",
    "labels",
    "prices",
];

/// Outside APIs that keys are for.
pub(crate) const PROVIDERS: [&str; 8] =
    ["stripe", "shipper", "weather", "sms", "taxes", "maps", "scoring", "fx-rates"];

/// The accounts of the estate: production and staging.
pub(crate) const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];

/// The regions of the estate; IAM's events are in the first.
pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Hosts that ssh keys open, with the way each writes its log.
pub(crate) const HOSTS: [&str; 3] = ["bastion-1", "build-2", "db-3"];

/// User agents of AWS clients, and the product each is of.
pub(crate) const AWS_AGENTS: [&str; 5] = [
    "aws-cli/2.15.30 md/awscrt#0.19.19 ua/2.0 os/linux#5.15.0-1055-aws md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython cfg/retry-mode#standard",
    "Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.1.79 md/arch#x86_64 lang/python#3.12.2 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.69",
    "aws-sdk-go-v2/1.32.3 os/linux lang/go#1.23.1 md/GOOS#linux md/GOARCH#amd64 api/s3#1.66.0",
    "aws-sdk-java/2.25.16 Linux/5.10.210 OpenJDK_64-Bit_Server_VM/21.0.2 Java/21.0.2 vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/standard",
    "APN/1.0 HashiCorp/1.0 Terraform/1.7.5 (+https://www.terraform.io) terraform-provider-aws/5.42.0 aws-sdk-go-v2/1.26.0 os/linux lang/go#1.21.8",
];

/// User agents of HTTP clients.
pub(crate) const HTTP_AGENTS: [&str; 5] = [
    "python-requests/2.31.0",
    "okhttp/4.12.0",
    "Go-http-client/2.0",
    "axios/1.6.8",
    "Apache-HttpClient/5.3.1 (Java/21.0.2)",
];
