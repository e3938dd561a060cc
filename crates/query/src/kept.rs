//! A view whose rows are computed once, however often a report names it.
//!
//! The engine expands a view wherever it stands; a view that several parts of a
//! report read would be computed for each of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, collect};
use tokio::sync::OnceCell;

/// The line of a view's comment that asks for this.
pub const MARK: &str = "-- Kept:";

/// A view that keeps its rows after the first scan.
#[derive(Debug)]
pub struct KeptView {
    plan: LogicalPlan,
    schema: SchemaRef,
    rows: OnceCell<MemTable>,
}

impl KeptView {
    /// The view that `plan` computes.
    pub fn new(plan: LogicalPlan) -> Self {
        let fields = plan.schema().as_arrow().fields();
        let schema = Schema::new(fields.iter().map(|it| of_its_own(it)).collect::<Vec<_>>());
        Self { plan, schema: Arc::new(schema), rows: OnceCell::new() }
    }

    async fn compute(&self, state: &dyn Session) -> Result<MemTable> {
        let plan = state.create_physical_plan(&self.plan).await?;
        let mut rows = Vec::new();
        for batch in collect(plan, state.task_ctx()).await? {
            rows.push(copied(&batch, &self.schema)?);
        }
        MemTable::try_new(Arc::clone(&self.schema), vec![rows])
    }
}

/// The column with text as text, not as a view into what a file's page held: the few rows that
/// are kept must not keep all that they were computed from.
fn of_its_own(field: &Field) -> Field {
    let text = |it: &DataType| match it {
        DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    };
    let data_type = match field.data_type() {
        DataType::List(item) => {
            let own = item.as_ref().clone().with_data_type(text(item.data_type()));
            DataType::List(Arc::new(own))
        }
        other => text(other),
    };
    Field::new(field.name(), data_type, true)
}

fn copied(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

#[async_trait]
impl TableProvider for KeptView {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.rows.get_or_try_init(|| self.compute(state)).await?;
        rows.scan(state, projection, filters, limit).await
    }
}
