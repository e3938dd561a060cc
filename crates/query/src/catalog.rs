//! The catalog: tables, views and reports as SQL sees them at one instant.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use datafusion::catalog::{MemorySchemaProvider, TableProvider};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, col, lit};
use include_dir::{Dir, include_dir};
use lastuse_model::registry::ResolvedRegistry;
use lastuse_store::{Store, StoreError, Table};
use tokio::sync::OnceCell;

use crate::evidence::{Cache, texts};
use crate::guard::Answer;
use crate::known::{self, Ambiguous, KnownVersion, LifecycleEvent, SeenCredentials, SourceFacts};
use crate::misplaced::Misplaced;
use crate::states::StatesTable;
use crate::table::StoreTable;
use crate::totals::{self, TotalsTable};

static VIEWS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../queries/views");
static REPORTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../queries/reports");

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A table could not be read.
    #[error("cannot read the tables")]
    Store(#[from] StoreError),
    /// The stored registry is damaged.
    #[error("cannot read the stored registry; import it again with `lastuse secrets import`")]
    Registry(#[source] serde_json::Error),
    /// A view or report that comes with the product does not plan.
    #[error("cannot prepare `{name}`")]
    Prepare {
        /// The view or report.
        name: String,
        /// What the engine said.
        source: DataFusionError,
    },
    /// The query is wrong or failed.
    #[error("cannot run the query")]
    Run(#[from] DataFusionError),
    /// There is no report of that name.
    #[error("there is no report called `{name}`; there are {known}")]
    UnknownReport {
        /// What was asked for.
        name: String,
        /// The reports there are.
        known: String,
    },
    /// There is no secret of that name.
    #[error("there is no secret `{secret_id}`; `lastuse secrets list` shows what there is")]
    UnknownSecret {
        /// What was asked for.
        secret_id: String,
    },
    /// The secret has no version of that name.
    #[error("`{secret_id}` has no version `{version}`; there are: {known}")]
    UnknownVersion {
        /// The secret.
        secret_id: String,
        /// What was asked for.
        version: String,
        /// The versions there are.
        known: String,
    },
    /// The statement does more than read.
    #[error("{statement} is not allowed: only queries that read are")]
    Refused {
        /// What kind of statement it is.
        statement: String,
    },
    /// A query ran into a limit.
    #[error("the query was ended: {limit}")]
    Limit {
        /// Which limit, and how to raise it.
        limit: String,
    },
}

/// How a catalog answers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The instant of every report, in microseconds since 1970.
    pub as_of_time: i64,
    /// What is known of the sources.
    pub sources: Vec<SourceFacts>,
    /// How many threads a query may use; 0 for as many as there are.
    pub threads: usize,
    /// How much memory queries may use, in bytes.
    pub memory_bytes: usize,
}

/// The tables, views and reports at one instant.
pub struct Catalog {
    context: SessionContext,
    histories: Histories,
    as_of_time: i64,
    sources: Vec<SourceFacts>,
    ambiguous: Vec<Ambiguous>,
    /// Found when first asked for: it takes a pass over all credentials.
    pub(crate) misplaced: OnceCell<Vec<Misplaced>>,
}

impl Catalog {
    /// Opens the tables of `store` as they are now.
    pub async fn open(store: &Store, settings: &Settings) -> Result<Self, QueryError> {
        let registry: ResolvedRegistry = match store.registry()? {
            Some(text) => serde_json::from_str(&text).map_err(QueryError::Registry)?,
            None => ResolvedRegistry::default(),
        };
        let context = session(settings)?;
        for table in Table::ALL {
            let files = store.active_files(table).await?;
            let provider = Arc::new(StoreTable::new(table, files));
            context.register_table(stored_name(table), provider)?;
        }
        let ambiguous = register_known(&context, &registry, settings).await?;
        let histories = register_views(&context, settings.as_of_time).await?;
        let (as_of_time, sources) = (settings.as_of_time, settings.sources.clone());
        let misplaced = OnceCell::new();
        Ok(Self { context, histories, as_of_time, sources, ambiguous, misplaced })
    }

    /// The instant of every report, in microseconds since 1970.
    pub fn as_of_time(&self) -> i64 {
        self.as_of_time
    }

    /// Identifiers of the registry that match credentials of several scopes.
    pub fn ambiguous(&self) -> &[Ambiguous] {
        &self.ambiguous
    }

    /// The rows of a report, or of a view by the same name.
    pub async fn report(&self, name: &str) -> Result<DataFrame, QueryError> {
        let Some(sql) = report_sql(name) else {
            let known: Vec<_> = reports().map(|it| it.0).collect();
            return Err(QueryError::UnknownReport {
                name: name.to_owned(),
                known: known.join(", "),
            });
        };
        let error = |source| QueryError::Prepare { name: name.to_owned(), source };
        self.context.sql(sql).await.map_err(error)
    }

    /// The rows of a report, of one secret if wanted.
    pub async fn report_rows(
        &self,
        name: &str,
        secret: Option<&str>,
    ) -> Result<Answer, QueryError> {
        self.version_rows(name, secret, None).await
    }

    /// The rows of a report, of one secret and one of its versions if wanted.
    pub async fn version_rows(
        &self,
        name: &str,
        secret: Option<&str>,
        version: Option<&str>,
    ) -> Result<Answer, QueryError> {
        let mut frame = self.report(name).await?;
        for (column, wanted) in [("secret_id", secret), ("version", version)] {
            if let Some(wanted) = wanted {
                frame = frame.filter(col(column).eq(lit(wanted)))?;
            }
        }
        let planned = SchemaRef::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        if let Some(secret) = secret
            && batches.iter().all(|it| it.num_rows() == 0)
        {
            self.check_known(secret, version).await?;
        }
        // Text inside lists may come out as another type of text than was planned.
        let schema = batches.first().map_or(planned, RecordBatch::schema);
        Ok(Answer { schema, batches })
    }

    /// Refuses a secret or version that neither the registry nor a log names: no rows of it would
    /// look as if nobody used it.
    ///
    /// # Errors
    /// [`QueryError::UnknownSecret`] and [`QueryError::UnknownVersion`] name what there is.
    pub async fn check_known(&self, secret: &str, version: Option<&str>) -> Result<(), QueryError> {
        let versions = self.context.table("secret_versions").await?;
        let versions = versions.filter(col("secret_id").eq(lit(secret)))?;
        let mut known = Vec::new();
        for batch in versions.select_columns(&["version"])?.collect().await? {
            let names = texts(&batch, 0).map_err(|it| QueryError::Run(it.into()))?;
            known.extend(names.iter().flatten().map(str::to_owned));
        }
        if known.is_empty() {
            return Err(QueryError::UnknownSecret { secret_id: secret.to_owned() });
        }
        match version.filter(|it| !known.iter().any(|name| name == it)) {
            Some(version) => Err(QueryError::UnknownVersion {
                secret_id: secret.to_owned(),
                version: version.to_owned(),
                known: known.join(", "),
            }),
            None => Ok(()),
        }
    }

    /// Registers every report as `report.NAME`, for ad hoc SQL.
    pub async fn register_reports(&self) -> Result<(), QueryError> {
        register_reports(&self.context).await
    }

    pub(crate) fn histories(&self) -> &Cache {
        &self.histories.0
    }

    /// What a source cannot show.
    pub(crate) fn blind_spots(&self, source: &str) -> &[String] {
        let known = self.sources.iter().find(|it| it.source == source);
        known.map_or(&[], |it| &it.blind_spots)
    }

    /// The engine's own session, with everything registered.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }
}

/// The name by which views read a table's rows: those that a view shapes before
/// analysts see them keep their stored rows under another name.
pub fn stored_name(table: Table) -> &'static str {
    match table {
        Table::Events => "stored_events",
        Table::Files => "stored_files",
        Table::Credentials => "stored_credentials",
        _ => table.name(),
    }
}

