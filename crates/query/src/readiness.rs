//! `readiness`: what is known of secret versions, for the crate `verdict` to judge.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use datafusion::prelude::{col, lit};
use lastuse_model::kind::AWS_ACCESS_KEY_ID;
use lastuse_verdict::{Evidence, Hole, Policy, Side, judge};

use crate::catalog::{Catalog, QueryError};
use crate::evidence::{Histories, History, Use, holes, text, texts, times};

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
}

/// What is answered, with all that it was judged by.
#[derive(Debug)]
pub struct Readiness {
    /// What the judgement was based on.
    pub evidence: Evidence,
    /// The judgement.
    pub answer: lastuse_verdict::Answer,
    /// Rows of `Evidence::consumers` that fetched a newer version and still use this one.
    pub readers: BTreeSet<usize>,
    /// The logs that could have shown the version.
    pub coverage: Vec<CoverageRow>,
    /// From when on the backend should refuse the version.
    pub revoked_time: Option<i64>,
}

impl Readiness {
    /// Rows of `Evidence::consumers` by workload and environment.
    pub fn places(&self) -> HashMap<(Option<&str>, Option<&str>), usize> {
        let all = self.evidence.consumers.iter().enumerate();
        all.map(|(at, it)| ((it.workload.as_deref(), it.environment.as_deref()), at)).collect()
    }
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
    pub holes: Vec<Hole>,
    /// What it cannot show.
    pub blind_spots: Vec<String>,
}

/// All that is known of some secrets at one instant.
#[derive(Debug, Default)]
pub struct Facts {
    as_of_time: i64,
    histories: Arc<Histories>,
    versions: BTreeMap<String, Vec<Version>>,
    coverage: BTreeMap<(String, String), Vec<CoverageRow>>,
    /// By secret and version; whoever is in it has an identifier.
    tails: BTreeMap<(String, String), Tail>,
    /// By secret and version: identifiers that logs show in several scopes, or in another
    /// than the registry gives.
    ambiguous: BTreeMap<(String, String), Vec<String>>,
    /// Secrets and versions of which credentials outside the registry may be misspelt twins.
    twins: BTreeSet<(String, String)>,
    /// By secret and version: the last call that a service made on behalf of its user.
    forwarded: BTreeMap<(String, String), i64>,
    /// The last use of sessions of unknown origin, by principal and by workload.
    unresolved: [BTreeMap<String, i64>; 2],
    /// The last use in logs that name no credential, by principal.
    unnamed: BTreeMap<String, i64>,
    /// By secret: the number of the version that was fetched from its store, by whom, when first.
    reads: BTreeMap<String, Vec<(i64, String, i64)>>,
}

/// A version as the registry or the logs tell of it.
#[derive(Debug, Clone)]
struct Version {
    name: String,
    number: i64,
    active_time: Option<i64>,
    cutoff_time: Option<i64>,
    revoked_time: Option<i64>,
    /// A log told of it.
    is_learnt: bool,
}

/// Until when what was obtained with a version can be valid.
#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    expires_time: Option<i64>,
    endless_issued_time: Option<i64>,
    /// One of the identifiers has a form that only its provider gives.
    is_of_provider: bool,
}

const VERSIONS: &str = "SELECT * FROM secret_versions ORDER BY secret_id, version_number";
const TAILS: &str =
    "SELECT c.secret_id, c.version, t.tail_expires_time, t.endless_issued_time, c.id_kind
    FROM version_credentials AS c
    LEFT JOIN version_tails AS t ON t.credential_uid = c.credential_uid";
const FORWARDED: &str = "SELECT c.secret_id, c.version, max(u.last_time) AS last_time
    FROM (
        SELECT secret_id, version, credential_uid FROM version_credentials
        UNION
        SELECT secret_id, version, credential_uid FROM descent
    ) AS c
    JOIN usage_totals AS u ON u.credential_uid = c.credential_uid
    WHERE u.via_service IS NOT NULL AND u.outcome <> 'rejected' AND u.attribution <> 'principal'
    GROUP BY c.secret_id, c.version";
const TWINS: &str = "SELECT DISTINCT secret_id, version FROM version_twins";
const UNRESOLVED: &str = "SELECT principals, workloads, last_used_time FROM unresolved_sessions";
const UNNAMED: &str = "SELECT principal, max(last_time) AS last_time FROM consumer_usage
    WHERE attribution = 'principal' AND outcome <> 'rejected' AND principal IS NOT NULL
    GROUP BY principal";
