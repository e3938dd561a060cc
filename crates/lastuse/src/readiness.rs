//! `lastuse readiness`: may this secret version be revoked?

use std::io::Write;

use anyhow::Context;
use clap::Args;
use lastuse_model::time::format_time;
use lastuse_query::{Question, Readiness};
use lastuse_verdict::{ConsumerAnswer, Policy, Reason, Verdict};
use serde_json::{Value, json};

use crate::certificate::{CertificateArgs, inputs, write_certificate};
use crate::cli::{FOUND, UNKNOWN, parse_instant};
use crate::output::{self, Row, options};
use crate::workspace::Workspace;

const DAY: f64 = 86_400.0;

/// Flags of `readiness`.
#[derive(Debug, Args)]
pub struct ReadinessArgs {
    /// The secret
    #[arg(long, value_name = "ID")]
    pub secret: String,
    /// The version that may be revoked
    #[arg(long, value_name = "V")]
    pub version: String,
    /// Also list who would have broken, had it been revoked at this instant
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub cutoff: Option<jiff::Timestamp>,
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// table or json
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: ReadinessFormat,
    #[command(flatten)]
    pub certificate: CertificateArgs,
}

/// The risk to take and the least time to wait, for `readiness` and `report`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// The chance to take, for the verdict as a whole, that a consumer is called quiet and is not
    #[arg(long, value_name = "CHANCE", default_value_t = 0.01, value_parser = parse_chance)]
    pub alpha: f64,
    /// No consumer must be quiet for less than this many days
    #[arg(long, value_name = "DAYS", default_value_t = 1.0, value_parser = parse_days)]
    pub floor: f64,
    /// How many days must pass where there are too few uses to tell a rhythm
    #[arg(long, value_name = "DAYS", default_value_t = 100.0, value_parser = parse_days)]
    pub rare_floor: f64,
}

