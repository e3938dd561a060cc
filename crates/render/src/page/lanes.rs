//! Swim lanes: per consumer one row of time, drawn as a small SVG that stretches with the page.
//!
//! A lane's coordinates are slots of the axis and pixels of height. What repeats on every lane
//! (holes, lines) is drawn once and referred to. A path per kind and version, in relative
//! coordinates, keeps a lane of three months at some hundred bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::axis;
use super::evidence;
use super::model::{Consumer, Coverage, Kind, Mark};
use super::scale::Scale;
use super::view::{Role, View, is_production, name};
use super::words::{LABEL, day, shown, times, words};

/// Pixels that one version's track is high.
const TRACK: u32 = 8;
/// Pixels between tracks, and above and below them.
const GAP: u32 = 3;
/// Pixels that lines and holes reach beyond their lane, into the space between lanes.
const BLEED: u32 = 90;
/// More lanes than these are laid out only where they are on the screen.
const LANES_FEW: usize = 200;
/// Ticks of refused attempts on one lane: more would run into each other.
const TICKS_MAX: u32 = 120;

/// What all lanes of one secret share.
pub(super) struct Lanes<'a> {
    view: &'a View<'a>,
    /// The roles that somebody's marks have, top down: one track each.
    tracks: Vec<Role>,
    /// Sets of rows of coverage, and the number of what is shaded for them.
    shades: BTreeMap<Vec<usize>, usize>,
}

impl<'a> Lanes<'a> {
    pub fn new(view: &'a View<'a>) -> Self {
        let mut tracks: Vec<Role> = Vec::new();
        for mark in view.secret.consumers.iter().flat_map(|it| &it.activity) {
            let role = view.role(mark.version);
            if mark.version < view.secret.versions.len() && !tracks.contains(&role) {
                tracks.push(role);
            }
        }
        tracks.sort_unstable();
        if tracks.is_empty() {
            tracks.push(Role::Old);
        }
        let mut shades = BTreeMap::new();
        for consumer in &view.secret.consumers {
            let next = shades.len();
            shades.entry(shown_by(consumer, &view.secret.coverage)).or_insert(next);
        }
        Self { view, tracks, shades }
    }

    /// The roles that are drawn.
    pub fn roles(&self) -> &[Role] {
        &self.tracks
    }

    fn height(&self) -> u32 {
        GAP + self.tracks.len() as u32 * (TRACK + GAP)
    }

    fn top(&self, role: Role) -> u32 {
        let track = self.tracks.iter().position(|it| *it == role).unwrap_or(0);
        GAP + track as u32 * (TRACK + GAP)
    }

    /// Writes what lanes, and the rows of logs, refer to.
    pub fn write_shared(&self, out: &mut dyn Write) -> io::Result<()> {
        let (s, height) = (self.view.index, self.height());
        out.write_all(b"<svg class=\"defs\" aria-hidden=\"true\"><defs>")?;
        for (rows, number) in &self.shades {
            write!(out, "<g id=\"s{s}b{number}\">")?;
            shade(&hidden(self.view, rows), &self.view.scale, height, out)?;
            out.write_all(b"</g>")?;
        }
        write!(out, "<g id=\"s{s}m\">")?;
        for it in axis::lines(self.view) {
            let (place, class) = (self.view.scale.place(it.time), it.class);
            let long = height + 2 * BLEED;
            write!(out, "<path class=\"line {class}\" d=\"M{place} -{BLEED}v{long}\"/>")?;
        }
        out.write_all(b"</g></defs></svg>\n")
    }