/// An engine session with the product's settings and nothing registered yet.
pub fn session(settings: &Settings) -> Result<SessionContext, DataFusionError> {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_default_catalog_and_schema("lastuse", "public");
    if settings.threads > 0 {
        config = config.with_target_partitions(settings.threads);
    }
    let options = config.options_mut();
    options.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    options.execution.collect_statistics = false;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(settings.memory_bytes)))
        .build_arc()?;
    let context = SessionContext::new_with_config_rt(config, runtime);
    // These two can take memory that no limit sees.
    for function in ["generate_series", "range"] {
        context.deregister_udtf(function);
    }
    Ok(context)
}

/// The tables made from the registry and from what the logs tell of versions.
async fn register_known(
    context: &SessionContext,
    registry: &ResolvedRegistry,
    settings: &Settings,
) -> Result<Vec<Ambiguous>, QueryError> {
    let as_of = settings.as_of_time;
    let learnt = known::learn(&lifecycle(context, as_of).await?);
    let seen = match needs_scopes(registry) {
        true => seen_credentials(context).await?,
        false => SeenCredentials::new(),
    };
    let (registered, ambiguous) = known::registered(registry, &seen);
    let versions: Vec<KnownVersion> = known::combine(registered, learnt);
    let addresses = addresses(context).await?;
    let tables = [
        ("params", known::parameter_table(as_of)),
        ("secret_versions", known::version_table(&versions, as_of)),
        ("version_credentials", known::version_credential_table(&versions)),
        ("declared_consumers", known::declared_table(registry)),
        ("addresses", known::address_table(registry, &addresses)),
        ("source_facts", known::source_table(&settings.sources)),
    ];
    for (name, batch) in tables {
        context.register_table(name, memory_table(batch)?)?;
    }
    Ok(ambiguous)
}

