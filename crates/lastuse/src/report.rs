//! `lastuse report`: the pre-rotation report as one page.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use lastuse_query::readiness::CoverageRow;
use lastuse_query::{Catalog, Question, Readiness, Use};
use lastuse_render::page::model::{
    Answer, Consumer, Coverage, Finding, Hole, Kind, Mark, Page, Reason, SecretPage, Soak, Verdict,
    Version, VersionUse,
};
use lastuse_verdict::{Outcome, Policy};
use serde_json::Value;

use crate::errors::hinted;
use crate::output::{Row, objects, say};
use crate::readiness::{PolicyArgs, consumer_of};
use crate::workspace::Workspace;

/// Longer histories are cut off on the time axis, in microseconds: 400 days.
const AXIS_MAX: i64 = 400 * 86_400_000_000;

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The page to write (`-` for standard output); it needs no network, and a ticket can carry it
    #[arg(long, value_name = "FILE.html")]
    pub out: PathBuf,
    /// Only this secret
    #[arg(long, value_name = "ID")]
    pub secret: Option<String>,
    /// The version that may be revoked [default: the one before the newest]
    #[arg(long, value_name = "V", requires = "secret")]
    pub version: Option<String>,
    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// Runs `report`.
pub fn run(workspace: &Workspace, args: &ReportArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    let page = workspace.runtime.block_on(page(&catalog, args))?;
    if let Some(version) = &args.version {
        let secret = args.secret.as_deref().unwrap_or_default();
        workspace.runtime.block_on(catalog.check_known(secret, Some(version)))?;
    }
    if page.secrets.is_empty() {
        return Err(hinted(
            "there is no secret to report on",
            "import a registry with `lastuse secrets import FILE`, or read logs that tell of secrets",
        ));
    }
    write(&page, &args.out)
        .with_context(|| format!("cannot write the report `{}`", args.out.display()))?;
    if args.out.as_os_str() != "-" {
        let count = page.secrets.len();
        let what = if count == 1 { "secret" } else { "secrets" };
        say!("wrote `{}`: {count} {what}", args.out.display());
    }
    Ok(0)
}

/// Written beside its place and renamed when complete: nobody opens half a report. A link stays
/// one, and what is no file (a pipe, a device) is written to.
fn write(page: &Page, out: &Path) -> anyhow::Result<()> {
    if out.as_os_str() == "-" {
        let mut out = std::io::stdout().lock();
        lastuse_render::page::page(page, &mut out)?;
        return Ok(out.flush()?);
    }
    let target = out.canonicalize();
    let out = target.as_deref().unwrap_or(out);
    if out.metadata().is_ok_and(|it| !it.is_file()) {
        let mut file = std::io::BufWriter::new(std::fs::OpenOptions::new().write(true).open(out)?);
        lastuse_render::page::page(page, &mut file)?;
        return Ok(file.flush()?);
    }
    let folder = out.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any file that a command writes: what others may, the umask says.
    let readable = std::fs::Permissions::from_mode(0o666);
    let mut draft = tempfile::Builder::new().permissions(readable).tempfile_in(folder)?;
    lastuse_render::page::page(page, &mut draft)?;
    draft.flush()?;
    draft.persist(out)?;
    Ok(())
}