    /// Writes a list with one lane per consumer; nothing where there is none.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.view.order.is_empty() {
            return Ok(());
        }
        let many = if self.view.order.len() > LANES_FEW { " many" } else { "" };
        writeln!(out, "<ol class=\"lanes{many}\">")?;
        for row in &self.view.order {
            self.write_lane(*row, out)?;
        }
        out.write_all(b"</ol>\n")
    }

    fn write_lane(&self, row: usize, out: &mut dyn Write) -> io::Result<()> {
        let (view, consumer) = (self.view, &self.view.secret.consumers[row]);
        let (s, standing) = (view.index, view.standings[row]);
        let (class, state) = (standing.class(), standing.name());
        let production = if is_production(consumer) { " data-p" } else { "" };
        write!(
            out,
            "<li id=\"s{s}c{row}\" data-s=\"{}\"{production}><details><summary><b>{}</b>",
            standing as u8,
            name(consumer)
        )?;
        if let Some(it) = &consumer.environment {
            let class = if is_production(consumer) { "env prod" } else { "env" };
            write!(out, " <span class=\"{class}\">{}</span>", shown(it, LABEL))?;
        }
        write!(out, " <span class=\"chip {class}\">{}</span>", state_name(consumer, state))?;
        for flag in flags(consumer) {
            write!(out, " <span class=\"flag\">{flag}</span>")?;
        }
        out.write_all(b"</summary>")?;
        evidence::write(view, consumer, out)?;
        out.write_all(b"</details>")?;
        self.draw(consumer, state, out)?;
        out.write_all(b"</li>\n")
    }

    fn draw(&self, consumer: &Consumer, state: &str, out: &mut dyn Write) -> io::Result<()> {
        let (view, height) = (self.view, self.height());
        let (s, slots) = (view.index, view.scale.slots);
        let shades = self.shades[&shown_by(consumer, &view.secret.coverage)];
        write!(
            out,
            "<svg viewBox=\"0 0 {slots} {height}\" height=\"{height}\" \
            preserveAspectRatio=\"none\" role=\"img\"><title>{}</title>\
            <use href=\"#s{s}b{shades}\"/>",
            sentence(view, consumer, state)
        )?;
        for ((kind, role), runs) in self.runs(&consumer.activity) {
            let (top, class, high) = (self.top(role), role.class(), role.height());
            let middle = top + (TRACK - high) / 2;
            match kind {
                Kind::Principal => path(out, "pr", &bars(&runs, top + 3, 2))?,
                Kind::Derived => path(out, &format!("de {class}"), &bars(&runs, middle, high))?,
                Kind::Used => path(out, &format!("us {class}"), &bars(&runs, middle, high))?,
                Kind::Rejected => path(out, "rj", &ticks(&runs, top - 2, slots))?,
            }
        }
        if let Some(wait) = self.waiting(consumer) {
            path(out, "soak", &wait)?;
        }
        write!(out, "<use href=\"#s{s}m\"/></svg>")
    }

    /// The slots in which something was seen, joined where they touch.
    ///
    /// What proves least is drawn first, so that nothing hides a use or a refusal.
    fn runs(&self, marks: &[Mark]) -> BTreeMap<(Kind, Role), Vec<(u32, u32)>> {
        let mut all: BTreeMap<(Kind, Role), Vec<(u32, u32)>> = BTreeMap::new();
        let Scale { start, end, .. } = self.view.scale;
        let versions = self.view.secret.versions.len();
        let is_drawn =
            |it: &&Mark| it.version < versions && it.end_time >= start && it.start_time <= end;
        for it in marks.iter().filter(is_drawn) {
            let from = self.view.scale.slot(it.start_time);
            // A mark that ends on the hour does not reach into the next one.
            let until = it.end_time.saturating_sub(1).max(it.start_time);
            let key = (it.kind, self.view.role(it.version));
            all.entry(key).or_default().push((from, self.view.scale.slot(until)));
        }
        for runs in all.values_mut() {
            runs.sort_unstable();
            let mut joined: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
            for (from, until) in runs.drain(..) {
                match joined.last_mut() {
                    Some(last) if from <= last.1 + 1 => last.1 = last.1.max(until),
                    _ => joined.push((from, until)),
                }
            }
            *runs = joined;
        }
        all
    }

    /// A line from the last use of the old version to the end of its soak.
    fn waiting(&self, consumer: &Consumer) -> Option<String> {
        let scale = &self.view.scale;
        let until = consumer.soak.as_ref()?.until_time.filter(|it| scale.shows(*it))?;
        let old = consumer.uses.iter().find(|it| Some(it.version) == self.view.asked)?;
        let from = scale.place(old.last_used_time.filter(|it| *it < until)?);
        let (y, to) = (self.top(Role::Old) + TRACK / 2, scale.place(until));
        Some(format!("M{from} {y}H{to}m0 -4v8"))
    }
}

fn path(out: &mut dyn Write, class: &str, d: &str) -> io::Result<()> {
    write!(out, "<path class=\"{class}\" d=\"{d}\"/>")
}

/// The filled boxes of `runs`, as the data of one path.
fn bars(runs: &[(u32, u32)], top: u32, height: u32) -> String {
    let mut d = String::with_capacity(runs.len() * 14);
    let mut at = 0;
    for (index, (from, until)) in runs.iter().enumerate() {
        let width = until - from + 1;
        let move_to = match index {
            0 => format!("M{from} {top}"),
            _ => format!("m{} 0", from - at),
        };
        d.push_str(&format!("{move_to}h{width}v{height}h-{width}z"));
        at = *from;
    }
    d
}

/// An upright tick at the slots of `runs`, thinned out where there are many.
fn ticks(runs: &[(u32, u32)], top: u32, slots: u32) -> String {
    let (every, height) = (slots.div_ceil(TICKS_MAX).max(1), TRACK + 4);
    let mut d = String::new();
    let mut at: Option<u32> = None;
    for place in runs.iter().flat_map(|it| it.0..=it.1) {
        match at {
            None => d.push_str(&format!("M{place}.5 {top}v{height}")),
            Some(last) if place - last < every => continue,
            Some(last) => d.push_str(&format!("m{}-{height}v{height}", place - last)),
        }
        at = Some(place);
    }
    d
}

