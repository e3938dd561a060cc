//! The head of the swim lanes: dates, lines with their names, and what the marks mean.

use std::io::{self, Write};

use super::lanes::{Lanes, hidden, shade};
use super::model::Kind;
use super::view::{Role, View};
use super::words::{LABEL, day, shown};

/// Pixels of one line of text.
const ROW: u32 = 15;
/// Lines that are drawn; more of them would hide the lanes.
const LINES_MAX: usize = 7;
/// Pixels of a log's row.
const LOG: u32 = 14;
/// Logs that get a row of their own.
const LOGS_MAX: usize = 12;

/// An upright line across all lanes.
#[derive(Debug)]
pub(super) struct Line {
    pub time: i64,
    /// The class in the style sheet.
    pub class: &'static str,
    /// What it says, safe for HTML.
    pub label: String,
}

/// The lines of a secret that its axis reaches, in the order of time.
pub(super) fn lines(view: &View<'_>) -> Vec<Line> {
    let mut all = vec![Line { time: view.scale.as_of, class: "now", label: "as of".to_owned() }];
    let verdict = view.old().and_then(|it| it.verdict.as_ref());
    if let Some(verdict) = verdict {
        let soak = verdict.soak_until_time.filter(|it| Some(*it) != verdict.wait_until_time);
        let label = "may become yes".to_owned();
        all.extend(verdict.wait_until_time.map(|time| Line { time, class: "until", label }));
        let label = "soak over".to_owned();
        all.extend(soak.map(|time| Line { time, class: "until", label }));
    }
    // The version asked about first, then the others, latest first.
    let others = (0..view.secret.versions.len()).rev().filter(|it| Some(*it) != view.asked);
    for it in view.asked.into_iter().chain(others) {
        let version = &view.secret.versions[it];
        let name = shown(&version.version, 12);
        let mut add = |time: Option<i64>, class, word: &str| {
            let label = format!("version {name} {word}");
            all.extend(time.map(|time| Line { time, class, label }));
        };
        add(version.cutoff_time, "cutoff", "cutoff");
        add(version.revoked_time, "revoked", "revoked");
    }
    all.retain(|it| view.scale.shows(it.time));
    all.truncate(LINES_MAX);
    all.sort_by_key(|it| it.time);
    all
}

/// Writes dates and names of lines, in the columns of the lanes below. The day is all that the
/// scale can show and a narrow screen has room for; the instants stand in the tables.
pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let lines = lines(view);
    let height = ROW * (lines.len() as u32 + 1) + 3;
    write!(
        out,
        "<div class=\"axis\" aria-hidden=\"true\"><div class=\"unit\">UTC; steps of {}</div>\
        <svg height=\"{height}\">",
        view.scale.slot_name()
    )?;
    for (row, it) in lines.iter().enumerate() {
        let (x, y, class) = (view.scale.percent(it.time), ROW * (row as u32 + 1) - 4, it.class);
        let (anchor, dx) = if x > 50.0 { ("end", -4) } else { ("start", 4) };
        write!(
            out,
            "<line class=\"line {class}\" x1=\"{x}%\" x2=\"{x}%\" y1=\"{}\" y2=\"{height}\"/>\
            <text class=\"{class}\" x=\"{x}%\" dx=\"{dx}\" y=\"{y}\" text-anchor=\"{anchor}\">\
            {} {}</text>",
            y - 9,
            it.label,
            day(it.time)
        )?;
    }
    for it in view.scale.ticks() {
        let x = view.scale.percent(it.time);
        let class = if it.is_major { "tick" } else { "tick minor" };
        // There is no room for a label at the end, nor for it to stand on the other side.
        let label = if x > 94.0 { "" } else { &it.label };
        write!(
            out,
            "<g class=\"{class}\"><line x1=\"{x}%\" x2=\"{x}%\" y1=\"{}\" y2=\"{height}\"/>\
            <text x=\"{x}%\" dx=\"3\" y=\"{}\">{label}</text></g>",
            height - ROW,
            height - 5
        )?;
    }
    out.write_all(b"</svg></div>\n")
}