fn memory_table(batch: RecordBatch) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))
}

fn needs_scopes(registry: &ResolvedRegistry) -> bool {
    let mut identifiers =
        registry.secrets.iter().flat_map(|it| &it.versions).flat_map(|it| &it.identifiers);
    identifiers.any(|it| it.credential_uid.is_none())
}

async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
    context.sql(sql).await?.collect().await
}

/// A cell as text; none if it is null. The cast is of the one row: of the whole column, it would be done for each of its rows.
fn text(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let array = cast(&batch.column(column).slice(row, 1), &DataType::Utf8).ok()?;
    let array = array.as_string::<i32>();
    array.is_valid(0).then(|| array.value(0).to_owned())
}

async fn lifecycle(
    context: &SessionContext,
    as_of: i64,
) -> Result<Vec<LifecycleEvent>, DataFusionError> {
    let sql =
        "SELECT event_time, target_secret_id, coalesce(target_version, target_credential_uid),
            target_credential_uid, target_kind, target_state
        FROM lifecycle
        WHERE target_secret_id IS NOT NULL AND target_state IS NOT NULL
            AND coalesce(target_version, target_credential_uid) IS NOT NULL";
    let mut events = Vec::new();
    for batch in rows(context, sql).await? {
        let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let event_time = times.value(row);
            if event_time > as_of {
                continue;
            }
            events.push(LifecycleEvent {
                event_time,
                secret_id: text(&batch, 1, row).unwrap_or_default(),
                version: text(&batch, 2, row).unwrap_or_default(),
                credential_uid: text(&batch, 3, row),
                kind: text(&batch, 4, row),
                state: text(&batch, 5, row).unwrap_or_default(),
            });
        }
    }
    Ok(events)
}

async fn seen_credentials(context: &SessionContext) -> Result<SeenCredentials, DataFusionError> {
    let sql = "SELECT DISTINCT id_kind, id_value, credential_uid, coalesce(id_scope, '')
        FROM stored_credentials WHERE id_value IS NOT NULL AND id_kind <> 'aws_access_key_id'
        ORDER BY 1, 2, 4, 3";
    let mut seen = SeenCredentials::new();
    for batch in rows(context, sql).await? {
        for row in 0..batch.num_rows() {
            let part = |column| text(&batch, column, row).unwrap_or_default();
            seen.entry((part(0), part(1))).or_default().push((part(2), part(3)));
        }
    }
    Ok(seen)
}

