//! Usage and coverage as the crate `verdict` reads them: one history per secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow::error::ArrowError;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionContext, col, lit};
use hashbrown::HashMap;
use lastuse_verdict::{Activity, Consumer, Coverage, Declared, Hole, Outcome};
use tokio::sync::Mutex;

use crate::texts::Texts;
use crate::totals::{Hour, TotalsTable};

const USES: &str =
    "SELECT secret_id, workload, environment, coalesce(instance, source_ip) AS place,
        user_agent_product, source, coalesce(source_scope, '') AS source_scope, outcome, principal,
        version_number, is_derived, usage_key
    FROM version_usage
    WHERE secret_id IS NOT NULL AND NOT (is_derived AND outcome = 'rejected')";
const COVERAGE: &str = "SELECT source, source_scope, start_time, watermark_time, holes, delay
    FROM source_coverage ORDER BY source, source_scope";
const DECLARED: &str = "SELECT secret_id, workload, environment, interval_seconds, gone_time
    FROM declared_consumers";
const VERSIONS: &str = "SELECT secret_id, version_number FROM secret_versions
    ORDER BY secret_id, version_number";

/// The columns of [`USES`] that are text, by their place.
const TEXTS: usize = 9;

/// The queries that histories are made of, planned once.
#[derive(Debug, Clone)]
struct Plans {
    uses: LogicalPlan,
    coverage: LogicalPlan,
    declared: LogicalPlan,
    versions: LogicalPlan,
}

/// The histories that were read last: several parts of an answer ask for the same.
#[derive(Debug)]
pub(crate) struct Cache {
    plans: Plans,
    totals: Arc<TotalsTable>,
    last: Mutex<Option<(Option<String>, Arc<Histories>)>>,
}

impl Cache {
    /// Over the views of `context`, which build on `totals`.
    pub(crate) async fn new(context: &SessionContext, totals: Arc<TotalsTable>) -> Result<Self> {
        Ok(Self { plans: Plans::new(context).await?, totals, last: Mutex::new(None) })
    }

    /// The histories of all secrets, or of one.
    pub(crate) async fn read(
        &self,
        state: &dyn Session,
        secret: Option<&str>,
    ) -> Result<Arc<Histories>> {
        let mut last = self.last.lock().await;
        if let Some((known, histories)) = last.as_ref()
            && (known.is_none() || known.as_deref() == secret)
        {
            return Ok(Arc::clone(histories));
        }
        let totals = self.totals.get(state).await?;
        let histories = Arc::new(self.plans.read(state, secret, &totals.hours).await?);
        *last = Some((secret.map(str::to_owned), Arc::clone(&histories)));
        Ok(histories)
    }
}

/// What is known of all secrets, or of one.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    /// By the secret's id.
    pub(crate) secrets: BTreeMap<String, History>,
    /// What each source and scope covers; `Activity::shown_by` is a row of it.
    pub(crate) coverage: Vec<Coverage>,
}

/// What is known of one secret.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The numbers of its versions, in their order.
    pub(crate) versions: Vec<i64>,
    /// Whom the registry names.
    pub(crate) declared: Vec<Declared>,
    /// Who was seen.
    pub(crate) consumers: Vec<Consumer>,
    /// Their copies.
    pub(crate) processes: Vec<String>,
    /// Whom they acted as, and the newest version that each presented.
    pub(crate) principals: BTreeMap<String, i64>,
    /// What they did, in parts: there may be millions, and a list that grows is copied each time.
    pub(crate) uses: Vec<Vec<Use>>,
}

/// What was done with a version in an hour.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// The number of the version.
    pub version: i64,
    /// Whether the log says that the credential was authenticated, or that it was refused.
    pub is_told: bool,
    /// All else; the side is for the question to tell.
    pub activity: Activity,
}

impl Plans {
    /// Plans over the views of `context`.
    async fn new(context: &SessionContext) -> Result<Self> {
        let state = context.state();
        Ok(Self {
            uses: state.create_logical_plan(USES).await?,
            coverage: state.create_logical_plan(COVERAGE).await?,
            declared: state.create_logical_plan(DECLARED).await?,
            versions: state.create_logical_plan(VERSIONS).await?,
        })
    }