/// Rows of the coverage that speak of a consumer: those of the logs that show it.
fn shown_by(consumer: &Consumer, coverage: &[Coverage]) -> Vec<usize> {
    let is_own = |it: &usize| consumer.sources.contains(&coverage[*it].source);
    let own: Vec<usize> = (0..coverage.len()).filter(is_own).collect();
    if own.is_empty() { (0..coverage.len()).collect() } else { own }
}

/// The spans that at least one of the rows does not cover, in order, none touching another.
pub(super) fn hidden(view: &View<'_>, rows: &[usize]) -> Vec<(i64, i64)> {
    let Scale { start, as_of, .. } = view.scale;
    let mut spans = Vec::new();
    for it in rows.iter().map(|it| &view.secret.coverage[*it]) {
        spans.extend(it.start_time.map(|it| (start, it)));
        spans.extend(it.watermark_time.map(|it| (it, as_of)));
        spans.extend(it.holes.iter().map(|it| (it.start_time, it.end_time)));
    }
    let mut spans: Vec<(i64, i64)> =
        spans.into_iter().map(|it| (it.0.max(start), it.1.min(as_of))).collect();
    spans.retain(|it| it.0 < it.1);
    spans.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, until) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    joined
}

/// Shades spans: a light box with upright hairlines, which a grey print keeps.
pub(super) fn shade(
    spans: &[(i64, i64)],
    scale: &Scale,
    height: u32,
    out: &mut dyn Write,
) -> io::Result<()> {
    if spans.is_empty() {
        return Ok(());
    }
    let (mut boxes, mut lines) = (String::new(), String::new());
    let (step, long) = (f64::from(scale.slots) / 160.0, height + 2 * BLEED);
    for (from, until) in spans {
        let (from, until) = (scale.place(*from), scale.place(*until));
        boxes.push_str(&format!("M{from} -{BLEED}H{until}v{long}H{from}z"));
        let count = ((until - from) / step) as u32;
        for it in 0..=count {
            let x = ((from + f64::from(it) * step) * 10.0).round() / 10.0;
            lines.push_str(&format!("M{x} -{BLEED}v{long}"));
        }
    }
    path(out, "hole", &boxes)?;
    path(out, "hatch", &lines)
}

/// The state's name; that of the table where the page has none.
pub(super) fn state_name(consumer: &Consumer, name: &str) -> String {
    match &consumer.state {
        Some(it) if name == "other state" => words(it),
        _ => name.to_owned(),
    }
}

/// What is to be said of a consumer beside its state.
pub(super) fn flags(consumer: &Consumer) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    if !consumer.is_declared {
        flags.push("shadow".to_owned());
    }
    let given = consumer.flags.iter().filter(|it| *it != "shadow");
    flags.extend(given.take(8).map(|it| words(it)));
    flags
}

/// A lane in words.
fn sentence(view: &View<'_>, consumer: &Consumer, state: &str) -> String {
    let mut text = name(consumer);
    if let Some(it) = &consumer.environment {
        text.push_str(&format!(", {}", shown(it, LABEL)));
    }
    text.push_str(&format!(": {}.", state_name(consumer, state)));
    for it in &consumer.uses {
        let Some(version) = view.secret.versions.get(it.version) else { continue };
        let version = shown(&version.version, LABEL);
        if let (Some(first), Some(last)) = (it.first_used_time, it.last_used_time) {
            let count = times(it.use_count.saturating_add(it.derived_use_count), "use");
            text.push_str(&format!(
                " Version {version} from {} to {} ({count}).",
                day(first),
                day(last)
            ));
        }
        if it.rejected_count > 0 {
            let last =
                it.last_rejected_time.map_or(String::new(), |it| format!(", last {}", day(it)));
            let count = times(it.rejected_count, "time");
            text.push_str(&format!(" Version {version} refused {count}{last}."));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_relative_boxes() {
        assert_eq!(bars(&[(2, 4), (10, 10)], 3, 8), "M2 3h3v8h-3zm8 0h1v8h-1z");
        assert_eq!(bars(&[], 3, 8), "");
    }

    #[test]
    fn many_refusals_are_as_many_ticks_as_can_be_told_apart() {
        assert_eq!(ticks(&[(2, 3), (7, 7)], 1, 100), "M2.5 1v12m1-12v12m4-12v12");
        let all = ticks(&[(0, 719)], 1, 720);
        assert_eq!(all.matches('v').count(), 120);
    }
}
