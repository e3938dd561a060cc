//! The inventory for people: per secret version its facts and its consumers, what
//! needs attention first.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};

use arrow_array::RecordBatch;
use jiff::Timestamp;

use crate::cell::{Cell, cell};
use crate::layout::{self, Column, Cut, Layout, Style, painted, wrap};
use crate::{Options, RenderError, text};

/// Writes the rows of the inventory report, grouped by secret and version.
///
/// Columns are found by name, so the report may have more or fewer of them; beside
/// those of the inventory it uses `version_state`, `cutoff_time`, `revoked_time` and
/// `id_value` where they are there. Ages are counted from `as_of`.
pub fn inventory(
    batches: &[RecordBatch],
    as_of: Timestamp,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    let mut out = BufWriter::new(out);
    let out = &mut out;
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(Consumer::read(batch, row)?);
        }
    }
    write_summary(&rows, as_of, options, out)?;
    if rows.is_empty() {
        return Ok(out.flush()?);
    }
    let mut columns = columns(&rows, as_of);
    let layout = layout::fit(&mut columns, options.width);
    writeln!(out)?;
    layout::write_header(&columns, &layout, options.colour, out)?;
    let mut registered_above = true;
    let (versions, more) = shown(versions(&rows));
    let newest: BTreeSet<_> = newest(&versions);
    for version in versions {
        writeln!(out)?;
        let registered = version[0].secret_id.is_some();
        if registered_above && !registered {
            let title = "Credentials that no registry entry explains";
            for line in wrap(&[title.to_owned()], "", "  ", options.width) {
                writeln!(out, "{line}")?;
            }
            writeln!(out)?;
        }
        registered_above = registered;
        let mut heading = facts(&version, as_of);
        if !newest.contains(&(&version[0].secret_id, &version[0].version)) {
            heading.extend(cutoff_fact(&version, as_of));
        }
        write_version(&heading, &version, as_of, &columns, &layout, options, out)?;
    }
    if more > 0 {
        let text =
            format!("{more} more credentials outside the registry; `--format json` lists all");
        let pieces: Vec<String> = text.split(' ').map(str::to_owned).collect();
        writeln!(out)?;
        for line in layout::wrap(&pieces, " ", "", options.width) {
            writeln!(out, "{line}")?;
        }
    }
    if !layout.hidden.is_empty() {
        writeln!(out)?;
        layout::write_hidden(&columns, &layout, options.width, out)?;
    }
    Ok(out.flush()?)
}

/// One row of the report: a secret version (or a credential outside the registry)
/// and a consumer. Text is escaped when it is read.
#[derive(Debug, Default)]
struct Consumer {
    secret_id: Option<String>,
    version: Option<String>,
    version_state: Option<String>,
    cutoff_time: Option<Timestamp>,
    revoked_time: Option<Timestamp>,
    tail_expires_time: Option<Timestamp>,
    credential_uid: Option<String>,
    id_kind: Option<String>,
    id_value: Option<String>,
    workload: Option<String>,
    environment: Option<String>,
    principal: Option<String>,
    declared: Option<bool>,
    attribution: Option<String>,
    /// The latest of direct and derived uses.
    last_used_time: Option<Timestamp>,
    last_rejected_time: Option<Timestamp>,
    attempt_count: i64,
    use_count: i64,
    derived_use_count: i64,
    rejected_count: i64,
    state: Option<String>,
    /// When its soak is over: what it used before it switched must be quiet until then.
    soak_until_time: Option<Timestamp>,
}

/// Why a row deserves a look; the first is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Concern {
    UsedAfterCutoff,
    RejectedAfterCutoff,
    Unsettled,
    Shadow,
    None,
}