    async fn read(
        &self,
        state: &dyn Session,
        secret: Option<&str>,
        hours: &[Hour],
    ) -> Result<Histories> {
        let mut histories = Histories::default();
        for batch in rows(state, &of_secret(&self.versions, secret)?).await? {
            histories.add_versions(&batch)?;
        }
        for batch in rows(state, &of_secret(&self.declared, secret)?).await? {
            histories.add_declared(&batch)?;
        }
        for batch in rows(state, &self.coverage).await? {
            histories.add_coverage(&batch)?;
        }
        let mut names = Names::of(&histories.coverage);
        let mut places = Vec::new();
        for batch in rows(state, &of_secret(&self.uses, secret)?).await? {
            histories.add_places(&batch, &mut names, &mut places)?;
        }
        histories.add_uses(hours, places, names);
        // Rows come in the order in which threads were done; the same question has one answer.
        histories.secrets.values_mut().for_each(History::put_in_order);
        Ok(histories)
    }
}

/// All rows of a plan.
async fn rows(state: &dyn Session, plan: &LogicalPlan) -> Result<Vec<RecordBatch>> {
    collect(state.create_physical_plan(plan).await?, state.task_ctx()).await
}

fn of_secret(plan: &LogicalPlan, secret: Option<&str>) -> Result<LogicalPlan> {
    let Some(secret) = secret else { return Ok(plan.clone()) };
    LogicalPlanBuilder::from(plan.clone()).filter(col("secret_id").eq(lit(secret)))?.build()
}

/// A column of text.
pub(crate) fn texts(batch: &RecordBatch, column: usize) -> Result<StringViewArray, ArrowError> {
    Ok(cast(batch.column(column), &DataType::Utf8View)?.as_string_view().clone())
}

pub(crate) fn text(array: &StringViewArray, row: usize) -> Option<String> {
    array.is_valid(row).then(|| array.value(row).to_owned())
}

/// Instants of a column, in microseconds since 1970.
pub(crate) fn times(batch: &RecordBatch, column: usize) -> Vec<Option<i64>> {
    batch.column(column).as_primitive::<TimestampMicrosecondType>().iter().collect()
}

fn numbers(batch: &RecordBatch, column: usize) -> Result<Vec<Option<i64>>, ArrowError> {
    let column = cast(batch.column(column), &DataType::Int64)?;
    Ok(column.as_primitive::<Int64Type>().iter().collect())
}

impl History {
    /// All that was done.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &Use> {
        self.uses.iter().flatten()
    }

    /// Numbers consumers and their copies in the order of their names.
    fn put_in_order(&mut self) {
        let consumers =
            sort(&mut self.consumers, |it| (it.workload.clone(), it.environment.clone()));
        let processes = sort(&mut self.processes, String::clone);
        for it in self.uses.iter_mut().flatten() {
            let activity = &mut it.activity;
            activity.consumer = consumers[activity.consumer as usize];
            activity.process = processes[activity.process as usize];
        }
    }
}

/// Sorts a list; the new place of each row.
fn sort<T: Clone, K: Ord>(list: &mut Vec<T>, key: impl Fn(&T) -> K) -> Vec<u32> {
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by_cached_key(|it| key(&list[*it]));
    let mut places = vec![0; list.len()];
    for (place, row) in order.iter().enumerate() {
        places[*row] = place as u32;
    }
    *list = order.into_iter().map(|it| list[it].clone()).collect();
    places
}

impl Histories {
    fn add_versions(&mut self, batch: &RecordBatch) -> Result<()> {
        let (secrets, all) = (texts(batch, 0)?, numbers(batch, 1)?);
        for (row, number) in all.into_iter().enumerate() {
            let Some(number) = number else { continue };
            let secret = secrets.value(row).to_owned();
            self.secrets.entry(secret).or_default().versions.push(number);
        }
        Ok(())
    }

    fn add_declared(&mut self, batch: &RecordBatch) -> Result<()> {
        let (secrets, workloads) = (texts(batch, 0)?, texts(batch, 1)?);
        let (environments, intervals) = (texts(batch, 2)?, numbers(batch, 3)?);
        for (row, gone_time) in times(batch, 4).into_iter().enumerate() {
            let Some(history) = self.secrets.get_mut(secrets.value(row)) else { continue };
            history.declared.push(Declared {
                workload: workloads.value(row).to_owned(),
                environment: text(&environments, row),
                interval_seconds: intervals[row].and_then(|it| u64::try_from(it).ok()),
                gone_time,
            });
        }
        Ok(())
    }

