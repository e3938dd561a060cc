//! The tables and their columns: the names that reports, analysts and other
//! engines rely on.
//!
//! Text is plain UTF-8 in every table (never an Arrow dictionary), because
//! dictionary columns do not survive a shuffle between machines; Parquet's own
//! dictionary encoding makes repeated values cheap at rest.

use std::sync::Arc;

use deltalake_core::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A table of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row per normalized event and further credential that it shows, partitioned by
    /// `event_date`.
    Events,
    /// Events counted per credential, consumer, outcome and hour.
    Usage,
    /// One row per exchange of one credential for another.
    Exchanges,
    /// One row per credential and each credential it descends from.
    Lineage,
    /// One row per read of a secret version from its store.
    SecretReads,
    /// One row per change in the life of a secret version.
    Lifecycle,
    /// One row per credential identifier seen in the logs.
    Credentials,
    /// Observed hours per source and scope.
    Coverage,
    /// One row per record that could not be read.
    Rejects,
    /// What a provider's digest files say was delivered, and of the digests themselves.
    Digests,
    /// Files that are missing between two of a sequence.
    FileGaps,
    /// Inputs and how far each was read; the latest row of a `file_uid` holds.
    Files,
}

impl Table {
    /// Every table, in the order in which one ingest batch reaches them:
    /// `events` first, since its commit decides; `files` last, since its
    /// recorded batch number says that all others have theirs.
    pub const ALL: [Table; 12] = [
        Table::Events,
        Table::Usage,
        Table::Exchanges,
        Table::Lineage,
        Table::SecretReads,
        Table::Lifecycle,
        Table::Credentials,
        Table::Coverage,
        Table::Rejects,
        Table::Digests,
        Table::FileGaps,
        Table::Files,
    ];

    /// The name of the table in SQL and of its folder under `tables/`.
    pub fn name(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::Usage => "usage",
            Table::Exchanges => "exchanges",
            Table::Lineage => "lineage",
            Table::SecretReads => "secret_reads",
            Table::Lifecycle => "lifecycle",
            Table::Credentials => "credentials",
            Table::Coverage => "coverage",
            Table::Rejects => "rejects",
            Table::Digests => "digests",
            Table::FileGaps => "file_gaps",
            Table::Files => "files",
        }
    }

    /// The table called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Table> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The columns as they stand in the table's Parquet files (for `events`
    /// without the partition column `event_date`).
    pub fn schema(self) -> SchemaRef {
        Arc::new(Schema::new(match self {
            Table::Events => events(),
            Table::Usage => usage(),
            Table::Exchanges => exchanges(),
            Table::Lineage => lineage(),
            Table::SecretReads => secret_reads(),
            Table::Lifecycle => lifecycle(),
            Table::Credentials => credentials(),
            Table::Coverage => coverage(),
            Table::Rejects => rejects(),
            Table::Digests => digests(),
            Table::FileGaps => file_gaps(),
            Table::Files => files(),
        }))
    }
}