impl Consumer {
    fn read(batch: &RecordBatch, row: usize) -> Result<Consumer, RenderError> {
        let it = Named { batch, row };
        Ok(Consumer {
            secret_id: it.text("secret_id")?,
            version: it.text("version")?,
            version_state: it.text("version_state")?,
            cutoff_time: it.time("cutoff_time")?,
            revoked_time: it.time("revoked_time")?,
            tail_expires_time: it.time("tail_expires_time")?,
            credential_uid: it.text("credential_uid")?,
            id_kind: it.text("id_kind")?,
            id_value: it.text("id_value")?,
            workload: it.text("workload")?,
            environment: it.text("environment")?,
            principal: it.text("principal")?,
            declared: it.flag("declared")?,
            attribution: it.text("attribution")?,
            last_used_time: it.time("last_used_time")?.max(it.time("derived_last_used_time")?),
            last_rejected_time: it.time("last_rejected_time")?,
            attempt_count: it.number("attempt_count")?,
            use_count: it.number("use_count")?,
            derived_use_count: it.number("derived_use_count")?,
            rejected_count: it.number("rejected_count")?,
            state: it.text("state")?,
            soak_until_time: it.time("soak_until_time")?,
        })
    }

    /// A version that nobody was seen to present has a row without a consumer.
    fn is_nobody(&self) -> bool {
        let named = self.workload.is_some() || self.principal.is_some();
        let counts =
            [self.attempt_count, self.use_count, self.derived_use_count, self.rejected_count];
        !named && counts.iter().all(|it| *it == 0)
    }

    fn is_production(&self) -> bool {
        let environment = self.environment.as_deref().unwrap_or_default();
        ["prod", "production"].iter().any(|it| environment.eq_ignore_ascii_case(it))
    }

    /// Outside the registry nobody could have been declared.
    fn is_shadow(&self) -> bool {
        self.secret_id.is_some() && self.declared == Some(false)
    }

    /// Known by principal only: not proof that this version was used.
    fn is_by_principal(&self) -> bool {
        self.attribution.as_deref() == Some("principal")
    }

    /// From when on presenting this version is a finding.
    fn retired_time(&self) -> Option<Timestamp> {
        match (self.cutoff_time, self.revoked_time) {
            (Some(cutoff), Some(revoked)) => Some(cutoff.min(revoked)),
            (cutoff, revoked) => cutoff.or(revoked),
        }
    }

    fn is_after_cutoff(&self, time: Option<Timestamp>) -> bool {
        let retired = self.retired_time();
        !self.is_by_principal() && retired.is_some_and(|it| time.is_some_and(|time| time >= it))
    }

    fn concern(&self) -> Concern {
        if self.is_after_cutoff(self.last_used_time) {
            Concern::UsedAfterCutoff
        } else if self.is_after_cutoff(self.last_rejected_time) {
            Concern::RejectedAfterCutoff
        } else if matches!(self.state.as_deref(), Some("reverted" | "failing_new")) {
            Concern::Unsettled
        } else if self.is_shadow() {
            Concern::Shadow
        } else {
            Concern::None
        }
    }

    /// Two cells before the consumer: what is wrong, and how sure its name is.
    fn mark(&self) -> &'static str {
        match (self.concern(), self.is_shadow(), self.is_by_principal()) {
            (Concern::UsedAfterCutoff, true, _) => "!+",
            (Concern::UsedAfterCutoff, false, _) => "!",
            (Concern::RejectedAfterCutoff, true, _) => "x+",
            (Concern::RejectedAfterCutoff, false, _) => "x",
            (_, true, true) => "~+",
            (_, false, true) => "~",
            (_, true, false) => " +",
            (_, false, false) => "",
        }
    }

    /// The identifier as far as it may be shown, with its kind.
    fn identifier(&self) -> Option<String> {
        let value = self.id_value.clone().or_else(|| self.short_uid());
        match (value, &self.id_kind) {
            (Some(value), Some(kind)) => Some(format!("{kind} {value}")),
            (value, kind) => value.or_else(|| kind.clone()),
        }
    }

    /// The prefix of a fingerprint that is enough on a screen.
    fn short_uid(&self) -> Option<String> {
        let uid = self.credential_uid.as_ref()?;
        Some(uid.chars().take(12).collect())
    }
}