    fn add_coverage(&mut self, batch: &RecordBatch) -> Result<()> {
        let (sources, scopes) = (texts(batch, 0)?, texts(batch, 1)?);
        let (starts, watermarks) = (times(batch, 2), times(batch, 3));
        let delays = texts(batch, 5)?;
        for row in 0..batch.num_rows() {
            self.coverage.push(Coverage {
                delay_seconds: delay_seconds(text(&delays, row).as_deref()),
                source: text(&sources, row).unwrap_or_default(),
                scope: text(&scopes, row).unwrap_or_default(),
                // Of a source whose records were all rejected no time is covered.
                start_time: starts[row].unwrap_or(i64::MAX),
                watermark_time: watermarks[row].unwrap_or(i64::MIN),
                holes: holes(batch, 4, row)?,
                ..Coverage::default()
            });
        }
        Ok(())
    }

    /// Says of each kind of use whose it is: of one kind there may be several rows, since what was
    /// obtained with two versions is a use of both.
    fn add_places(
        &mut self,
        batch: &RecordBatch,
        names: &mut Names,
        places: &mut Vec<(u32, Place)>,
    ) -> Result<()> {
        let mut ids = Vec::with_capacity(TEXTS);
        let mut columns = Vec::with_capacity(TEXTS);
        for column in 0..TEXTS {
            let array = texts(batch, column)?;
            ids.push(names.texts.numbers(&array));
            columns.push(array);
        }
        let versions = numbers(batch, 9)?;
        let derived: &BooleanArray = batch.column(10).as_boolean();
        let keys = batch.column(11).as_primitive::<UInt32Type>();
        places.reserve(batch.num_rows());
        for row in 0..batch.num_rows() {
            let version = versions[row].unwrap_or_default();
            let value = |column: usize| text(&columns[column], row);
            let ids: [u32; TEXTS] = std::array::from_fn(|column| ids[column][row]);
            let mut place = self.place(&ids, version, value, names);
            place.activity.is_derived = derived.value(row);
            places.push((keys.value(row), place));
        }
        Ok(())
    }

    /// Gives each hour's uses to those whose they are.
    fn add_uses(&mut self, hours: &[Hour], mut places: Vec<(u32, Place)>, names: Names) {
        places.sort_by_key(|it| it.0);
        let mut starts: Vec<u32> = Vec::new();
        for (at, (key, _)) in places.iter().enumerate() {
            starts.resize(starts.len().max(*key as usize + 1), at as u32);
        }
        starts.push(places.len() as u32);
        let mut uses: Vec<Parts> = names.secrets.iter().map(|_| Parts::default()).collect();
        // An hour of which no time is told is none. One that takes back a count may hold a use too.
        for it in hours.iter().filter(|it| it.first_time <= it.last_time) {
            let of_key =
                |key: u32| starts.get(key as usize).copied().unwrap_or(places.len() as u32);
            for (_, place) in &places[of_key(it.key) as usize..of_key(it.key + 1) as usize] {
                uses[place.secret].push(Use {
                    version: place.version,
                    is_told: place.is_told,
                    activity: Activity {
                        first_time: it.first_time,
                        last_time: it.last_time,
                        count: u64::try_from(it.count).unwrap_or(1),
                        ..place.activity
                    },
                });
            }
        }
        for (secret, uses) in names.secrets.iter().zip(uses) {
            if let Some(history) = self.secrets.get_mut(secret) {
                history.uses = uses.0;
            }
        }
    }

    /// Where the uses of one row go; makes the consumer and the process.
    fn place(
        &mut self,
        key: &[u32; TEXTS],
        version: i64,
        value: impl Fn(usize) -> Option<String>,
        names: &mut Names,
    ) -> Place {
        let secret = *names.secret_places.entry(key[0]).or_insert_with(|| {
            names.secrets.push(value(0).unwrap_or_default());
            names.secrets.len() - 1
        });
        let history = self.secrets.entry(names.secrets[secret].clone()).or_default();
        let newest = names.principals.entry([key[0], key[8]]).or_insert(i64::MIN);
        if version > *newest {
            *newest = version;
            if let Some(principal) = value(8) {
                history.principals.insert(principal, version);
            }
        }
        let consumer = *names.consumers.entry([key[0], key[1], key[2]]).or_insert_with(|| {
            history.consumers.push(Consumer { workload: value(1), environment: value(2) });
            (history.consumers.len() - 1) as u32
        });
        let process = [key[0], consumer, key[3], key[4]];
        let process = *names.processes.entry(process).or_insert_with(|| {
            let parts: Vec<String> = value(3).into_iter().chain(value(4)).collect();
            history.processes.push(parts.join(" "));
            (history.processes.len() - 1) as u32
        });
        let shown_by = *names.coverage.entry([key[5], key[6]]).or_insert_with(|| {
            // Nothing is known of what it covers: no soak can be over.
            self.coverage.push(Coverage {
                source: value(5).unwrap_or_default(),
                scope: value(6).unwrap_or_default(),
                start_time: i64::MAX,
                watermark_time: i64::MIN,
                ..Coverage::default()
            });
            (self.coverage.len() - 1) as u32
        });
        let outcome = value(7);
        let outcome = outcome.as_deref();
        let is_rejected = outcome == Some("rejected");
        Place {
            secret,
            version,
            is_told: is_rejected || matches!(outcome, Some("success" | "denied")),
            activity: Activity {
                consumer,
                process,
                shown_by,
                outcome: if is_rejected { Outcome::Rejected } else { Outcome::Used },
                ..Activity::default()
            },
        }
    }
}