/// An instant: microseconds since 1970, UTC.
pub fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn time(name: &str) -> Field {
    Field::new(name, instant(), true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn events() -> Vec<Field> {
    vec![
        text("source"),
        text("source_scope"),
        text("native_uid"),
        Field::new("stage", DataType::Int32, true),
        time("event_time"),
        time("observed_time"),
        text("time_quality"),
        text("category"),
        text("action"),
        text("outcome"),
        text("reason"),
        text("reason_class"),
        text("credential_uid"),
        text("id_kind"),
        text("attribution"),
        text("via_service"),
        text("issued_credential_uid"),
        time("issued_expires_time"),
        text("issued_ttl_source"),
        text("target_secret_id"),
        text("target_version"),
        text("target_credential_uid"),
        text("target_state"),
        text("principal"),
        text("workload"),
        text("workload_evidence"),
        text("instance"),
        text("source_ip"),
        text("user_agent"),
        text("user_agent_product"),
        text("account"),
        text("region"),
        text("environment"),
        text("service"),
        text("resource"),
        text("file_uid"),
        number("record_number"),
        text("record_part"),
        number("event_count"),
    ]
}

fn usage() -> Vec<Field> {
    vec![
        time("hour_time"),
        text("credential_uid"),
        text("id_kind"),
        text("attribution"),
        text("outcome"),
        text("via_service"),
        text("source"),
        text("source_scope"),
        text("principal"),
        text("workload"),
        text("workload_evidence"),
        text("instance"),
        text("source_ip"),
        text("user_agent_product"),
        text("account"),
        text("environment"),
        number("attempt_count"),
        time("first_time"),
        time("last_time"),
    ]
}

fn exchanges() -> Vec<Field> {
    vec![
        text("parent_credential_uid"),
        text("child_credential_uid"),
        text("child_kind"),
        text("grant_type"),
        time("issued_time"),
        time("expires_time"),
        text("ttl_source"),
        text("link_strength"),
        text("principal"),
        text("source"),
        text("source_scope"),
        text("native_uid"),
    ]
}

fn lineage() -> Vec<Field> {
    vec![
        text("credential_uid"),
        text("root_credential_uid"),
        number("depth"),
        text("path"),
        text("root_principal"),
        time("issued_time"),
        time("root_issued_time"),
        time("expires_time"),
    ]
}

fn secret_reads() -> Vec<Field> {
    vec![
        time("read_time"),
        text("target_secret_id"),
        text("target_version"),
        text("version_evidence"),
        text("credential_uid"),
        text("outcome"),
        text("principal"),
        text("workload"),
        text("source_ip"),
        text("environment"),
        text("source"),
        text("source_scope"),
        text("native_uid"),
    ]
}

fn lifecycle() -> Vec<Field> {
    vec![
        time("event_time"),
        text("action"),
        text("target_secret_id"),
        text("target_version"),
        text("target_credential_uid"),
        text("target_kind"),
        text("target_state"),
        text("principal"),
        text("source"),
        text("source_scope"),
        text("native_uid"),
    ]
}

fn credentials() -> Vec<Field> {
    vec![text("credential_uid"), text("id_kind"), text("id_scope"), text("id_value")]
}

fn coverage() -> Vec<Field> {
    vec![
        text("source"),
        text("source_scope"),
        time("hour_time"),
        time("first_time"),
        time("last_time"),
        number("record_count"),
        text("evidence"),
    ]
}

fn rejects() -> Vec<Field> {
    vec![
        text("source"),
        text("source_scope"),
        text("file_uid"),
        text("path"),
        number("record_number"),
        number("byte_offset"),
        text("reason"),
    ]
}

fn digests() -> Vec<Field> {
    vec![
        text("file_uid"),
        text("source"),
        text("source_scope"),
        text("kind"),
        text("chain"),
        text("object"),
        text("content_sha256"),
        time("start_time"),
        time("end_time"),
        text("signature"),
        text("key_fingerprint"),
        text("state"),
    ]
}

fn file_gaps() -> Vec<Field> {
    vec![
        text("folder"),
        text("series"),
        text("before_file_uid"),
        text("before_name"),
        text("after_file_uid"),
        text("after_name"),
        text("first_missing_name"),
        text("last_missing_name"),
        number("missing_count"),
    ]
}

fn files() -> Vec<Field> {
    vec![
        text("file_uid"),
        number("batch"),
        text("path"),
        text("source"),
        text("source_scope"),
        text("state"),
        number("size_bytes"),
        time("modified_time"),
        number("head_bytes"),
        text("head_hash"),
        text("tail_hash"),
        number("byte_offset"),
        Field::new("in_array", DataType::Boolean, true),
        number("record_count"),
        number("accepted_count"),
        number("duplicate_count"),
        number("skipped_count"),
        number("rejected_count"),
        time("first_event_time"),
        time("last_event_time"),
        text("content_sha256"),
    ]
}