async fn addresses(context: &SessionContext) -> Result<Vec<String>, DataFusionError> {
    let sql = "SELECT DISTINCT source_ip FROM usage WHERE source_ip IS NOT NULL";
    let mut all = Vec::new();
    for batch in rows(context, sql).await? {
        let array = cast(batch.column(0), &DataType::Utf8)?;
        all.extend(array.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    all.sort();
    Ok(all)
}

/// The views, by the file names' numbers; each may use those before it.
fn views() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut all: Vec<_> = sql_files(&VIEWS).collect();
    all.sort_unstable();
    all.into_iter().map(|(name, sql)| (name.split_once('_').map_or(name, |it| it.1), sql))
}

/// The reports by name.
pub fn reports() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut all: Vec<_> = sql_files(&REPORTS).collect();
    all.sort_unstable();
    all.into_iter()
}

fn report_sql(name: &str) -> Option<&'static str> {
    reports().find(|it| it.0 == name).map(|it| it.1)
}

fn sql_files(folder: &'static Dir<'_>) -> impl Iterator<Item = (&'static str, &'static str)> {
    folder.files().filter_map(|file| {
        let name = file.path().file_name()?.to_str()?.strip_suffix(".sql")?;
        Some((name, file.contents_utf8()?))
    })
}

/// What was done with each secret, read when it is asked for.
#[derive(Debug, Clone)]
pub struct Histories(pub(crate) Arc<Cache>);

/// Registers the views over tables that are registered already.
pub async fn register_views(context: &SessionContext, as_of: i64) -> Result<Histories, QueryError> {
    let mut first: Vec<_> = views().collect();
    // Usage is summed up before other views build on it.
    let usage_at = first.iter().position(|it| it.0 == "usage_at");
    let rest = first.split_off(usage_at.map_or(first.len(), |it| it + 1));
    register_each(context, &first, as_of).await?;
    let error = |source| QueryError::Prepare { name: "usage_totals".to_owned(), source };
    let usage = context.state().create_logical_plan(&totals::query()).await.map_err(error)?;
    let totals = Arc::new(TotalsTable::new(usage));
    context.register_table("usage_totals", Arc::clone(&totals) as _).map_err(error)?;
    register_each(context, &rest, as_of).await?;
    let error = |source| QueryError::Prepare { name: "consumer_states".to_owned(), source };
    let histories = Arc::new(Cache::new(context, totals).await.map_err(error)?);
    let states = StatesTable::new(Arc::clone(&histories), as_of);
    context.register_table("consumer_states", Arc::new(states)).map_err(error)?;
    Ok(Histories(histories))
}

async fn register_each(
    context: &SessionContext,
    views: &[(&str, &str)],
    as_of: i64,
) -> Result<(), QueryError> {
    const HOUR: i64 = 3_600_000_000;
    let instant = |micros: i64| {
        let text = lastuse_model::time::format_time(micros);
        format!("arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')")
    };
    for (name, sql) in views {
        let sql = sql
            .replace("{as_of_time}", &instant(as_of))
            .replace("{as_of_hour}", &instant(as_of.div_euclid(HOUR) * HOUR));
        let error = |source| QueryError::Prepare { name: (*name).to_owned(), source };
        let view = view(context, &sql).await.map_err(error)?;
        context.register_table(*name, view).map_err(error)?;
    }
    Ok(())
}

/// Registers the reports as `report.NAME`, and tables made for analysts.
pub async fn register_reports(context: &SessionContext) -> Result<(), QueryError> {
    let catalog = context.catalog("lastuse");
    let schema = Arc::new(MemorySchemaProvider::new());
    if let Some(catalog) = catalog {
        catalog.register_schema("report", schema)?;
    }
    for (name, sql) in reports() {
        let error = |source| QueryError::Prepare { name: name.to_owned(), source };
        let view = view(context, sql).await.map_err(error)?;
        context.register_table(format!("report.{name}"), view).map_err(error)?;
    }
    Ok(())
}

async fn view(
    context: &SessionContext,
    sql: &str,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let plan = context.state().create_logical_plan(sql).await?;
    Ok(Arc::new(ViewTable::new(plan, Some(sql.to_owned()))))
}
