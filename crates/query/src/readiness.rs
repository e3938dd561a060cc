//! `readiness`: what is known of one secret version, for the crate `verdict` to judge.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use datafusion::catalog::Session;
use datafusion::prelude::{col, lit};
use lastuse_verdict::{Evidence, Policy, Side, judge};

use crate::catalog::{Catalog, QueryError};
use crate::evidence::{Plans, Use, holes, rows, text, texts, times};
use crate::guard::Answer;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The secret.
    pub secret_id: &'a str,
    /// The version that may be revoked.
    pub version: &'a str,
    /// For the dry run: as if it had been revoked then; microseconds since 1970.
    pub cutoff_time: Option<i64>,
    /// The risk and the floors.
    pub policy: Policy,
    /// Whether [`Readiness::uses`] is wanted.
    pub keeps_uses: bool,
}

/// What is answered, with all that it was judged by.
#[derive(Debug)]
pub struct Readiness {
    /// What the judgement was based on.
    pub evidence: Evidence,
    /// The judgement.
    pub answer: lastuse_verdict::Answer,
    /// The inventory of this version; its `state` is that of the judgement.
    pub inventory: Answer,
    /// For each row of the inventory, the row of `Evidence::consumers`, if it used any version.
    pub consumers: Vec<Option<usize>>,
    /// Rows of `Evidence::consumers` that fetched a newer version and still use this one.
    pub readers: BTreeSet<usize>,
    /// The logs that could have shown the version.
    pub coverage: Vec<CoverageRow>,
    /// Whether the registry names anybody as a consumer of the secret.
    pub has_declared: bool,
    /// What was done with any version of the secret, if that was wanted.
    pub uses: Vec<Use>,
    /// From when on the backend should refuse the version.
    pub revoked_time: Option<i64>,
}

/// What one source shows of one scope.
#[derive(Debug, Clone)]
pub struct CoverageRow {
    /// The source.
    pub source: String,
    /// The scope; empty if it has none.
    pub scope: String,
    /// Why it is listed: `seen`, `same_secret` or `same_kind`.
    pub known_by: String,
    /// The first event.
    pub start_time: Option<i64>,
    /// The last event: up to here it is complete.
    pub watermark_time: Option<i64>,
    /// How late its events usually arrive.
    pub delay: Option<String>,
    /// Spans that may hide a use.
    pub holes: Vec<lastuse_verdict::Hole>,
    /// What it cannot show.
    pub blind_spots: Vec<String>,
}

/// A version as the registry or the logs tell of it.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    number: i64,
    active_time: Option<i64>,
    cutoff_time: Option<i64>,
    revoked_time: Option<i64>,
}

impl Catalog {
    /// May a version be revoked?
    ///
    /// # Errors
    /// [`QueryError::UnknownSecret`] and [`QueryError::UnknownVersion`] name what there is.
    pub async fn readiness(&self, question: &Question<'_>) -> Result<Readiness, QueryError> {
        let versions = self.versions(question.secret_id).await?;
        let Some(known) = versions.iter().find(|it| it.name == question.version) else {
            return Err(self.unknown(question, &versions).await?);
        };
        let number = known.number;
        let state = self.context().state();
        let plans = Plans::new(self.context()).await?;
        let mut histories = plans.read(&state, Some(question.secret_id)).await?;
        let history = histories.secrets.remove(question.secret_id).unwrap_or_default();
        // Where a newer version has a principal as well, its uses do not speak of this version.
        let own = history.principals.iter().filter(|it| *it.1 == number);
        let principals: BTreeSet<String> = own.map(|it| it.0.clone()).collect();
        let uses = if question.keeps_uses { history.uses.clone() } else { Vec::new() };
        let mut evidence = history.evidence(|it| match it.cmp(&number) {
            std::cmp::Ordering::Less => Side::Before,
            std::cmp::Ordering::Equal => Side::Old,
            std::cmp::Ordering::Greater => Side::New,
        });
        evidence.as_of_time = self.as_of_time();
        evidence.active_time = known.active_time;
        evidence.cutoff_time = known.cutoff_time;
        evidence.coverage = histories.coverage;
        let coverage = self.secret_coverage(question).await?;
        for it in &mut evidence.coverage {
            let is_it = |row: &CoverageRow| row.source == it.source && row.scope == it.scope;
            it.shows_kind = coverage.iter().any(is_it);
        }
        self.add_tails(question, &mut evidence, &state).await?;
        self.add_doubts(&principals, &mut evidence, &state).await?;
        let inventory = self
            .version_rows("inventory", Some(question.secret_id), Some(question.version))
            .await?;
        let consumers = places(&inventory.batches, &evidence)?;
        let answer = judge(&evidence, &question.policy, question.cutoff_time);
        let readers = self.readers(question, number, &evidence, &answer).await?;
        let has_declared = !evidence.declared.is_empty();
        Ok(Readiness {
            evidence,
            answer,
            inventory,
            consumers,
            readers,
            coverage,
            has_declared,
            uses,
            revoked_time: known.revoked_time,
        })
    }

