//! Parts: the Parquet files that tables are made of, and how they are encoded.
//!
//! A part is written once, made durable before a commit names it, and belongs to
//! a table only from then on. Bytes at rest matter more than anything else here, and text
//! columns never carry statistics: those could hold what a log's author put
//! into a field.

mod coded;
mod file;
mod hybrid;

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use arrow::array::{AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::StoreError;
use crate::schema::Table;

use file::ParquetFile;

/// Rows in a row group. Rows are sorted by credential, so a smaller group lets
/// a look-up of one credential read less; a larger one costs memory and saves
/// hardly any bytes.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Level of zstd, by measurement: level 3 saves a few percent of the bytes for
/// a few percent of the time.
const ZSTD_LEVEL: i32 = 3;

/// Level of zstd for provider ids. They are random: at level 3 the search for
/// repetitions takes seven times as long, and the few it finds make them larger.
const ID_ZSTD_LEVEL: i32 = 1;

/// The chance that a bloom filter says "perhaps" about an absent credential.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// A file of rows that was written for a later commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    #[serde(with = "table_name")]
    pub(crate) table: Table,
    /// Path below the table's folder.
    pub(crate) path: String,
    pub(crate) size_bytes: u64,
    pub(crate) row_count: u64,
    /// Milliseconds since 1970, by the file system.
    pub(crate) modified_milliseconds: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event_date: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_event_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_event_time: Option<i64>,
}

impl Part {
    /// The table that the rows are for.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Bytes of the file; 0 if there were no rows, and so no file.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Rows in the file.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// A part without rows, for which no file is written.
    pub(crate) fn empty(table: Table) -> Part {
        Part {
            table,
            path: String::new(),
            size_bytes: 0,
            row_count: 0,
            modified_milliseconds: 0,
            event_date: None,
            min_event_time: None,
            max_event_time: None,
        }
    }
}

mod table_name {
    use super::Table;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(table: &Table, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(table.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Table, D::Error> {
        let name = String::deserialize(from)?;
        Table::from_name(&name).ok_or_else(|| D::Error::custom("unknown table"))
    }
}

/// The folder of an event date below the folder of `events`.
pub(crate) fn date_folder(event_date: i32) -> String {
    format!("event_date={}", date_text(event_date))
}

/// A day since 1970 as `YYYY-MM-DD`.
pub(crate) fn date_text(days: i32) -> String {
    arrow::temporal_conversions::date32_to_datetime(days)
        .map(|it| it.date().to_string())
        .unwrap_or_else(|| "1970-01-01".to_string())
}

/// Names for new files. A name holds the batch that made it, and a number.
pub(crate) fn file_name(batch: u64, number: u64) -> String {
    format!("part-{batch:08}-{number:05}.parquet")
}

/// The batch in the name of a file; `None` if another program named it.
pub(crate) fn batch_of(name: &str) -> Option<u64> {
    let (batch, number) = name.strip_prefix("part-")?.strip_suffix(".parquet")?.split_once('-')?;
    number.parse::<u64>().ok()?;
    batch.parse().ok()
}

/// One file being written. Dropped unfinished, it leaves nothing behind.
pub(crate) struct PartWriter {
    table: Table,
    relative: String,
    path: PathBuf,
    writer: Option<ParquetFile<File>>,
    row_count: u64,
    event_date: Option<i32>,
    min_event_time: Option<i64>,
    max_event_time: Option<i64>,
}

impl PartWriter {
    /// Starts a file in the folder of `table`, under a name not yet taken.
    ///
    /// `schema` is that of the batches to come, and `row_count` about how many
    /// rows they will have.
    pub(crate) fn create(
        table: Table,
        folder: &Path,
        event_date: Option<i32>,
        mut name: impl FnMut() -> String,
        schema: SchemaRef,
        row_count: u64,
    ) -> Result<PartWriter, StoreError> {
        check_columns(table, &schema)?;
        let below = event_date.map(date_folder);
        let parent = match &below {
            Some(below) => folder.join(below),
            None => folder.to_path_buf(),
        };
        durable::create_folder(&parent)
            .map_err(|source| StoreError::CreateFolder { path: parent.clone(), source })?;
        let (name, path, file) = loop {
            let name = name();
            let path = parent.join(&name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (name, path, file),
                // A compaction before this batch may have used the name.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(source) => return Err(StoreError::WriteFile { path, source }),
            }
        };
        let mut this = PartWriter {
            table,
            relative: below.map_or(name.clone(), |it| format!("{it}/{name}")),
            path,
            writer: None,
            row_count: 0,
            event_date,
            min_event_time: None,
            max_event_time: None,
        };
        this.writer = Some(
            ParquetFile::new(file, schema, properties(table, row_count), ZSTD_LEVEL)
                .map_err(|error| StoreError::from_parquet_write(&this.path, error))?,
        );
        Ok(this)
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if let Some(writer) = &mut self.writer {
            writer
                .write(batch)
                .map_err(|error| StoreError::from_parquet_write(&self.path, error))?;
        }
        self.row_count += batch.num_rows() as u64;
        if self.table == Table::Events
            && let Some(times) = batch
                .column_by_name("event_time")
                .and_then(|it| it.as_primitive_opt::<TimestampMicrosecondType>())
        {
            let (min, max) = time_range(times);
            self.min_event_time = self.min_event_time.into_iter().chain(min).min();
            self.max_event_time = self.max_event_time.into_iter().chain(max).max();
        }
        Ok(())
    }

    /// Ends the file. It is whole, but not durable before the file returned is
    /// synced, and its folder.
    pub(crate) fn finish(mut self) -> Result<(Part, File), StoreError> {
        let Some(writer) = &mut self.writer else {
            return Err(StoreError::LostPart { path: self.path.clone() });
        };
        writer.finish().map_err(|error| StoreError::from_parquet_write(&self.path, error))?;
        let opened = writer.inner().try_clone();
        let (file, metadata) =
            opened
                .and_then(|it| it.metadata().map(|metadata| (it, metadata)))
                .map_err(|source| StoreError::WriteFile { path: self.path.clone(), source })?;
        self.writer = None;
        let part = Part {
            table: self.table,
            path: std::mem::take(&mut self.relative),
            size_bytes: metadata.len(),
            row_count: self.row_count,
            modified_milliseconds: modified_milliseconds(&metadata),
            event_date: self.event_date,
            min_event_time: self.min_event_time,
            max_event_time: self.max_event_time,
        };
        Ok((part, file))
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// When a file was last changed, in milliseconds since 1970; 0 if unknown.
pub(crate) fn modified_milliseconds(metadata: &std::fs::Metadata) -> i64 {
    metadata
        .modified()
        .ok()
        .and_then(|it| it.duration_since(UNIX_EPOCH).ok())
        .and_then(|it| i64::try_from(it.as_millis()).ok())
        .unwrap_or(0)
}

fn time_range(times: &TimestampMicrosecondArray) -> (Option<i64>, Option<i64>) {
    (arrow::compute::min(times), arrow::compute::max(times))
}

/// Refuses rows whose columns are not exactly those of the table. Text may come
/// in any of Arrow's forms of it, since all are the same in a file.
fn check_columns(table: Table, given: &SchemaRef) -> Result<(), StoreError> {
    let wrong = |column: &str| StoreError::WrongColumns {
        table: table.name(),
        column: format!("`{column}`"),
    };
    let wanted = table.schema();
    for (index, field) in wanted.fields().iter().enumerate() {
        let found = given.fields().get(index);
        let fits = found.is_some_and(|it| {
            it.name() == field.name() && same_type(it.data_type(), field.data_type())
        });
        if !fits {
            return Err(wrong(field.name()));
        }
    }
    match given.fields().get(wanted.fields().len()) {
        Some(surplus) => Err(wrong(surplus.name())),
        None => Ok(()),
    }
}

fn same_type(given: &DataType, wanted: &DataType) -> bool {
    match (given, wanted) {
        (DataType::Dictionary(_, value), _) => same_type(value, wanted),
        (DataType::Utf8View | DataType::LargeUtf8, DataType::Utf8) => true,
        (
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)),
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)),
        ) => true,
        _ => given == wanted,
    }
}