const READS: &str = "SELECT v.secret_id, v.version_number,
        coalesce(r.workload, a.workload) AS workload, min(r.read_time) AS read_time
    FROM secret_versions AS v
    JOIN secret_reads AS r ON r.target_secret_id = v.secret_id AND r.target_version = v.version
    LEFT JOIN addresses AS a ON a.source_ip = r.source_ip
    CROSS JOIN params AS p
    WHERE r.outcome = 'success' AND r.read_time <= p.as_of_time
    GROUP BY 1, 2, 3";

impl Catalog {
    /// What is known of one secret, or of all.
    pub async fn facts(&self, secret: Option<&str>) -> Result<Facts, QueryError> {
        let state = self.context().state();
        let mut facts = Facts {
            as_of_time: self.as_of_time(),
            histories: self.histories().read(&state, secret).await?,
            ..Facts::default()
        };
        for batch in self.of_secret(VERSIONS, secret).await? {
            facts.add_versions(&batch)?;
        }
        for batch in self.version_rows("secret_coverage", secret, None).await?.batches {
            facts.add_coverage(&batch, self)?;
        }
        for batch in self.of_secret(TAILS, secret).await? {
            facts.add_tails(&batch)?;
        }
        for it in self.ambiguous() {
            let key = (it.secret_id.clone(), it.version.clone());
            let words = format!("{} in {}", it.kind, it.scopes.join(", "));
            facts.ambiguous.entry(key).or_default().push(words);
        }
        for it in self.misplaced().await? {
            let words = format!("{} in {}, not in {}", it.kind, it.scopes_text(), it.given);
            let key = (it.secret_id.clone(), it.version.clone());
            facts.ambiguous.entry(key).or_default().push(words);
        }
        for batch in self.of_secret(READS, secret).await? {
            facts.add_reads(&batch)?;
        }
        for batch in self.of_secret(FORWARDED, secret).await? {
            let (secrets, versions) = (named(&batch, "secret_id")?, named(&batch, "version")?);
            let last = times(&batch, 2).into_iter().enumerate();
            facts.forwarded.extend(last.filter_map(|(row, time)| {
                Some(((text(&secrets, row)?, text(&versions, row)?), time?))
            }));
        }
        let stands_for_another = |rows: &Vec<CoverageRow>| !is_seen(rows) && is_of_secret(rows);
        if facts.coverage.values().any(stands_for_another) {
            for batch in self.of_secret(TWINS, secret).await? {
                let (secrets, versions) = (named(&batch, "secret_id")?, named(&batch, "version")?);
                let key = |row| Some((text(&secrets, row)?, text(&versions, row)?));
                facts.twins.extend((0..batch.num_rows()).filter_map(key));
            }
        }
        for batch in self.of_secret(UNRESOLVED, None).await? {
            let last = times(&batch, 2);
            for (column, lists) in facts.unresolved.iter_mut().enumerate() {
                add_lists(lists, &batch, column, &last)?;
            }
        }
        for batch in self.of_secret(UNNAMED, None).await? {
            let names = texts(&batch, 0).map_err(engine)?;
            for (row, time) in times(&batch, 1).into_iter().enumerate() {
                add_last(&mut facts.unnamed, text(&names, row), time);
            }
        }
        Ok(facts)
    }

    async fn of_secret(
        &self,
        sql: &str,
        secret: Option<&str>,
    ) -> Result<Vec<RecordBatch>, QueryError> {
        let mut frame = self.context().sql(sql).await?;
        if let Some(secret) = secret {
            frame = frame.filter(col("secret_id").eq(lit(secret)))?;
        }
        Ok(frame.collect().await?)
    }
}

/// A log showed the version.
fn is_seen(coverage: &[CoverageRow]) -> bool {
    coverage.iter().any(|it| it.known_by == "seen")
}

/// A log showed some version of its secret.
fn is_of_secret(coverage: &[CoverageRow]) -> bool {
    coverage.iter().any(|it| it.known_by != "same_kind")
}

fn engine(error: ArrowError) -> QueryError {
    QueryError::Run(error.into())
}

/// A column of text, by its name.
fn named(batch: &RecordBatch, name: &str) -> Result<arrow::array::StringViewArray, QueryError> {
    texts(batch, place(batch, name)?).map_err(engine)
}

fn place(batch: &RecordBatch, name: &str) -> Result<usize, QueryError> {
    batch.schema().index_of(name).map_err(engine)
}

fn times_of(batch: &RecordBatch, name: &str) -> Result<Vec<Option<i64>>, QueryError> {
    Ok(times(batch, place(batch, name)?))
}