    async fn versions(&self, secret: &str) -> Result<Vec<Known>, QueryError> {
        let frame = self
            .context()
            .sql(
                "SELECT version, version_number, active_time, cutoff_time, revoked_time, secret_id
                FROM secret_versions ORDER BY version_number",
            )
            .await?
            .filter(col("secret_id").eq(lit(secret)))?;
        let mut all = Vec::new();
        for batch in frame.collect().await? {
            let names = texts(&batch, 0).map_err(engine)?;
            let numbers = batch.column(1).as_primitive::<arrow::datatypes::Int64Type>();
            let (active, cutoff, revoked) = (times(&batch, 2), times(&batch, 3), times(&batch, 4));
            for row in 0..batch.num_rows() {
                all.push(Known {
                    name: names.value(row).to_owned(),
                    number: numbers.value(row),
                    active_time: active[row],
                    cutoff_time: cutoff[row],
                    revoked_time: revoked[row],
                });
            }
        }
        Ok(all)
    }

    /// Why there is nothing to answer.
    async fn unknown(
        &self,
        question: &Question<'_>,
        versions: &[Known],
    ) -> Result<QueryError, QueryError> {
        if !versions.is_empty() {
            let names: Vec<&str> = versions.iter().map(|it| it.name.as_str()).collect();
            return Ok(QueryError::UnknownVersion {
                secret_id: question.secret_id.to_owned(),
                version: question.version.to_owned(),
                known: names.join(", "),
            });
        }
        let frame = self
            .context()
            .sql("SELECT DISTINCT secret_id FROM secret_versions ORDER BY secret_id LIMIT 21")
            .await?;
        let mut names = Vec::new();
        for batch in frame.collect().await? {
            let column = texts(&batch, 0).map_err(engine)?;
            names.extend((0..batch.num_rows()).filter_map(|row| text(&column, row)));
        }
        if names.len() > 20 {
            names.truncate(20);
            names.push("...".to_owned());
        }
        let secret_id = question.secret_id.to_owned();
        Ok(QueryError::UnknownSecret { secret_id, known: names.join(", ") })
    }

    /// The logs that could have shown the version, and whether any could.
    async fn secret_coverage(
        &self,
        question: &Question<'_>,
    ) -> Result<Vec<CoverageRow>, QueryError> {
        let answer = self
            .version_rows("secret_coverage", Some(question.secret_id), Some(question.version))
            .await?;
        let mut all = Vec::new();
        for batch in &answer.batches {
            let column = |name: &str| batch.schema().index_of(name).map_err(engine);
            let words = |name: &str| column(name).and_then(|it| texts(batch, it).map_err(engine));
            let (sources, scopes) = (words("source")?, words("source_scope")?);
            let (known_by, delays) = (words("known_by")?, words("delay")?);
            let (blind, at) = (words("blind_spots")?, column("holes")?);
            let starts = times(batch, column("start_time")?);
            let watermarks = times(batch, column("watermark_time")?);
            for row in (0..batch.num_rows()).filter(|row| sources.is_valid(*row)) {
                let blind_spots = text(&blind, row).filter(|it| !it.is_empty());
                let split = |it: String| it.split("; ").map(str::to_owned).collect();
                all.push(CoverageRow {
                    source: sources.value(row).to_owned(),
                    scope: text(&scopes, row).unwrap_or_default(),
                    known_by: text(&known_by, row).unwrap_or_default(),
                    start_time: starts[row],
                    watermark_time: watermarks[row],
                    delay: text(&delays, row),
                    holes: holes(batch, at, row)?,
                    blind_spots: blind_spots.map(split).unwrap_or_default(),
                });
            }
        }
        Ok(all)
    }

    /// Whether a log can name the version, and until when what was obtained with it is valid.
    async fn add_tails(
        &self,
        question: &Question<'_>,
        evidence: &mut Evidence,
        state: &dyn Session,
    ) -> Result<(), QueryError> {
        let plan = self
            .context()
            .sql(
                "SELECT c.secret_id, c.version, t.tail_expires_time, t.endless_issued_time
                FROM version_credentials AS c
                LEFT JOIN version_tails AS t ON t.credential_uid = c.credential_uid",
            )
            .await?
            .filter(col("secret_id").eq(lit(question.secret_id)))?
            .filter(col("version").eq(lit(question.version)))?
            .into_unoptimized_plan();
        evidence.has_identifier = false;
        for batch in rows(state, &plan).await? {
            evidence.has_identifier |= batch.num_rows() > 0;
            let latest = |column| times(&batch, column).into_iter().flatten().max();
            evidence.tail_expires_time = evidence.tail_expires_time.max(latest(2));
            evidence.endless_issued_time = evidence.endless_issued_time.max(latest(3));
        }
        Ok(())
    }