/// Uses in parts of about a megabyte.
#[derive(Debug, Default)]
struct Parts(Vec<Vec<Use>>);

impl Parts {
    fn push(&mut self, it: Use) {
        const PART: usize = 1 << 14;
        match self.0.last_mut() {
            Some(part) if part.len() < PART => part.push(it),
            Some(_) => {
                let mut part = Vec::with_capacity(PART);
                part.push(it);
                self.0.push(part);
            }
            None => self.0.push(vec![it]),
        }
    }
}

/// How late events may be, of what a source says: `15 minutes`. A unit without a number stands for
/// less than one of the next larger, and of a source that says nothing an hour is taken.
fn delay_seconds(text: Option<&str>) -> u64 {
    const HOUR: u64 = 3600;
    let (number, unit) = match text.map(|it| it.split_once(' ').unwrap_or(("", it))) {
        Some((number, unit)) => (number.parse::<u64>().ok(), unit.trim_end_matches('s')),
        None => (None, ""),
    };
    let (one, next) = match unit {
        "second" => (1, 60),
        "minute" => (60, HOUR),
        "hour" => (HOUR, 24 * HOUR),
        "day" => (24 * HOUR, 7 * 24 * HOUR),
        _ => return HOUR,
    };
    number.map_or(next, |it| it.saturating_mul(one))
}

/// The list of holes in a cell.
pub(crate) fn holes(batch: &RecordBatch, column: usize, row: usize) -> Result<Vec<Hole>> {
    let Some(lists) = batch.column(column).as_list_opt::<i32>() else { return Ok(Vec::new()) };
    if lists.is_null(row) {
        return Ok(Vec::new());
    }
    let of_row = RecordBatch::from(lists.value(row).as_struct());
    let (starts, ends) = (times(&of_row, 0), times(&of_row, 1));
    let evidence = texts(&of_row, 2)?;
    let hole = |(at, (start, end)): (usize, (Option<i64>, Option<i64>))| {
        Some(Hole {
            start_time: start?,
            end_time: end?,
            evidence: text(&evidence, at).unwrap_or_default(),
        })
    };
    Ok(starts.into_iter().zip(ends).enumerate().filter_map(hole).collect())
}

/// Where the uses of one row go.
#[derive(Debug, Clone, Copy)]
struct Place {
    secret: usize,
    version: i64,
    is_told: bool,
    activity: Activity,
}

/// What was named so far, by the numbers of its texts.
#[derive(Debug, Default)]
struct Names {
    texts: Texts,
    secrets: Vec<String>,
    secret_places: HashMap<u32, usize>,
    /// The newest version that each presented.
    principals: HashMap<[u32; 2], i64>,
    consumers: HashMap<[u32; 3], u32>,
    processes: HashMap<[u32; 4], u32>,
    coverage: HashMap<[u32; 2], u32>,
}

impl Names {
    fn of(coverage: &[Coverage]) -> Self {
        let mut names = Self::default();
        for (row, it) in coverage.iter().enumerate() {
            let key = [names.texts.number(&it.source), names.texts.number(&it.scope)];
            names.coverage.insert(key, row as u32);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::delay_seconds;

    #[test]
    fn a_delay_is_read_as_the_longest_that_its_words_allow() {
        for (text, seconds) in [
            ("15 minutes", 900),
            ("1 hour", 3600),
            ("2 hours", 7200),
            ("seconds", 60),
            ("minutes", 3600),
            ("hours", 86_400),
            ("now and then", 3600),
        ] {
            assert_eq!(delay_seconds(Some(text)), seconds, "{text}");
        }
        assert_eq!(delay_seconds(None), 3600);
    }
}
