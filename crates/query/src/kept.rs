//! A view whose rows are computed once, however often a report names it.
//!
//! The engine expands a view wherever it stands; a view that several parts of a
//! report read would be computed for each of them.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
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
        let schema = SchemaRef::new(plan.schema().as_arrow().clone());
        Self { plan, schema, rows: OnceCell::new() }
    }

    async fn compute(&self, state: &dyn Session) -> Result<MemTable> {
        let plan = state.create_physical_plan(&self.plan).await?;
        let batches = collect(plan, state.task_ctx()).await?;
        let schema = batches.first().map_or_else(|| Arc::clone(&self.schema), |it| it.schema());
        MemTable::try_new(schema, vec![batches])
    }
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