/// How the columns of `table` are encoded.
fn properties(table: Table, row_count: u64) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(zstd(ZSTD_LEVEL))
        .set_created_by(concat!("lastuse ", env!("CARGO_PKG_VERSION")).to_string())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(ROW_GROUP_ROWS)
        // Repeated text stays in the dictionary up to here, not to the usual 1 MiB.
        .set_dictionary_page_size_limit(8 << 20)
        .set_statistics_enabled(EnabledStatistics::None);
    let schema = table.schema();
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().as_str());
        let is_time = matches!(field.data_type(), DataType::Timestamp(..));
        let is_fingerprint = field.name().ends_with("credential_uid");
        if is_fingerprint || (is_time && table != Table::Events) || field.name() == "event_time" {
            builder =
                builder.set_column_statistics_enabled(column.clone(), EnabledStatistics::Chunk);
        }
        if is_time || field.data_type() == &DataType::Int64 {
            builder = packed(builder, column);
        }
    }
    if table == Table::Events {
        // Provider ids hardly ever repeat: a dictionary would only be given up late.
        let column = ColumnPath::from("native_uid");
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_compression(column, zstd(ID_ZSTD_LEVEL));
        builder = builder.set_sorting_columns(sorting(&schema, &["credential_uid", "event_time"]));
    }
    if schema.column_with_name("credential_uid").is_some() {
        // The filter is folded to what the row group turns out to need.
        let column = ColumnPath::from("credential_uid");
        builder = builder
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_fpp(column.clone(), BLOOM_FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(column, row_count.clamp(1, ROW_GROUP_ROWS as u64));
    }
    builder.build()
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

fn packed(builder: WriterPropertiesBuilder, column: ColumnPath) -> WriterPropertiesBuilder {
    builder
        .set_column_dictionary_enabled(column.clone(), false)
        .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
}

fn sorting(schema: &SchemaRef, names: &[&str]) -> Option<Vec<SortingColumn>> {
    names
        .iter()
        .map(|name| {
            Some(SortingColumn {
                column_idx: i32::try_from(schema.index_of(name).ok()?).ok()?,
                descending: false,
                nulls_first: true,
            })
        })
        .collect()
}

/// The columns of `table` that its compacted files are sorted by.
pub(crate) fn sort_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => &["credential_uid", "event_time"],
        Table::Usage => &["credential_uid", "hour_time"],
        Table::Exchanges => &["child_credential_uid", "issued_time"],
        Table::Lineage => &["credential_uid", "depth", "root_credential_uid"],
        Table::SecretReads => &["target_secret_id", "read_time"],
        Table::Lifecycle => &["target_secret_id", "event_time"],
        Table::Credentials => &["credential_uid", "id_kind", "id_scope"],
        Table::Coverage => &["source", "source_scope", "hour_time"],
        Table::Rejects => &["file_uid", "record_number"],
        Table::Digests => &["file_uid", "kind", "object"],
        Table::FileGaps => &["before_file_uid", "after_file_uid", "missing_count"],
        Table::Files => &["file_uid", "batch"],
    }
}