/// The latest instant of each name in the lists of a column.
fn add_lists(
    known: &mut BTreeMap<String, i64>,
    batch: &RecordBatch,
    column: usize,
    last: &[Option<i64>],
) -> Result<(), QueryError> {
    let Some(lists) = batch.column(column).as_list_opt::<i32>() else { return Ok(()) };
    for (row, time) in last.iter().enumerate().filter(|it| lists.is_valid(it.0)) {
        let names = cast(&lists.value(row), &DataType::Utf8View).map_err(engine)?;
        for name in names.as_string_view() {
            add_last(known, name.map(str::to_owned), *time);
        }
    }
    Ok(())
}

fn add_last(known: &mut BTreeMap<String, i64>, name: Option<String>, time: Option<i64>) {
    if let (Some(name), Some(time)) = (name, time) {
        let last = known.entry(name).or_insert(time);
        *last = time.max(*last);
    }
}

impl Facts {
    fn add_versions(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let (secrets, names) = (named(batch, "secret_id")?, named(batch, "version")?);
        let numbers = batch.column(place(batch, "version_number")?).as_primitive::<Int64Type>();
        let learnt = named(batch, "learnt_from")?;
        let (active, cutoff, revoked) = (
            times_of(batch, "active_time")?,
            times_of(batch, "cutoff_time")?,
            times_of(batch, "revoked_time")?,
        );
        for row in 0..batch.num_rows() {
            let all = self.versions.entry(secrets.value(row).to_owned()).or_default();
            all.push(Version {
                name: names.value(row).to_owned(),
                number: numbers.value(row),
                active_time: active[row],
                cutoff_time: cutoff[row],
                revoked_time: revoked[row],
                is_learnt: learnt.value(row) == "log",
            });
        }
        Ok(())
    }

    fn add_coverage(&mut self, batch: &RecordBatch, catalog: &Catalog) -> Result<(), QueryError> {
        let (secrets, versions) = (named(batch, "secret_id")?, named(batch, "version")?);
        let (sources, scopes) = (named(batch, "source")?, named(batch, "source_scope")?);
        let (known_by, delays) = (named(batch, "known_by")?, named(batch, "delay")?);
        let at = place(batch, "holes")?;
        let (starts, watermarks) =
            (times_of(batch, "start_time")?, times_of(batch, "watermark_time")?);
        for row in (0..batch.num_rows()).filter(|row| sources.is_valid(*row)) {
            let key = (secrets.value(row).to_owned(), versions.value(row).to_owned());
            self.coverage.entry(key).or_default().push(CoverageRow {
                source: sources.value(row).to_owned(),
                scope: text(&scopes, row).unwrap_or_default(),
                known_by: text(&known_by, row).unwrap_or_default(),
                start_time: starts[row],
                watermark_time: watermarks[row],
                delay: text(&delays, row),
                holes: holes(batch, at, row)?,
                blind_spots: catalog.blind_spots(sources.value(row)).to_vec(),
            });
        }
        Ok(())
    }

    fn add_tails(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let (secrets, versions) = (named(batch, "secret_id")?, named(batch, "version")?);
        let (expires, endless) = (times(batch, 2), times(batch, 3));
        let kinds = named(batch, "id_kind")?;
        for row in 0..batch.num_rows() {
            let key = (secrets.value(row).to_owned(), versions.value(row).to_owned());
            let tail = self.tails.entry(key).or_default();
            tail.expires_time = tail.expires_time.max(expires[row]);
            tail.endless_issued_time = tail.endless_issued_time.max(endless[row]);
            tail.is_of_provider |= kinds.is_valid(row) && kinds.value(row) == AWS_ACCESS_KEY_ID;
        }
        Ok(())
    }

    fn add_reads(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let (secrets, workloads) = (named(batch, "secret_id")?, named(batch, "workload")?);
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        for (row, time) in times(batch, 3).into_iter().enumerate() {
            let (Some(workload), Some(time)) = (text(&workloads, row), time) else { continue };
            let all = self.reads.entry(secrets.value(row).to_owned()).or_default();
            all.push((numbers.value(row), workload, time));
        }
        Ok(())
    }

    /// What was done with any version of a secret, hour by hour.
    pub fn uses(&self, secret_id: &str) -> impl Iterator<Item = &Use> {
        self.histories.secrets.get(secret_id).into_iter().flat_map(History::uses)
    }

