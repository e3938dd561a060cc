//! The tables of one secret: consumers, versions, logs, findings.

use std::io::{self, Write};

use super::lanes::{flags, state_name};
use super::model::{Coverage, Finding, Hole};
use super::references::{self, Reference};
use super::view::{View, is_production, name};
use super::words::{LABEL, LONG, list, number, shown, time, times, words};

/// Holes of one log that are listed.
const HOLES_MAX: usize = 100;

/// A column: its heading, and whether it holds numbers.
type Column = (&'static str, bool);

/// Begins a table that scrolls by itself where the screen is narrow.
fn begin(
    out: &mut dyn Write,
    id: &str,
    class: &str,
    caption: &str,
    columns: &[Column],
) -> io::Result<()> {
    write!(
        out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"{id}\">\
        <table class=\"{class}\">\n<caption id=\"{id}\">{caption}</caption>\n<thead><tr>"
    )?;
    for (name, is_number) in columns {
        let class = if *is_number { " class=\"n\"" } else { "" };
        write!(out, "<th scope=\"col\"{class}>{name}</th>")?;
    }
    out.write_all(b"</tr></thead>\n<tbody>\n")
}

fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"</tbody></table></div>\n")
}

/// Writes one row per consumer, in the order of the lanes.
pub(super) fn write_consumers(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let s = view.index;
    let version = view.old().map(|it| shown(&it.version, LABEL));
    let caption = match &version {
        Some(it) => format!("Consumers; \"old\" is version {it}, \"new\" any later one; UTC"),
        None => "Consumers; \"new\" is any version; UTC".to_owned(),
    };
    let mut columns = vec![
        ("Consumer", false),
        ("Environment", false),
        ("State", false),
        ("Old last used", false),
        ("Old uses", true),
        ("New last used", false),
        ("New uses", true),
        ("Refused", true),
        ("Quiet until", false),
    ];
    let has_owner = view.count_if(|it| it.owner.is_some()) > 0;
    if has_owner {
        columns.push(("Owner", false));
    }
    begin(out, &format!("s{s}t"), "sorted consumers", &caption, &columns)?;
    for row in &view.order {
        write_consumer(view, *row, has_owner, out)?;
    }
    end(out)
}

fn write_consumer(
    view: &View<'_>,
    row: usize,
    has_owner: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let consumer = &view.secret.consumers[row];
    let standing = view.standings[row];
    let (mut old, mut new, mut refused) = ((None, 0u64), (None, 0u64), 0u64);
    for it in &consumer.uses {
        refused = refused.saturating_add(it.rejected_count);
        let side = match view.asked {
            Some(asked) if it.version == asked => &mut old,
            Some(asked) if it.version < asked => continue,
            _ => &mut new,
        };
        side.0 = side.0.max(it.last_used_time);
        side.1 = side.1.saturating_add(it.use_count).saturating_add(it.derived_use_count);
    }
    let environment = consumer.environment.as_deref().map(|it| shown(it, LABEL));
    let class = if is_production(consumer) { " class=\"prod\"" } else { "" };
    let until = consumer.soak.as_ref().filter(|_| view.asked.is_some());
    write!(
        out,
        "<tr data-s=\"{}\"><th scope=\"row\"><a href=\"#s{}c{row}\">{}</a></th><td{class}>{}</td>\
        <td><span class=\"chip {}\">{}</span> {}</td><td>{}</td>\
        <td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
        <td>{}</td>",
        standing as u8,
        view.index,
        name(consumer),
        environment.unwrap_or_default(),
        standing.class(),
        state_name(consumer, standing.name()),
        flags(consumer).join(", "),
        time(old.0),
        count(old.1),
        time(new.0),
        count(new.1),
        count(refused),
        time(until.and_then(|it| it.until_time)),
    )?;
    if has_owner {
        let owner = consumer.owner.as_deref().map(|it| shown(it, LABEL));
        write!(out, "<td>{}</td>", owner.unwrap_or_default())?;
    }
    out.write_all(b"</tr>\n")
}

/// A number; nothing for none, so that what is there stands out.
fn count(it: u64) -> String {
    if it == 0 { String::new() } else { number(it) }
}

/// Writes one row per version.
pub(super) fn write_versions(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.secret.versions.is_empty() {
        return out.write_all(b"<p class=\"note\">No version of this secret is known.</p>\n");
    }
    let columns = [
        ("Version", false),
        ("State", false),
        ("Active from", false),
        ("Cutoff", false),
        ("Revoked", false),
        ("Known by", false),
    ];
    begin(out, &format!("s{}v", view.index), "", "Versions, oldest first; UTC", &columns)?;
    for it in &view.secret.versions {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            shown(&it.version, LABEL),
            it.state.as_deref().map_or_else(String::new, words),
            time(it.active_time),
            time(it.cutoff_time),
            time(it.revoked_time),
            list(&it.identifiers)
        )?;
    }
    end(out)
}