/// Writes one row per log: where it was read, and where it was not.
pub(super) fn write_logs(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rows = &view.secret.coverage;
    let drawn = rows.iter().enumerate().filter(|it| it.1.watermark_time.is_some());
    let drawn: Vec<_> = drawn.take(LOGS_MAX).collect();
    if drawn.is_empty() {
        return Ok(());
    }
    out.write_all(b"<ul class=\"lanes logs\" aria-label=\"What the logs cover\">\n")?;
    for (row, it) in drawn {
        let scope = it.scope.as_deref().filter(|it| !it.is_empty());
        let scope = scope.map_or_else(String::new, |it| format!(" {}", shown(it, LABEL)));
        let (source, slots) = (shown(&it.source, LABEL), view.scale.slots);
        let spans = hidden(view, &[row]);
        let mut read = String::new();
        let mut from = view.scale.start;
        for (start, end) in spans.iter().copied().chain([(view.scale.as_of, i64::MAX)]) {
            if start > from {
                let (x, to) = (view.scale.place(from), view.scale.place(start));
                read.push_str(&format!("M{x} 5H{to}v4H{x}z"));
            }
            from = end;
        }
        write!(
            out,
            "<li><div class=\"who\">log {source}{scope}</div>\
            <svg viewBox=\"0 0 {slots} {LOG}\" height=\"{LOG}\" preserveAspectRatio=\"none\" \
            role=\"img\"><title>Log {source}{scope}: {}.</title>\
            <path class=\"read\" d=\"{read}\"/>",
            match spans.len() {
                0 => "whole over this time".to_owned(),
                1 => "1 span without records".to_owned(),
                it => format!("{it} spans without records"),
            }
        )?;
        shade(&spans, &view.scale, LOG, out)?;
        writeln!(out, "<use href=\"#s{}m\"/></svg></li>", view.index)?;
    }
    out.write_all(b"</ul>\n")
}

/// Writes what the marks mean, as far as they occur.
pub(super) fn write_legend(
    view: &View<'_>,
    lanes: &Lanes<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(b"<ul class=\"legend\">")?;
    for role in Role::ALL.into_iter().filter(|it| lanes.roles().contains(it)) {
        let of_role = |it: &usize| view.role(*it) == role;
        let versions: Vec<usize> = (0..view.secret.versions.len()).filter(of_role).collect();
        let names = versions.iter().rev().take(4);
        let names: Vec<String> =
            names.map(|it| shown(&view.secret.versions[*it].version, 40)).collect();
        let more = if versions.len() > names.len() { " and others" } else { "" };
        let word = match role {
            Role::New | Role::Newer if view.asked.is_none() => "current",
            Role::Old | Role::Older if view.asked.is_none() => "before it",
            Role::Old => "the one asked about",
            Role::Older => "before it",
            Role::New => "the new one",
            Role::Newer => "newer still",
        };
        let name = names.join(", ");
        let high = role.height();
        let d = format!("M0 {}h22v{high}h-22z", 6 - high / 2);
        sample(out, &format!("us {}", role.class()), &d)?;
        write!(out, "version {name}{more} ({word}) used</li>")?;
    }
    let marks = || view.secret.consumers.iter().flat_map(|it| &it.activity);
    let has = |kind: Kind| marks().any(|it| it.kind == kind);
    let kinds = [
        (Kind::Derived, "de vo", "M0 2h22v8h-22z", "a credential obtained with it used"),
        (Kind::Rejected, "rj", "M4 0v12m6-12v12m6-12v12", "presented and refused"),
        (Kind::Principal, "pr", "M0 5h22v2h-22z", "principal seen, no credential named: no proof"),
    ];
    for (_, class, d, text) in kinds.into_iter().filter(|it| has(it.0)) {
        sample(out, class, d)?;
        write!(out, "{text}</li>")?;
    }
    let is_soaking = view.secret.consumers.iter().any(|it| it.soak.is_some());
    if is_soaking && view.asked.is_some() {
        sample(out, "soak", "M0 6H20m0 -4v8")?;
        out.write_all(b"must stay quiet until the end of this line</li>")?;
    }
    out.write_all(
        b"<li><svg width=\"22\" height=\"12\" aria-hidden=\"true\">\
        <path class=\"hole\" d=\"M0 0h22v12h-22z\"/>\
        <path class=\"hatch\" d=\"M1 0v12m5-12v12m5-12v12m5-12v12m5-12v12\"/></svg> \
        not covered by the logs: nothing can be said</li></ul>\n",
    )
}

fn sample(out: &mut dyn Write, class: &str, d: &str) -> io::Result<()> {
    write!(
        out,
        "<li><svg width=\"22\" height=\"12\" aria-hidden=\"true\">\
        <path class=\"{class}\" d=\"{d}\"/></svg> "
    )
}