    /// May a version be revoked?
    ///
    /// # Errors
    /// [`QueryError::UnknownSecret`] and [`QueryError::UnknownVersion`] name what there is.
    pub fn readiness(&self, question: &Question<'_>) -> Result<Readiness, QueryError> {
        let version = self.version(question)?;
        let none = History::default();
        let history = self.histories.secrets.get(question.secret_id).unwrap_or(&none);
        let key = (question.secret_id.to_owned(), question.version.to_owned());
        let coverage = self.coverage.get(&key).cloned().unwrap_or_default();
        let mut evidence = history.evidence(|it| match it.cmp(&version.number) {
            Ordering::Less => Side::Before,
            Ordering::Equal => Side::Old,
            Ordering::Greater => Side::New,
        });
        evidence.as_of_time = self.as_of_time;
        evidence.active_time = version.active_time;
        evidence.new_active_time = self.newer(question.secret_id, version.number);
        evidence.is_newest = self.is_newest(question.secret_id, version.number);
        evidence.cutoff_time = version.cutoff_time;
        evidence.coverage.clone_from(&self.histories.coverage);
        for it in &mut evidence.coverage {
            let is_it = |row: &CoverageRow| row.source == it.source && row.scope == it.scope;
            it.shows_kind = coverage.iter().any(is_it);
        }
        let tail = self.tails.get(&key);
        let ambiguous = self.ambiguous.get(&key);
        evidence.has_identifier = tail.is_some() || ambiguous.is_some();
        evidence.is_confirmed = version.is_learnt
            || tail.is_some_and(|it| it.is_of_provider)
            || is_seen(&coverage)
            || (is_of_secret(&coverage) && !self.twins.contains(&key));
        evidence.ambiguous_identifiers = ambiguous.cloned().unwrap_or_default();
        evidence.tail_expires_time = tail.and_then(|it| it.expires_time);
        evidence.endless_issued_time = tail.and_then(|it| it.endless_issued_time);
        evidence.forwarded_used_time = self.forwarded.get(&key).copied();
        self.add_doubts(history, version.number, &mut evidence);
        let answer = judge(&evidence, &question.policy, question.cutoff_time);
        let readers = self.readers(question.secret_id, version.number, &evidence, &answer);
        let revoked_time = version.revoked_time;
        Ok(Readiness { evidence, answer, readers, coverage, revoked_time })
    }

    fn version(&self, question: &Question<'_>) -> Result<&Version, QueryError> {
        let Some(versions) = self.versions.get(question.secret_id) else {
            return Err(QueryError::UnknownSecret { secret_id: question.secret_id.to_owned() });
        };
        versions.iter().find(|it| it.name == question.version).ok_or_else(|| {
            let names: Vec<&str> = versions.iter().map(|it| it.name.as_str()).collect();
            QueryError::UnknownVersion {
                secret_id: question.secret_id.to_owned(),
                version: question.version.to_owned(),
                known: names.join(", "),
            }
        })
    }

    /// When the next version could be used.
    fn newer(&self, secret_id: &str, number: i64) -> Option<i64> {
        let mut later = self.versions.get(secret_id)?.iter().filter(|it| it.number > number);
        later.find_map(|it| it.active_time)
    }

    /// Whether no version of the secret comes after it.
    fn is_newest(&self, secret_id: &str, number: i64) -> bool {
        let all = self.versions.get(secret_id);
        all.is_none_or(|all| all.iter().all(|it| it.number <= number))
    }

    /// Uses that may be the version's: by its principals, or with sessions of unknown origin.
    fn add_doubts(&self, history: &History, number: i64, evidence: &mut Evidence) {
        // Where a newer version has a principal as well, its uses do not speak of this version.
        let own = || history.principals.iter().filter(|it| *it.1 == number).map(|it| it.0);
        let [by_principal, by_workload] = &self.unresolved;
        let workloads = evidence.consumers.iter().filter_map(|it| it.workload.as_ref());
        let of_principals = own().filter_map(|it| by_principal.get(it)).max();
        let of_workloads = workloads.filter_map(|it| by_workload.get(it)).max();
        evidence.unresolved_used_time = of_principals.max(of_workloads).copied();
        evidence.principal_used_time = own().filter_map(|it| self.unnamed.get(it)).max().copied();
    }

    /// Who fetched a newer version from its store and used this one since: it needs a restart.
    fn readers(
        &self,
        secret_id: &str,
        number: i64,
        evidence: &Evidence,
        answer: &lastuse_verdict::Answer,
    ) -> BTreeSet<usize> {
        let reads = self.reads.get(secret_id).map_or(&[][..], Vec::as_slice);
        let mut readers = BTreeSet::new();
        for (at, (consumer, it)) in evidence.consumers.iter().zip(&answer.consumers).enumerate() {
            let uses_old = it.old_used_time > it.new_used_time;
            let has_read = reads.iter().any(|(version, workload, time)| {
                *version > number
                    && Some(workload) == consumer.workload.as_ref()
                    && it.old_used_time > Some(*time)
            });
            if uses_old && has_read {
                readers.insert(at);
            }
        }
        readers
    }
}