/// Writes one row per log, with its holes and what it never shows.
pub(super) fn write_coverage(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.secret.coverage.is_empty() {
        return out.write_all(
            b"<p class=\"note\">No log was read that could have shown a use of this secret: \
            silence says nothing.</p>\n",
        );
    }
    let columns = [
        ("Log", false),
        ("Scope", false),
        ("Listed because", false),
        ("Read from", false),
        ("Complete to", false),
        ("Delay", false),
        ("Holes", false),
        ("Never shows", false),
    ];
    begin(
        out,
        &format!("s{}l", view.index),
        "",
        "Logs that could have shown a use; UTC",
        &columns,
    )?;
    for it in &view.secret.coverage {
        let source = if it.source.is_empty() { "none" } else { &it.source };
        let spots: Vec<String> = it.blind_spots.iter().take(20).map(|it| shown(it, LONG)).collect();
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
            <td>{}</td><td>{}</td></tr>",
            shown(source, LABEL),
            it.scope.as_deref().map_or_else(String::new, |it| shown(it, LABEL)),
            it.known_by.as_deref().map_or_else(String::new, known_by),
            time(it.start_time),
            time(it.watermark_time),
            it.delay.as_deref().map_or_else(String::new, |it| shown(it, LABEL)),
            holes(it),
            spots.join("<br>")
        )?;
    }
    end(out)
}

fn known_by(code: &str) -> String {
    match code {
        "seen" => "shows this version".to_owned(),
        "same_secret" => "shows another version of the secret".to_owned(),
        "same_kind" => "names credentials of this kind".to_owned(),
        "no_source" => "no log that was read names credentials of this kind".to_owned(),
        "no_identifier" => "nothing is known by which a log could name it".to_owned(),
        other => words(other),
    }
}

fn holes(coverage: &Coverage) -> String {
    if coverage.holes.is_empty() {
        let is_read = coverage.watermark_time.is_some();
        return if is_read { "none found".to_owned() } else { String::new() };
    }
    let row = |it: &Hole| {
        let (from, until) = (time(Some(it.start_time)), time(Some(it.end_time)));
        format!("{from} to {until}: {}", words(&it.evidence))
    };
    let rows: Vec<String> = coverage.holes.iter().take(HOLES_MAX).map(row).collect();
    let more = match coverage.holes.len().saturating_sub(HOLES_MAX) {
        0 => String::new(),
        it => format!("<br>and {} more", number(it as u64)),
    };
    let rows = rows.join("<br>");
    match coverage.holes.len() {
        1..=3 => rows,
        it => format!(
            "<details><summary>{}</summary>{rows}{more}</details>",
            times(it as u64, "hole")
        ),
    }
}

/// Writes one row per finding, then what is true of the secret as a whole.
pub(super) fn write_findings(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let s = view.index;
    if view.secret.findings.is_empty() {
        out.write_all(b"<p class=\"note\">No use of a retired version was found.</p>\n")?;
    } else {
        let columns = [
            ("Severity", false),
            ("Finding", false),
            ("Version", false),
            ("Consumer", false),
            ("Environment", false),
            ("First", false),
            ("Last", false),
            ("Count", true),
        ];
        begin(out, &format!("s{s}w"), "sorted", "Uses of retired versions; UTC", &columns)?;
        for it in &view.secret.findings {
            write_finding(it, out)?;
        }
        end(out)?;
    }
    let observations = references::observations(view);
    if !observations.is_empty() {
        out.write_all(b"<ul class=\"observed\">\n")?;
        for (text, references) in observations {
            writeln!(out, "<li>{text} {}</li>", cited(references))?;
        }
        out.write_all(b"</ul>\n")?;
    }
    Ok(())
}

fn write_finding(it: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let severity = match it.severity.as_str() {
        known @ ("critical" | "high" | "medium" | "low") => known,
        _ => "low",
    };
    write!(
        out,
        "<tr><td><span class=\"severity {severity}\">{}</span></td><td>{}",
        words(&it.severity),
        words(&it.class)
    )?;
    if let Some(ends) = it.tail_expires_time {
        write!(out, "<br>its session ends {}", time(Some(ends)))?;
    }
    let references = references::of_class(&it.class);
    if !references.is_empty() {
        write!(out, "<p class=\"refs\">{}</p>", cited(references))?;
    }
    if !it.source_ips.is_empty() || !it.evidence_uids.is_empty() {
        out.write_all(b"<details><summary>Evidence</summary>")?;
        for (name, values) in [("From", &it.source_ips), ("Events", &it.evidence_uids)] {
            if !values.is_empty() {
                write!(out, "<p>{name}: {}</p>", list(values))?;
            }
        }
        out.write_all(b"</details>")?;
    }
    writeln!(
        out,
        "</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
        shown(&it.version, LABEL),
        shown(&it.consumer, LABEL),
        it.environment.as_deref().map_or_else(String::new, |it| shown(it, LABEL)),
        time(Some(it.first_time)),
        time(Some(it.last_time)),
        number(it.count)
    )
}

fn cited(references: &[Reference]) -> String {
    let one = |it: &Reference| format!("<abbr title=\"{}\">{}</abbr>", it.title, it.name);
    references.iter().map(one).collect::<Vec<_>>().join(", ")
}
