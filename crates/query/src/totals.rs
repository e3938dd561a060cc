//! The table `usage_totals`: `usage_at` without its hours, and the hours beside it.
//!
//! Reports ask who used what, when first and last and how often; the hours matter only where a
//! rhythm is told. So the millions of rows of `usage` are read once, into a few totals that all
//! views build on, and the hours of each as plain numbers.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewBuilder,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt;
use hashbrown::{DefaultHashBuilder, HashTable};
use lastuse_store::instant;
use std::hash::BuildHasher;
use tokio::sync::OnceCell;

use crate::texts::Texts;

/// What a use is told apart by, beside its hour: the first columns of the table.
pub(crate) const KEYS: [&str; 15] = [
    "credential_uid",
    "id_kind",
    "attribution",
    "outcome",
    "via_service",
    "source",
    "source_scope",
    "principal",
    "workload",
    "workload_evidence",
    "instance",
    "source_ip",
    "user_agent_product",
    "account",
    "environment",
];

/// Rows of the table that are handed on at once.
const BATCH_ROWS: usize = 8192;

/// The query that the totals are made of.
pub(crate) fn query() -> String {
    format!("SELECT {}, attempt_count, first_time, last_time FROM usage_at", KEYS.join(", "))
}

/// Uses of one kind in one hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hour {
    /// The row of the totals: its `usage_key`.
    pub(crate) key: u32,
    /// Requests; negative where rows take back what others counted.
    pub(crate) count: i64,
    /// The first and the last instant, in microseconds since 1970; of none, the last before the
    /// first.
    pub(crate) first_time: i64,
    /// See `first_time`.
    pub(crate) last_time: i64,
}

/// All that was used up to one instant.
#[derive(Debug)]
pub(crate) struct Totals {
    rows: MemTable,
    /// In no order.
    pub(crate) hours: Vec<Hour>,
    /// What the engine's limit knows of them.
    _memory: MemoryReservation,
}

/// The totals, computed when they are first asked for.
#[derive(Debug)]
pub(crate) struct TotalsTable {
    usage: LogicalPlan,
    schema: SchemaRef,
    totals: OnceCell<Totals>,
}

impl TotalsTable {
    /// Over what `usage` gives: the plan of [`query`].
    pub(crate) fn new(usage: LogicalPlan) -> Self {
        let text = |name: &&str| Field::new(*name, DataType::Utf8View, true);
        let mut fields: Vec<Field> = KEYS.iter().map(text).collect();
        fields.extend([
            Field::new("usage_key", DataType::UInt32, false),
            Field::new("attempt_count", DataType::Int64, true),
            Field::new("first_time", instant(), true),
            Field::new("last_time", instant(), true),
        ]);
        Self { usage, schema: Arc::new(Schema::new(fields)), totals: OnceCell::new() }
    }

    /// The totals.
    pub(crate) async fn get(&self, state: &dyn Session) -> Result<&Totals> {
        self.totals.get_or_try_init(|| self.compute(state)).await
    }

    async fn compute(&self, state: &dyn Session) -> Result<Totals> {
        let plan = state.create_physical_plan(&self.usage).await?;
        let context = state.task_ctx();
        let pool = Arc::clone(&state.runtime_env().memory_pool);
        let memory = MemoryConsumer::new("usage").register(&pool);
        let row_count = plan.partition_statistics(None)?.num_rows.get_value().copied();
        let streams = execute_stream_partitioned(plan, context)?;
        let most = row_count.unwrap_or(0) / streams.len().max(1);
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| SpawnedTask::spawn(Part::read(stream, memory.new_empty(), most)))
            .collect();
        let mut all: Option<Part> = None;
        for task in tasks {
            let part =
                task.join_unwind().await.map_err(|it| DataFusionError::External(it.into()))??;
            match &mut all {
                Some(all) => all.add(part)?,
                None => all = Some(part),
            }
        }
        let all = all.unwrap_or_else(|| Part::new(memory, 0));
        all.finish(&self.schema, state.config().target_partitions())
    }
}

#[async_trait]
impl TableProvider for TotalsTable {
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
        self.get(state).await?.rows.scan(state, projection, filters, limit).await
    }
}

type Key = [u32; KEYS.len()];

/// The totals of some rows.
#[derive(Debug)]
struct Part {
    texts: Texts,
    hasher: DefaultHashBuilder,
    /// Places in `keys`.
    index: HashTable<u32>,
    keys: Vec<Key>,
    hours: Vec<Hour>,
    memory: MemoryReservation,
}

impl Part {
    /// For about so many rows: room that is not used costs nothing, and growing costs copies.
    fn new(memory: MemoryReservation, rows: usize) -> Self {
        Self {
            texts: Texts::default(),
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            keys: Vec::with_capacity(rows),
            hours: Vec::with_capacity(rows),
            memory,
        }
    }