/// The values of one row by the names of their columns; a missing column is null.
struct Named<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl<'a> Named<'a> {
    fn cell(&self, name: &str) -> Result<Cell<'a>, RenderError> {
        match self.batch.column_by_name(name) {
            Some(column) => cell(column, self.row),
            None => Ok(Cell::Null),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, RenderError> {
        Ok(match self.cell(name)? {
            Cell::Text(it) if !it.is_empty() => Some(text::escape(it).into_owned()),
            Cell::Int(it) => Some(it.to_string()),
            _ => None,
        })
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, RenderError> {
        Ok(match self.cell(name)? {
            Cell::Instant(it) => Some(it),
            _ => None,
        })
    }

    fn number(&self, name: &str) -> Result<i64, RenderError> {
        Ok(match self.cell(name)? {
            Cell::Int(it) => it,
            Cell::Unsigned(it) => i64::try_from(it).unwrap_or(i64::MAX),
            _ => 0,
        })
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, RenderError> {
        Ok(match self.cell(name)? {
            Cell::Bool(it) => Some(it),
            _ => None,
        })
    }
}

/// How many credentials outside the registry people are shown: sessions, above
/// all, come in thousands.
const UNREGISTERED_SHOWN: usize = 12;

/// What is shown of the versions, and how many are not.
fn shown(mut versions: Vec<Vec<&Consumer>>) -> (Vec<Vec<&Consumer>>, usize) {
    let registered = versions.iter().filter(|it| it[0].secret_id.is_some()).count();
    let more = versions.len().saturating_sub(registered + UNREGISTERED_SHOWN);
    versions.truncate(registered + UNREGISTERED_SHOWN);
    (versions, more)
}

/// The rows by secret version, each in the order in which a reader should see them.
///
/// Registered secrets come first, those that need attention before the others, and
/// the versions of one secret stay together.
fn versions(rows: &[Consumer]) -> Vec<Vec<&Consumer>> {
    let mut urgency: BTreeMap<Option<&str>, Concern> = BTreeMap::new();
    let mut groups: BTreeMap<_, Vec<&Consumer>> = BTreeMap::new();
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        let secret = row.secret_id.as_deref();
        let concern = urgency.entry(secret).or_insert(Concern::None);
        *concern = row.concern().min(*concern);
        let key = match secret {
            Some(_) => (secret, row.version.as_deref()),
            None => (None, row.credential_uid.as_deref()),
        };
        places.entry(key).or_insert(place);
        groups.entry(key).or_default().push(row);
    }
    let mut ordered: Vec<_> = groups.into_iter().collect();
    // Versions keep the order of the report, which knows that 10 comes after 9.
    ordered.sort_by_key(|(key, _)| (key.0.is_none(), urgency[&key.0], key.0, places[key]));
    let mut versions: Vec<Vec<&Consumer>> = ordered.into_iter().map(|it| it.1).collect();
    for consumers in &mut versions {
        consumers.sort_by_key(|it| {
            let is_elsewhere = !it.is_production();
            (it.concern(), it.is_by_principal(), is_elsewhere, Reverse(it.last_used_time))
        });
    }
    versions
}

/// Says how much there is and what needs attention, with the marks that show it.
fn write_summary(
    rows: &[Consumer],
    as_of: Timestamp,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    let named = rows.iter().filter(|it| !it.is_nobody());
    let consumers: BTreeSet<_> =
        named.map(|it| (&it.workload, &it.environment, &it.principal)).collect();
    let registered = || rows.iter().filter(|it| it.secret_id.is_some());
    let secrets: BTreeSet<_> = registered().map(|it| &it.secret_id).collect();
    let versions: BTreeSet<_> = registered().map(|it| (&it.secret_id, &it.version)).collect();
    let others: BTreeSet<_> =
        rows.iter().filter(|it| it.secret_id.is_none()).map(|it| &it.credential_uid).collect();
    let mut pieces = vec![
        format!("{},", text::counted(secrets.len(), "secret")),
        format!("{},", text::counted(versions.len(), "version")),
        text::counted(consumers.len(), "consumer"),
    ];
    if !others.is_empty() {
        pieces.push(format!(
            "and {} outside the registry",
            text::counted(others.len(), "credential")
        ));
    }
    pieces.push(format!("as of {}", text::second(as_of)));
    for line in wrap(&pieces, " ", "  ", options.width) {
        writeln!(out, "{}", painted(&line, options.colour.then_some(Style::Bold)))?;
    }
    let count = |it: fn(&Consumer) -> bool| rows.iter().filter(|row| it(row)).count();
    let used = count(|it| it.concern() == Concern::UsedAfterCutoff);
    let rejected = count(|it| it.is_after_cutoff(it.last_rejected_time));
    let shadows = count(Consumer::is_shadow);
    let by_principal = count(Consumer::is_by_principal);
    for (count, mark, meaning, style) in [
        (used, "!", "used a version after its cutoff", Style::Bad),
        (rejected, "x", "rejected after its cutoff", Style::Bad),
        (shadows, "+", "not declared in the registry", Style::Warning),
        (by_principal, "~", "known by principal only: no proof of use", Style::Faint),
    ] {
        if count > 0 {
            let line = format!("{mark} {} {meaning}", text::counted(count, "consumer"));
            for line in wrap(&[line], "", "  ", options.width) {
                writeln!(out, "{}", painted(&line, options.colour.then_some(style)))?;
            }
        }
    }
    Ok(())
}

/// What stands in the columns of a consumer's line, in this order.
const COLUMNS: [(&str, Importance); 9] = [
    ("", Importance(0)),
    ("workload", Importance(1)),
    ("env", Importance(6)),
    ("principal", Importance(5)),
    ("last used", Importance(2)),
    ("uses", Importance(4)),
    ("derived", Importance(8)),
    ("rejected", Importance(7)),
    ("state", Importance(3)),
];

/// The place in the order in which columns give way on a narrow screen, last first.
struct Importance(usize);

fn columns(rows: &[Consumer], as_of: Timestamp) -> Vec<Column> {
    let column = |(title, importance): &(&str, Importance)| {
        let is_name = matches!(*title, "workload" | "env" | "principal");
        let cut = if is_name { Cut::Middle } else { Cut::Never };
        let mut column = Column::new(title, (1, importance.0), cut);
        column.right = matches!(*title, "last used" | "uses" | "derived" | "rejected");
        column
    };
    let mut columns: Vec<Column> = COLUMNS.iter().map(column).collect();
    columns[0].width = 2;
    for row in rows.iter().filter(|it| !it.is_nobody()) {
        for (column, cell) in columns.iter_mut().zip(cells(row, as_of)) {
            column.widen(&cell);
        }
    }
    columns
}

fn cells(row: &Consumer, as_of: Timestamp) -> [Cow<'_, str>; COLUMNS.len()] {
    let or_dash = |it: &'_ Option<String>| it.clone().map_or(Cow::Borrowed("-"), Cow::Owned);
    let last_used = row.last_used_time.map(|it| text::age(it, as_of));
    [
        Cow::Borrowed(row.mark()),
        or_dash(&row.workload),
        or_dash(&row.environment),
        Cow::Borrowed(row.principal.as_deref().map_or("-", text::short_principal)),
        or_dash(&last_used),
        Cow::Owned(text::grouped(row.use_count)),
        Cow::Owned(text::grouped(row.derived_use_count)),
        Cow::Owned(text::grouped(row.rejected_count)),
        or_dash(&row.state),
    ]
}

fn write_version(
    heading: &[String],
    consumers: &[&Consumer],
    as_of: Timestamp,
    columns: &[Column],
    layout: &Layout,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    for (index, line) in wrap(heading, "  ", "  ", options.width).iter().enumerate() {
        let style = (options.colour && index == 0).then_some(Style::Bold);
        writeln!(out, "{}", painted(line, style))?;
    }
    for consumer in consumers {
        if consumer.is_nobody() {
            let limit = options.width.unwrap_or(usize::MAX);
            writeln!(out, "{}", text::cut("    no attempt seen", limit))?;
            continue;
        }
        let cells = cells(consumer, as_of);
        let cell_of = |index: usize| {
            let text = cells[index].as_ref();
            let style = match columns[index].title.as_str() {
                "" if text.contains(['!', 'x']) => Some(Style::Bad),
                "" => Some(Style::Warning),
                title => Style::of(title, text),
            };
            (Cow::Borrowed(text), style.filter(|_| options.colour))
        };
        layout::write_line(columns, layout, cell_of, out)?;
    }
    Ok(())
}

/// The newest version of each secret: the last in the order of the report.
fn newest<'a>(
    versions: &[Vec<&'a Consumer>],
) -> BTreeSet<(&'a Option<String>, &'a Option<String>)> {
    let mut last = BTreeMap::new();
    for it in versions.iter().filter_map(|it| it.first()) {
        last.insert(&it.secret_id, &it.version);
    }
    last.into_iter().collect()
}

/// When nobody who switched would be met any more: the earliest cutoff that makes sense.
fn cutoff_fact(consumers: &[&Consumer], as_of: Timestamp) -> Option<String> {
    let is_retired = consumers[0].retired_time().is_some_and(|it| it <= as_of);
    if consumers[0].secret_id.is_none() || is_retired {
        return None;
    }
    let uses_it = |it: &&&Consumer| it.last_used_time.is_some() && !it.is_by_principal();
    let users: Vec<_> = consumers.iter().filter(uses_it).collect();
    let has_switched =
        |it: &&&&Consumer| matches!(it.state.as_deref(), Some("switched" | "settled"));
    let waiting = users.len() - users.iter().filter(has_switched).count();
    if waiting > 0 {
        return Some(format!(
            "{waiting} of {} not switched",
            text::counted(users.len(), "consumer")
        ));
    }
    let quiet = users.iter().filter_map(|it| it.soak_until_time).max()?;
    Some(format!("earliest cutoff {}", text::second(quiet.max(as_of))))
}

/// The heading of a version: its name, then what is known of its life.
fn facts(consumers: &[&Consumer], as_of: Timestamp) -> Vec<String> {
    let first = consumers[0];
    let mut identifiers: Vec<String> = Vec::new();
    for identifier in consumers.iter().filter_map(|it| it.identifier()) {
        if !identifiers.contains(&identifier) {
            identifiers.push(identifier);
        }
    }
    let mut facts = Vec::new();
    match &first.secret_id {
        Some(secret) => {
            facts.push(secret.clone());
            let version = first.version.as_deref().unwrap_or("unknown");
            facts.push(format!("version {version}"));
            let more = identifiers.len().saturating_sub(1);
            facts.extend(identifiers.into_iter().next());
            facts.extend(
                (more > 0).then(|| format!("and {}", text::counted(more, "more identifier"))),
            );
        }
        None if identifiers.is_empty() => facts.push("unknown credential".to_owned()),
        None => facts.extend(identifiers),
    }
    facts.extend(first.version_state.clone());
    let dated = |what: &str, time: Timestamp| {
        let age = text::age(time, as_of);
        let date = text::second(time);
        if date.starts_with(&age) {
            format!("{what} {date}")
        } else {
            format!("{what} {date} ({age})")
        }
    };
    facts.extend(first.cutoff_time.map(|it| dated("cutoff", it)));
    facts.extend(first.revoked_time.map(|it| dated("revoked", it)));
    let tail = consumers.iter().filter_map(|it| it.tail_expires_time).max();
    let alive = tail.filter(|it| *it > as_of);
    facts.extend(alive.map(|it| dated("sessions alive until", it)));
    facts
}

#[cfg(test)]
mod tests;