async fn page(catalog: &Catalog, args: &ReportArgs) -> anyhow::Result<Page> {
    let secret = args.secret.as_deref();
    let versions = objects(&catalog.report_rows("secrets", secret).await?.batches)?;
    let inventory = grouped(objects(&catalog.report_rows("inventory", secret).await?.batches)?);
    let findings = grouped(objects(&catalog.findings(None).await?.batches)?);
    let facts = catalog.facts(secret).await?;
    let rejects = rows_of(catalog, "rejects").await?;
    let mut page = Page {
        as_of_time: catalog.as_of_time(),
        start_time: catalog.as_of_time(),
        tool_version: format!("lastuse {}", env!("CARGO_PKG_VERSION")),
        ..Page::default()
    };
    if rejects > 0 {
        let note = "records could not be read, and may hide uses: `lastuse sql \"SELECT * FROM rejects\"` lists them";
        page.notes.push(format!("{rejects} {note}."));
    }
    let policy = args.policy.policy();
    if policy != Policy::default() {
        let PolicyArgs { alpha, floor, rare_floor } = &args.policy;
        page.notes.push(format!(
            "Judged at a risk of {alpha}, after at least {floor} d of silence, or {rare_floor} d where there are too few uses to tell a rhythm."
        ));
    }
    for Secret { secret_id, owner, versions } in by_secret(versions) {
        let inventory = inventory.get(&secret_id).map_or(&[][..], Vec::as_slice);
        let findings = findings.get(&secret_id).map_or(&[][..], Vec::as_slice);
        let asked = asked(&versions, args.version.as_deref());
        let question = Question {
            secret_id: &secret_id,
            version: &versions[asked.unwrap_or(versions.len() - 1)].version,
            cutoff_time: None,
            policy,
        };
        let readiness = facts.readiness(&question)?;
        let known = facts.uses(&secret_id).map(|it| it.activity.first_time).min();
        let known = known.map_or(page.start_time, |it| it.max(page.as_of_time - AXIS_MAX));
        page.start_time = page.start_time.min(known);
        let mut it = secret_page(versions, asked, inventory, findings, &readiness);
        add_marks(&mut it.consumers, facts.uses(&secret_id));
        (it.secret_id, it.owner) = (secret_id, owner);
        page.secrets.push(it);
    }
    Ok(page)
}

async fn rows_of(catalog: &Catalog, table: &str) -> anyhow::Result<usize> {
    let frame = catalog.context().table(table).await.context("cannot read the tables")?;
    frame.count().await.context("cannot read the tables")
}

fn text(row: &Row, name: &str) -> Option<String> {
    row.get(name)?.as_str().map(str::to_owned)
}