impl PolicyArgs {
    /// The policy that the flags say.
    pub fn policy(&self) -> Policy {
        Policy {
            alpha: self.alpha,
            floor_seconds: self.floor * DAY,
            rare_floor_seconds: self.rare_floor * DAY,
        }
    }
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReadinessFormat {
    /// For people.
    Table,
    /// One document.
    Json,
}

fn parse_chance(given: &str) -> Result<f64, String> {
    let chance: f64 = given.parse().map_err(|_| "give a number such as 0.01".to_owned())?;
    let is_chance = chance > 0.0 && chance < 1.0;
    is_chance.then_some(chance).ok_or_else(|| "a chance lies between 0 and 1".to_owned())
}

fn parse_days(given: &str) -> Result<f64, String> {
    let days: f64 = given.parse().map_err(|_| "give a number of days".to_owned())?;
    let is_length = (0.0..=36_500.0).contains(&days);
    is_length.then_some(days).ok_or_else(|| "give 0 to 36500 days".to_owned())
}

/// Runs `readiness`; the exit code is the verdict.
pub fn run(workspace: &Workspace, args: &ReadinessArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    let question = Question {
        secret_id: &args.secret,
        version: &args.version,
        cutoff_time: args.cutoff.map(|it| it.as_microsecond()),
        policy: args.policy.policy(),
    };
    let facts = workspace.runtime.block_on(catalog.facts(Some(&args.secret)))?;
    let readiness = facts.readiness(&question)?;
    let rows = catalog.version_rows("inventory", Some(&args.secret), Some(&args.version));
    let inventory = output::objects(&workspace.runtime.block_on(rows)?.batches)?;
    let document = document(&question, &readiness, inventory);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match args.format {
        ReadinessFormat::Json => lastuse_render::json_document(&document, &mut out),
        ReadinessFormat::Table => {
            lastuse_render::readiness(&document, workspace.as_of(), &options(), &mut out)
        }
    }
    .context("cannot print the answer")?;
    out.flush().context("cannot print the answer")?;
    // A version that is used has no certificate; the exit code says which verdict it was.
    if readiness.answer.verdict != Verdict::NotUsed {
        if let Some(path) = &args.certificate.certificate {
            let verdict = readiness.answer.verdict.name();
            eprintln!(
                "warning: no certificate was written to `{}`: only `not_used` is certified, and the verdict is `{verdict}`",
                path.display()
            );
        }
    } else if args.certificate.certificate.is_some() {
        let sources = readiness.coverage.iter().map(|it| it.source.clone()).collect();
        let subjects = inputs(workspace, &catalog, &sources)?;
        write_certificate(workspace, &args.certificate, document, subjects)?;
    }
    Ok(match readiness.answer.verdict {
        Verdict::NotUsed => 0,
        Verdict::Used => FOUND,
        Verdict::Unknown => UNKNOWN,
    })
}

/// The answer as one document: what scripts read, and what people are shown.
fn document(question: &Question<'_>, readiness: &Readiness, inventory: Vec<Row>) -> Value {
    let (evidence, answer) = (&readiness.evidence, &readiness.answer);
    let mut document = json!({
        "secret_id": question.secret_id,
        "version": question.version,
        "verdict": answer.verdict.name(),
        "as_of_time": format_time(evidence.as_of_time),
        "soak_until_time": answer.soak_until_time.map(format_time),
        "wait_until_time": answer.wait_until_time.map(format_time),
        "cutoff_time": evidence.cutoff_time.map(format_time),
        "revoked_time": readiness.revoked_time.map(format_time),
        "tail_expires_time": evidence.tail_expires_time.map(format_time),
        "reasons": answer.reasons.iter().map(|it| reason(it, readiness)).collect::<Vec<_>>(),
        "consumers": consumers(inventory, readiness),
        "coverage": coverage(readiness),
        "would_break": would_break(readiness),
        "policy": {
            "alpha": question.policy.alpha,
            "floor_seconds": question.policy.floor_seconds,
            "rare_floor_seconds": question.policy.rare_floor_seconds,
        },
    });
    if let Some(time) = question.cutoff_time {
        document["dry_run_cutoff_time"] = json!(format_time(time));
    }
    document
}

fn reason(it: &Reason, readiness: &Readiness) -> Value {
    let (evidence, answer) = (&readiness.evidence, &readiness.answer);
    let consumer = it.consumer.map(|at| &evidence.consumers[at]);
    let declared = it.declared.map(|at| &evidence.declared[at]);
    let workload = consumer.and_then(|it| it.workload.as_ref());
    let environment = consumer.and_then(|it| it.environment.as_ref());
    json!({
        "code": it.code,
        "verdict": it.verdict.name(),
        "text": it.text(evidence, answer),
        "advice": it.advice(),
        "workload": workload.or(declared.map(|it| &it.workload)),
        "environment": environment.or(declared.and_then(|it| it.environment.as_ref())),
        "until_time": it.until_time.map(format_time),
    })
}

/// Workload and environment of a row of the inventory.
pub fn consumer_of(row: &Row) -> (Option<&str>, Option<&str>) {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    (text("workload"), text("environment"))
}

/// The rows of the inventory, with what each consumer needs.
fn consumers(inventory: Vec<Row>, readiness: &Readiness) -> Vec<Value> {
    let places = readiness.places();
    let place = |row: &Row| places.get(&consumer_of(row)).copied();
    inventory.into_iter().map(|it| consumer(place(&it), it, readiness)).collect()
}

fn consumer(place: Option<usize>, mut row: Row, readiness: &Readiness) -> Value {
    let (evidence, answer) = (&readiness.evidence, &readiness.answer);
    let mut flags = Vec::new();
    if !evidence.declared.is_empty() && row["declared"] == false {
        flags.push("shadow");
    }
    let of_consumer = place.map(|it| &answer.consumers[it]);
    if of_consumer.is_some_and(|it| it.is_straggler) {
        flags.push("straggler");
    }
    let reads_new = place.is_some_and(|it| readiness.readers.contains(&it));
    if reads_new {
        flags.push("reads_new_uses_old");
    }
    let code = answer.reasons.iter().find(|it| it.consumer.is_some() && it.consumer == place);
    let state = of_consumer.and_then(|it| it.state);
    row.insert("state".into(), json!(state.map(|it| it.name())));
    row.insert("reload".into(), json!(of_consumer.map(|it| it.reload.name())));
    row.insert("flags".into(), json!(flags));
    row.insert("soak".into(), of_consumer.map_or(Value::Null, soak));
    row.insert("needs".into(), json!(code.map(|it| needs(it.code, reads_new))));
    Value::Object(row)
}

fn soak(answer: &ConsumerAnswer) -> Value {
    let Some(soak) = answer.soak else { return Value::Null };
    json!({
        "gap_count": soak.gap_count,
        "longest_gap_seconds": soak.longest_gap_seconds,
        "method": soak.method.name(),
        "seconds": soak.seconds,
        "until_time": answer.until_time.map(format_time),
    })
}

/// What a consumer still needs, in one word.
fn needs(code: &str, reads_new: bool) -> &'static str {
    match code {
        "no_newer_version" => "publish",
        "process_uses_old" => "restart",
        "uses_old" | "uses_both" | "reverted" if reads_new => "restart",
        "uses_old" | "uses_both" | "reverted" => "deploy",
        "failing_new" => "fix",
        "dormant" | "gone_but_used" => "declare",
        _ => "wait",
    }
}

fn coverage(readiness: &Readiness) -> Vec<Value> {
    let hole = |it: &lastuse_verdict::Hole| {
        json!({
            "start_time": format_time(it.start_time),
            "end_time": format_time(it.end_time),
            "evidence": it.evidence,
        })
    };
    let row = |it: &lastuse_query::readiness::CoverageRow| {
        json!({
            "source": it.source,
            "scope": it.scope,
            "known_by": it.known_by,
            "start_time": it.start_time.map(format_time),
            "watermark_time": it.watermark_time.map(format_time),
            "delay": it.delay,
            "holes": it.holes.iter().map(hole).collect::<Vec<_>>(),
            "blind_spots": it.blind_spots,
        })
    };
    readiness.coverage.iter().map(row).collect()
}

fn would_break(readiness: &Readiness) -> Vec<Value> {
    let row = |it: &lastuse_verdict::Broken| {
        let consumer = &readiness.evidence.consumers[it.consumer];
        json!({
            "workload": consumer.workload,
            "environment": consumer.environment,
            "first_time": format_time(it.first_time),
            "last_time": format_time(it.last_time),
            "use_count": it.use_count,
            "derived_use_count": it.derived_use_count,
        })
    };
    readiness.answer.would_break.iter().map(row).collect()
}