    async fn read(
        mut stream: SendableRecordBatchStream,
        memory: MemoryReservation,
        rows: usize,
    ) -> Result<Self> {
        let mut part = Self::new(memory, rows);
        while let Some(batch) = stream.next().await {
            part.push(&batch?)?;
        }
        Ok(part)
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        self.memory.try_grow(rows * size_of::<Hour>())?;
        let mut columns = Vec::with_capacity(KEYS.len());
        for column in &batch.columns()[..KEYS.len()] {
            let column = cast(column, &DataType::Utf8View)?;
            columns.push(self.texts.numbers(column.as_string_view()));
        }
        let counts = cast(batch.column(KEYS.len()), &DataType::Int64)?;
        let counts = counts.as_primitive::<Int64Type>();
        let times = |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>();
        let (firsts, lasts) = (times(KEYS.len() + 1), times(KEYS.len() + 2));
        let time =
            |times: &TimestampMicrosecondArray, row: usize, none: i64| match times.is_valid(row) {
                true => times.value(row),
                false => none,
            };
        let mut last: Option<(Key, u32)> = None;
        for (row, count) in counts.iter().enumerate() {
            let key: Key = std::array::from_fn(|column| columns[column][row]);
            let place = match last {
                Some((known, place)) if known == key => place,
                _ => self.place(key),
            };
            last = Some((key, place));
            self.hours.push(Hour {
                key: place,
                count: count.unwrap_or(1),
                first_time: time(firsts, row, i64::MAX),
                last_time: time(lasts, row, i64::MIN),
            });
        }
        Ok(())
    }

    fn place(&mut self, key: Key) -> u32 {
        let hash = self.hasher.hash_one(key);
        if let Some(place) = self.index.find(hash, |it| self.keys[*it as usize] == key) {
            return *place;
        }
        let place = self.keys.len() as u32;
        self.keys.push(key);
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.index.insert_unique(hash, place, |it| hasher.hash_one(keys[*it as usize]));
        place
    }

    /// Adds what another part has.
    fn add(&mut self, other: Self) -> Result<()> {
        let Self { texts, keys, hours, memory, .. } = other;
        drop(memory);
        self.memory.try_grow(hours.len() * size_of::<Hour>())?;
        let numbers: Vec<u32> = std::iter::once(0)
            .chain(texts.into_vec().iter().map(|it| self.texts.number(it)))
            .collect();
        let key = |it: &Key| it.map(|number| numbers[number as usize]);
        let places: Vec<u32> = keys.iter().map(|it| self.place(key(it))).collect();
        let moved = hours.into_iter().map(|it| Hour { key: places[it.key as usize], ..it });
        self.hours.extend(moved);
        Ok(())
    }

    /// The table, in `partitions` parts of about equal size.
    fn finish(self, schema: &SchemaRef, partitions: usize) -> Result<Totals> {
        let Self { texts, keys, hours, memory, .. } = self;
        let texts = texts.into_vec();
        let mut columns: Vec<ArrayRef> = (0..KEYS.len())
            .map(|column| {
                // A text that many rows have stands once.
                let mut builder =
                    StringViewBuilder::with_capacity(keys.len()).with_deduplicate_strings();
                let text = |key: &Key| (key[column] as usize).checked_sub(1).map(|it| &texts[it]);
                keys.iter().for_each(|it| builder.append_option(text(it)));
                Arc::new(builder.finish()) as ArrayRef
            })
            .collect();
        let mut sums = vec![(0i64, i64::MAX, i64::MIN); keys.len()];
        for it in &hours {
            let (count, first, last) = &mut sums[it.key as usize];
            *count = count.saturating_add(it.count);
            *first = it.first_time.min(*first);
            *last = it.last_time.max(*last);
        }
        let times = |pick: fn(&(i64, i64, i64)) -> i64| {
            let known = |it: &(i64, i64, i64)| (it.1 <= it.2).then(|| pick(it));
            TimestampMicrosecondArray::from_iter(sums.iter().map(known)).with_timezone("UTC")
        };
        columns.extend([
            Arc::new(UInt32Array::from_iter_values(0..keys.len() as u32)) as ArrayRef,
            Arc::new(Int64Array::from_iter_values(sums.iter().map(|it| it.0))),
            Arc::new(times(|it| it.1)),
            Arc::new(times(|it| it.2)),
        ]);
        let rows = RecordBatch::try_new(Arc::clone(schema), columns)?;
        let mut parts: Vec<Vec<RecordBatch>> = vec![Vec::new(); partitions.max(1)];
        for (at, start) in (0..rows.num_rows()).step_by(BATCH_ROWS).enumerate() {
            let part = at % parts.len();
            parts[part].push(rows.slice(start, BATCH_ROWS.min(rows.num_rows() - start)));
        }
        let rows = MemTable::try_new(Arc::clone(schema), parts)?;
        Ok(Totals { rows, hours, _memory: memory })
    }
}