fn texts(row: &Row, name: &str) -> Vec<String> {
    let list = row.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn time(row: &Row, name: &str) -> Option<i64> {
    let time: jiff::Timestamp = row.get(name)?.as_str()?.parse().ok()?;
    Some(time.as_microsecond())
}

fn count(row: &Row, name: &str) -> u64 {
    row.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// Rows by the secret that they are about.
fn grouped(rows: Vec<Row>) -> HashMap<String, Vec<Row>> {
    let mut all: HashMap<String, Vec<Row>> = HashMap::new();
    for row in rows {
        if let Some(secret_id) = text(&row, "secret_id") {
            all.entry(secret_id).or_default().push(row);
        }
    }
    all
}

/// A secret with its versions, oldest first.
struct Secret {
    secret_id: String,
    owner: Option<String>,
    versions: Vec<Version>,
}

fn by_secret(rows: Vec<Row>) -> Vec<Secret> {
    let mut all: Vec<Secret> = Vec::new();
    for row in rows {
        let (Some(secret_id), Some(version)) = (text(&row, "secret_id"), text(&row, "version"))
        else {
            continue;
        };
        if all.last().is_none_or(|it| it.secret_id != secret_id) {
            all.push(Secret { secret_id, owner: text(&row, "owner"), versions: Vec::new() });
        }
        let Some(secret) = all.last_mut() else { continue };
        secret.versions.push(Version {
            version,
            state: text(&row, "state"),
            active_time: time(&row, "active_time"),
            cutoff_time: time(&row, "cutoff_time"),
            revoked_time: time(&row, "revoked_time"),
            verdict: None,
            identifiers: texts(&row, "identifiers"),
        });
    }
    all
}

/// The version in question: the one that was named, or the one before the newest.
fn asked(versions: &[Version], named: Option<&str>) -> Option<usize> {
    match named {
        Some(name) => versions.iter().position(|it| it.version == name),
        None => versions.len().checked_sub(2),
    }
}

fn secret_page(
    mut versions: Vec<Version>,
    asked: Option<usize>,
    inventory: &[Row],
    findings: &[Row],
    readiness: &Readiness,
) -> SecretPage {
    let mut consumers: Vec<Consumer> =
        (0..readiness.evidence.consumers.len()).map(|at| consumer(at, readiness)).collect();
    let mut places = readiness.places();
    for row in inventory {
        let place = *places.entry(consumer_of(row)).or_insert_with(|| {
            consumers.push(refused(row));
            consumers.len() - 1
        });
        add_row(&mut consumers[place], row, &versions);
    }
    if let Some(at) = asked {
        versions[at].verdict = Some(verdict(readiness));
    }
    SecretPage {
        versions,
        asked,
        consumers,
        coverage: readiness.coverage.iter().map(coverage).collect(),
        findings: findings.iter().map(finding).collect(),
        ..SecretPage::default()
    }
}

fn consumer(at: usize, readiness: &Readiness) -> Consumer {
    let (name, answer) = (&readiness.evidence.consumers[at], &readiness.answer.consumers[at]);
    let mut flags = Vec::new();
    if answer.is_straggler {
        flags.push("straggler".to_owned());
    }
    if readiness.readers.contains(&at) {
        flags.push("reads_new_uses_old".to_owned());
    }
    Consumer {
        workload: name.workload.clone(),
        environment: name.environment.clone(),
        // Where the registry names nobody, nobody is a shadow.
        is_declared: answer.is_declared || readiness.evidence.declared.is_empty(),
        state: answer.state.map(|it| it.name().to_owned()),
        flags,
        soak: answer.soak.map(|it| Soak {
            gap_count: it.gap_count as u64,
            longest_gap_seconds: it.longest_gap_seconds.map(|it| it as u64),
            method: it.method.name().to_owned(),
            until_time: answer.until_time,
        }),
        ..Consumer::default()
    }
}

/// One that was only ever refused: nothing is judged of it.
fn refused(row: &Row) -> Consumer {
    Consumer {
        workload: text(row, "workload"),
        environment: text(row, "environment"),
        is_declared: row.get("declared") != Some(&Value::Bool(false)),
        ..Consumer::default()
    }
}

/// Adds a row of the inventory to its consumer.
fn add_row(it: &mut Consumer, row: &Row, versions: &[Version]) {
    add_all(&mut it.principals, text(row, "principal"));
    add_all(&mut it.attribution, text(row, "attribution"));
    add_all(&mut it.sources, texts(row, "sources"));
    add_all(&mut it.source_ips, texts(row, "source_ips"));
    add_all(&mut it.user_agents, texts(row, "user_agents"));
    it.evidence = it.evidence.take().or_else(|| text(row, "evidence"));
    let name = text(row, "version");
    let Some(version) = versions.iter().position(|it| Some(&it.version) == name.as_ref()) else {
        return;
    };
    let place = it.uses.iter().position(|it| it.version == version).unwrap_or_else(|| {
        it.uses.push(VersionUse { version, ..VersionUse::default() });
        it.uses.len() - 1
    });
    let uses = &mut it.uses[place];
    let last = time(row, "last_used_time").max(time(row, "derived_last_used_time"));
    uses.last_used_time = uses.last_used_time.max(last);
    uses.last_rejected_time = uses.last_rejected_time.max(time(row, "last_rejected_time"));
    uses.use_count += count(row, "use_count");
    uses.derived_use_count += count(row, "derived_use_count");
    uses.rejected_count += count(row, "rejected_count");
}

fn add_all(list: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for it in more {
        if !list.contains(&it) {
            list.push(it);
        }
    }
}

/// What is drawn: each hour of each consumer with each version, its copies together.
fn add_marks<'a>(consumers: &mut [Consumer], uses: impl Iterator<Item = &'a Use>) {
    let mut marks: BTreeMap<(u32, usize, Kind, i64), Mark> = BTreeMap::new();
    for it in uses {
        // Versions are numbered from 1 in the order of the page.
        let Some(version) = usize::try_from(it.version).ok().and_then(|it| it.checked_sub(1))
        else {
            continue;
        };
        let activity = it.activity;
        let kind = match (activity.outcome, activity.is_derived) {
            (Outcome::Rejected, _) => Kind::Rejected,
            (Outcome::Used, true) => Kind::Derived,
            (Outcome::Used, false) => Kind::Used,
        };
        let hour = activity.first_time.div_euclid(3_600_000_000);
        let mark = marks.entry((activity.consumer, version, kind, hour)).or_insert(Mark {
            version,
            kind,
            start_time: activity.first_time,
            end_time: activity.last_time,
            count: 0,
        });
        mark.start_time = mark.start_time.min(activity.first_time);
        mark.end_time = mark.end_time.max(activity.last_time);
        mark.count += activity.count;
    }
    for ((consumer, ..), mark) in marks {
        let it = &mut consumers[consumer as usize];
        if mark.kind != Kind::Rejected
            && let Some(uses) = it.uses.iter_mut().find(|it| it.version == mark.version)
        {
            let first = uses.first_used_time.map_or(mark.start_time, |at| at.min(mark.start_time));
            uses.first_used_time = Some(first);
        }
        it.activity.push(mark);
    }
}

fn verdict(readiness: &Readiness) -> Verdict {
    let (evidence, answer) = (&readiness.evidence, &readiness.answer);
    let to_answer = |it| match it {
        lastuse_verdict::Verdict::NotUsed => Answer::NotUsed,
        lastuse_verdict::Verdict::Used => Answer::Used,
        lastuse_verdict::Verdict::Unknown => Answer::Unknown,
    };
    let reason = |it: &lastuse_verdict::Reason| Reason {
        code: it.code.to_owned(),
        answer: to_answer(it.verdict),
        text: it.text(evidence, answer),
        action: Some(it.advice().to_owned()),
        consumer: it.consumer,
        subject: it.declared.map(|at| evidence.declared[at].workload.clone()),
        until_time: it.until_time,
    };
    Verdict {
        answer: to_answer(answer.verdict),
        reasons: answer.reasons.iter().map(reason).collect(),
        soak_until_time: answer.soak_until_time,
        wait_until_time: answer.wait_until_time,
        tail_expires_time: evidence.tail_expires_time,
    }
}

fn coverage(it: &CoverageRow) -> Coverage {
    let hole = |it: &lastuse_verdict::Hole| Hole {
        start_time: it.start_time,
        end_time: it.end_time,
        evidence: it.evidence.clone(),
    };
    Coverage {
        source: it.source.clone(),
        scope: Some(it.scope.clone()).filter(|it| !it.is_empty()),
        start_time: it.start_time,
        watermark_time: it.watermark_time,
        delay: it.delay.clone(),
        blind_spots: it.blind_spots.clone(),
        known_by: Some(it.known_by.clone()),
        holes: it.holes.iter().map(hole).collect(),
    }
}

fn finding(row: &Row) -> Finding {
    Finding {
        class: text(row, "class").unwrap_or_default(),
        severity: text(row, "severity").unwrap_or_default(),
        version: text(row, "version").unwrap_or_default(),
        consumer: text(row, "workload").or_else(|| text(row, "principal")).unwrap_or_default(),
        environment: text(row, "environment"),
        first_time: time(row, "first_time").unwrap_or_default(),
        last_time: time(row, "last_time").unwrap_or_default(),
        count: count(row, "count"),
        tail_expires_time: time(row, "tail_expires_time"),
        source_ips: texts(row, "source_ips"),
        evidence_uids: texts(row, "evidence_uids"),
    }
}
