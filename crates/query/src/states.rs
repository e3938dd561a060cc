//! The view `consumer_states`: where each consumer stands between the old versions of its secret
//! and the newest, by the rules of the crate `verdict`.

use std::sync::Arc;

use arrow::array::{
    Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use lastuse_store::instant;
use lastuse_verdict::{ConsumerAnswer, Evidence, Policy, Side, judge};
use tokio::sync::OnceCell;

use crate::evidence::{Cache, Histories, History};

/// The rows are computed when they are first asked for.
#[derive(Debug)]
pub(crate) struct StatesTable {
    cache: Arc<Cache>,
    as_of_time: i64,
    schema: SchemaRef,
    rows: OnceCell<MemTable>,
}

impl StatesTable {
    /// The states at `as_of_time`.
    pub(crate) fn new(cache: Arc<Cache>, as_of_time: i64) -> Self {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let schema = Schema::new(vec![
            text("secret_id"),
            text("workload"),
            text("environment"),
            text("state"),
            Field::new("gap_count", DataType::Int64, true),
            Field::new("longest_gap_seconds", DataType::Float64, true),
            text("soak_method"),
            Field::new("soak_until_time", instant(), true),
        ]);
        Self { cache, as_of_time, schema: Arc::new(schema), rows: OnceCell::new() }
    }

    async fn compute(&self, state: &dyn Session, secret: Option<&str>) -> Result<MemTable> {
        let histories = self.cache.read(state, secret).await?;
        let rows = States::of(&histories, self.as_of_time).finish(&self.schema)?;
        MemTable::try_new(Arc::clone(&self.schema), vec![vec![rows]])
    }
}

#[async_trait]
impl TableProvider for StatesTable {
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
        if self.rows.get().is_none()
            && let Some(secret) = filters.iter().find_map(wanted_secret)
        {
            let rows = self.compute(state, Some(secret)).await?;
            return rows.scan(state, projection, filters, limit).await;
        }
        let rows = self.rows.get_or_try_init(|| self.compute(state, None)).await?;
        rows.scan(state, projection, filters, limit).await
    }

    /// A filter on the secret saves the work for all others; the engine filters once more.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let helps = |it: &&Expr| match wanted_secret(it) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(helps).collect())
    }
}

/// The secret that `secret_id = 'ID'` asks for.
fn wanted_secret(filter: &Expr) -> Option<&str> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else {
        return None;
    };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _))
        | (Expr::Literal(value, _), Expr::Column(column))
            if column.name == "secret_id" =>
        {
            value.try_as_str().flatten()
        }
        _ => None,
    }
}

#[derive(Default)]
struct States {
    secret_id: StringBuilder,
    workload: StringBuilder,
    environment: StringBuilder,
    state: StringBuilder,
    gap_count: Int64Builder,
    longest_gap_seconds: Float64Builder,
    soak_method: StringBuilder,
    soak_until_time: TimestampMicrosecondBuilder,
}

impl States {
    fn of(histories: &Histories, as_of_time: i64) -> Self {
        let mut states = Self::default();
        let mut coverage = histories.coverage.clone();
        for (secret, history) in &histories.secrets {
            // While there is only one version, it is the old one.
            let newest = history.versions.last().copied().filter(|_| history.versions.len() > 1);
            let mut evidence = history.evidence(|version| match Some(version) == newest {
                true => Side::New,
                false => Side::Old,
            });
            evidence.as_of_time = as_of_time;
            evidence.coverage = coverage;
            let answer = judge(&evidence, &Policy::default(), None);
            for (consumer, answer) in evidence.consumers.iter().zip(&answer.consumers) {
                states.secret_id.append_value(secret);
                states.workload.append_option(consumer.workload.as_deref());
                states.environment.append_option(consumer.environment.as_deref());
                states.push(answer);
            }
            coverage = evidence.coverage;
        }
        states
    }

    fn push(&mut self, answer: &ConsumerAnswer) {
        let soak = answer.soak;
        self.state.append_option(answer.state.map(|it| it.name()));
        self.gap_count.append_option(soak.map(|it| it.gap_count as i64));
        self.longest_gap_seconds.append_option(soak.and_then(|it| it.longest_gap_seconds));
        self.soak_method.append_option(soak.map(|it| it.method.name()));
        self.soak_until_time.append_option(answer.until_time);
    }

    fn finish(mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(
            Arc::clone(schema),
            vec![
                Arc::new(self.secret_id.finish()),
                Arc::new(self.workload.finish()),
                Arc::new(self.environment.finish()),
                Arc::new(self.state.finish()),
                Arc::new(self.gap_count.finish()),
                Arc::new(self.longest_gap_seconds.finish()),
                Arc::new(self.soak_method.finish()),
                Arc::new(self.soak_until_time.finish().with_timezone("UTC")),
            ],
        )?)
    }
}

impl History {
    /// The evidence of these uses, `side` telling how a version stands to the one in question.
    pub(crate) fn evidence(&self, side: impl Fn(i64) -> Side) -> Evidence {
        let activities = self.uses().filter_map(|it| {
            let version = side(it.version);
            // A log that does not say what came of it shows that the old version is still
            // presented, but not that the new one works.
            let counts = it.is_told || version != Side::New;
            counts.then_some(lastuse_verdict::Activity { version, ..it.activity })
        });
        // A list that grows is copied each time.
        let mut all = Vec::with_capacity(self.uses.iter().map(Vec::len).sum());
        all.extend(activities);
        Evidence {
            has_identifier: true,
            is_confirmed: true,
            activities: all,
            consumers: self.consumers.clone(),
            processes: self.processes.clone(),
            declared: self.declared.clone(),
            ..Evidence::default()
        }
    }
}
