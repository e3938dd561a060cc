//! A table of the store as the engine scans it.
//!
//! The files and their sizes come from the Delta log, so nothing is listed and
//! no footer is read while planning; files of `events` that cannot hold the
//! wanted times are left out by the log's own statistics.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, ScalarValue, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use lastuse_store::{ActiveFile, Table};

/// The partition column of `events`.
const EVENT_DATE: &str = "event_date";

/// A table of the store at one version.
#[derive(Debug)]
pub struct StoreTable {
    files: Vec<ActiveFile>,
    schema: TableSchema,
}

impl StoreTable {
    /// The table `table`, made of `files`.
    pub fn new(table: Table, files: Vec<ActiveFile>) -> Self {
        let partitions = match table {
            Table::Events => vec![Arc::new(Field::new(EVENT_DATE, DataType::Date32, false))],
            _ => Vec::new(),
        };
        let schema = TableSchema::builder(as_views(&table.schema()))
            .with_table_partition_cols(partitions)
            .build();
        Self { files, schema }
    }

    /// The files that may hold rows for which `predicate` is true.
    fn kept(&self, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Vec<&ActiveFile> {
        let all = || self.files.iter().collect();
        let Some(predicate) = predicate else { return all() };
        let schema = Arc::clone(self.schema.table_schema());
        let builder = PruningPredicateBuilder::new().with_file_schema(schema);
        let Some(pruning) = builder.build(Arc::clone(predicate)) else { return all() };
        match pruning.prune(&FileStatistics(&self.files)) {
            Ok(keep) => self.files.iter().zip(keep).filter(|it| it.1).map(|it| it.0).collect(),
            Err(_) => all(),
        }
    }
}

/// The same columns with text as views: joins and groups then copy 16 bytes, not the text.
fn as_views(schema: &SchemaRef) -> SchemaRef {
    let field = |it: &Arc<Field>| match it.data_type() {
        DataType::Utf8 => it.as_ref().clone().with_data_type(DataType::Utf8View),
        _ => it.as_ref().clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// What the Delta log says of each file.
struct FileStatistics<'a>(&'a [ActiveFile]);

impl FileStatistics<'_> {
    fn bound(
        &self,
        column: &Column,
        pick: impl Fn(&ActiveFile) -> Option<i64>,
    ) -> Option<ArrayRef> {
        match column.name() {
            "event_time" => {
                let times = TimestampMicrosecondArray::from_iter(self.0.iter().map(pick));
                Some(Arc::new(times.with_timezone("UTC")))
            }
            EVENT_DATE => {
                let dates = self.0.iter().map(|it| it.event_date);
                Some(Arc::new(arrow::array::Date32Array::from_iter(dates)))
            }
            _ => None,
        }
    }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |it| it.min_event_time)
    }
    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |it| it.max_event_time)
    }
    fn num_containers(&self) -> usize {
        self.0.len()
    }
    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }
    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(self.0.iter().map(|it| it.row_count))))
    }
    fn contained(
        &self,
        _column: &Column,
        _values: &std::collections::HashSet<ScalarValue>,
    ) -> Option<arrow::array::BooleanArray> {
        None
    }
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = DFSchema::try_from(Arc::clone(self.schema.table_schema()))?;
        let predicate = conjunction(filters.to_vec())
            .map(|it| state.create_physical_expr(it, &schema))
            .transpose()?;
        let options = state.config_options().execution.parquet.clone();
        let mut source = ParquetSource::new(self.schema.clone())
            .with_pushdown_filters(options.pushdown_filters)
            .with_bloom_filter_on_read(true)
            .with_metadata_size_hint(64 * 1024);
        if let Some(predicate) = &predicate {
            source = source.with_predicate(Arc::clone(predicate));
        }
        let groups = groups(
            &self.kept(predicate.as_ref()),
            state.config().target_partitions(),
            !self.schema.table_partition_cols().is_empty(),
        );
        if groups.is_empty() {
            // A scan without files has no partition, which no join can be planned over.
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema(), projection)?)));
        }
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit.filter(|_| filters.is_empty()))
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

/// The files in at most `count` groups of about equal size.
fn groups(files: &[&ActiveFile], count: usize, dated: bool) -> Vec<FileGroup> {
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); count.max(1)];
    for file in files {
        let location = file.path.to_string_lossy().into_owned();
        let mut part = PartitionedFile::new(location, file.size_bytes);
        if dated {
            part = part.with_partition_values(vec![ScalarValue::Date32(file.event_date)]);
        }
        if let Some(smallest) = groups.iter_mut().min_by_key(|it| it.0) {
            smallest.0 += file.size_bytes;
            smallest.1.push(part);
        }
    }
    groups.into_iter().filter(|it| !it.1.is_empty()).map(|it| FileGroup::new(it.1)).collect()
}