    /// Uses that may be the version's: by its principals, or with sessions of unknown origin.
    async fn add_doubts(
        &self,
        principals: &BTreeSet<String>,
        evidence: &mut Evidence,
        state: &dyn Session,
    ) -> Result<(), QueryError> {
        let workloads: BTreeSet<&str> =
            evidence.consumers.iter().filter_map(|it| it.workload.as_deref()).collect();
        let plan = self
            .context()
            .sql(
                "SELECT unnest(principals) AS name, last_used_time, true AS is_principal
                FROM unresolved_sessions
                UNION ALL
                SELECT unnest(workloads), last_used_time, false FROM unresolved_sessions",
            )
            .await?
            .into_unoptimized_plan();
        let mut unresolved = None;
        for batch in rows(state, &plan).await? {
            let names = texts(&batch, 0).map_err(engine)?;
            let (used, is_principal) = (times(&batch, 1), batch.column(2).as_boolean());
            for row in (0..batch.num_rows()).filter(|row| names.is_valid(*row)) {
                let name = names.value(row);
                let is_ours = match is_principal.value(row) {
                    true => principals.contains(name),
                    false => workloads.contains(name),
                };
                unresolved = unresolved.max(used[row].filter(|_| is_ours));
            }
        }
        evidence.unresolved_used_time = unresolved;
        evidence.principal_used_time = self.principal_used_time(principals).await?;
        Ok(())
    }

    /// The last use by one of these principals in logs that name no credential.
    async fn principal_used_time(
        &self,
        principals: &BTreeSet<String>,
    ) -> Result<Option<i64>, QueryError> {
        if principals.is_empty() {
            return Ok(None);
        }
        let names = principals.iter().map(|it| lit(it.as_str())).collect();
        let frame = self
            .context()
            .sql(
                "SELECT principal, max(last_time) AS last_time FROM consumer_usage
                WHERE attribution = 'principal' AND outcome <> 'rejected'
                GROUP BY principal",
            )
            .await?
            .filter(col("principal").in_list(names, false))?;
        let mut last = None;
        for batch in frame.collect().await? {
            last = last.max(times(&batch, 1).into_iter().flatten().max());
        }
        Ok(last)
    }

    /// Who fetched a newer version from its store and used this one since: it needs a restart.
    async fn readers(
        &self,
        question: &Question<'_>,
        number: i64,
        evidence: &Evidence,
        answer: &lastuse_verdict::Answer,
    ) -> Result<BTreeSet<usize>, QueryError> {
        let frame = self
            .context()
            .sql(
                "SELECT v.secret_id, v.version_number, coalesce(r.workload, a.workload) AS workload,
                    coalesce(r.environment, a.environment) AS environment,
                    min(r.read_time) AS read_time
                FROM secret_versions AS v
                JOIN secret_reads AS r
                    ON r.target_secret_id = v.secret_id AND r.target_version = v.version
                LEFT JOIN addresses AS a ON a.source_ip = r.source_ip
                CROSS JOIN params AS p
                WHERE r.outcome = 'success' AND r.read_time <= p.as_of_time
                GROUP BY 1, 2, 3, 4",
            )
            .await?
            .filter(col("secret_id").eq(lit(question.secret_id)))?
            .filter(col("version_number").gt(lit(number)))?;
        let mut reads: BTreeMap<String, i64> = BTreeMap::new();
        for batch in frame.collect().await? {
            let workloads = texts(&batch, 2).map_err(engine)?;
            for (row, time) in times(&batch, 4).into_iter().enumerate() {
                let (Some(workload), Some(time)) = (text(&workloads, row), time) else { continue };
                let first = reads.entry(workload).or_insert(time);
                *first = time.min(*first);
            }
        }
        let mut readers = BTreeSet::new();
        for (at, (consumer, it)) in evidence.consumers.iter().zip(&answer.consumers).enumerate() {
            let read = consumer.workload.as_deref().and_then(|name| reads.get(name));
            let uses_old = it.old_used_time > it.new_used_time;
            if read.is_some_and(|read| uses_old && it.old_used_time > Some(*read)) {
                readers.insert(at);
            }
        }
        Ok(readers)
    }
}

fn engine(error: arrow::error::ArrowError) -> QueryError {
    QueryError::Run(error.into())
}

/// For each row of the inventory, its consumer in the evidence.
fn places(batches: &[RecordBatch], evidence: &Evidence) -> Result<Vec<Option<usize>>, QueryError> {
    let by_name: BTreeMap<_, usize> = evidence
        .consumers
        .iter()
        .enumerate()
        .map(|(at, it)| ((it.workload.as_deref(), it.environment.as_deref()), at))
        .collect();
    let mut all = Vec::new();
    for batch in batches {
        let column = |name: &str| batch.schema().index_of(name).map_err(engine);
        let workloads = texts(batch, column("workload")?).map_err(engine)?;
        let environments = texts(batch, column("environment")?).map_err(engine)?;
        for row in 0..batch.num_rows() {
            let workload = workloads.is_valid(row).then(|| workloads.value(row));
            let environment = environments.is_valid(row).then(|| environments.value(row));
            all.push(by_name.get(&(workload, environment)).copied());
        }
    }
    Ok(all)
}
