//! The place that a file's name gives it in a sequence: a number or a date.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, date};

/// Endings of compressed files, which come and go while a file keeps its place.
const COMPRESSIONS: [&str; 9] =
    [".gz", ".zst", ".bz2", ".xz", ".lz4", ".Z", ".zip", ".zstd", ".snappy"];
/// The longest number that counts files; longer ones are instants and ids.
const DIGITS_MAX: usize = 9;
/// The years that a date in a name may be of.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2099;
const EPOCH: Date = date(1970, 1, 1);

/// What a sequence counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Number,
    Hour,
    Day,
    Month,
}

/// A place in a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub step: Step,
    /// The number, or the hours, days or months since 1970.
    pub position: i64,
    /// Four digits right after a date, which may be a counter or a time of day.
    pub like_a_clock: bool,
    before: String,
    text: String,
    after: String,
}

impl Place {
    /// The name with what counts taken out; the same for all files of a sequence.
    pub fn series(&self) -> String {
        let mark = match self.step {
            Step::Number => NUMBER,
            Step::Hour => "{hour}",
            Step::Day => "{day}",
            Step::Month => "{month}",
        };
        format!("{}{mark}{}", self.before, self.after)
    }

    /// What the file at another place of the sequence is called, without the ending of a
    /// compression.
    pub fn name_at(&self, position: i64) -> String {
        let text = match self.step {
            Step::Number if self.text.starts_with('0') => {
                format!("{position:0width$}", width = self.text.len())
            }
            Step::Number => position.to_string(),
            _ => {
                let digits = self.step.digits(position);
                let mut digits = digits.chars();
                let other = |it: char| match it.is_ascii_digit() {
                    true => digits.next().unwrap_or('0'),
                    false => it,
                };
                self.text.chars().map(other).collect()
            }
        };
        format!("{}{text}{}", self.before, self.after)
    }
}

impl Step {
    /// The digits of the date at a position, down to the second.
    fn digits(self, position: i64) -> String {
        let at = match self {
            Step::Number => None,
            Step::Month => {
                let month = (position.rem_euclid(12) + 1) as i8;
                i16::try_from(1970 + position.div_euclid(12))
                    .ok()
                    .and_then(|year| Date::new(year, month, 1).ok())
                    .map(|it| it.at(0, 0, 0, 0))
            }
            Step::Day => EPOCH.at(0, 0, 0, 0).checked_add(position.days()).ok(),
            Step::Hour => EPOCH.at(0, 0, 0, 0).checked_add(position.hours()).ok(),
        };
        at.map_or(String::new(), |it| it.strftime("%Y%m%d%H%M%S").to_string())
    }
}

/// Stands in a series where the number was.
const NUMBER: &str = "{number}";

/// The place of the file `name` in a series; the file of a number series that has no number yet,
/// such as `access.log` of `access.log.1`, is at 0. Nothing if it is of another series.
pub fn position(name: &str, series: &str) -> Option<i64> {
    let is_head = || head(series).is_some_and(|it| it == without_compression(name));
    let place = places(name).into_iter().find(|it| it.series() == series);
    place.map(|it| it.position).or_else(|| is_head().then_some(0))
}

/// What the file of a number series is called that has no number yet.
pub(super) fn head(series: &str) -> Option<String> {
    let (before, after) = series.split_once(NUMBER)?;
    let before = before.strip_suffix(['.', '-', '_'])?;
    (!before.is_empty()).then(|| format!("{before}{after}"))
}

pub(super) fn without_compression(name: &str) -> &str {
    COMPRESSIONS.iter().find_map(|it| name.strip_suffix(it)).unwrap_or(name)
}

/// The places that a name gives its file: by its last number, and by its date. The files of one
/// date are counted apart, and are at one place of the dates.
pub(super) fn places(name: &str) -> Vec<Place> {
    let name = without_compression(name);
    let groups = digit_groups(name);
    let dated = (0..groups.len()).find_map(|it| dated(name, &groups[it..]));
    let mut places = Vec::new();
    let outside = |it: &&Group| dated.as_ref().is_none_or(|d| it.1 <= d.start || it.0 >= d.end);
    let counter = groups.iter().rev().filter(outside).find(|it| is_counter(name, **it));
    if let Some(Dated { step: None, .. }) = dated {
        // An instant: nothing says when the next one should be.
        return places;
    }
    if let Some((start, end)) = counter.copied() {
        let text = &name[start..end];
        places.push(Place {
            step: Step::Number,
            position: text.parse().unwrap_or(0),
            like_a_clock: text.len() == 4 && dated.as_ref().is_some_and(|it| it.end + 1 == start),
            before: name[..start].to_owned(),
            text: text.to_owned(),
            after: name[end..].to_owned(),
        });
    }
    if let Some(Dated { start, end, step: Some(step), position }) = dated {
        let after = match counter.filter(|it| it.0 >= end) {
            Some(it) => format!("{}*{}", &name[end..it.0], &name[it.1..]),
            None => name[end..].to_owned(),
        };
        places.push(Place {
            step,
            position,
            like_a_clock: false,
            before: name[..start].to_owned(),
            text: name[start..end].to_owned(),
            after,
        });
    }
    places
}

/// Where digits stand, one after another: start and end.
type Group = (usize, usize);

fn digit_groups(name: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, _) in name.bytes().enumerate().filter(|it| it.1.is_ascii_digit()) {
        match groups.last_mut().filter(|it| it.1 == at) {
            Some(group) => group.1 += 1,
            None => groups.push((at, at + 1)),
        }
    }
    groups
}

/// A number that stands by itself: one in a word is part of an id or of a host's name.
fn is_counter(name: &str, (start, end): Group) -> bool {
    let bytes = name.as_bytes();
    let apart = |at: Option<usize>| at.and_then(|it| bytes.get(it)).is_none_or(|it| !is_word(*it));
    end - start <= DIGITS_MAX && apart(start.checked_sub(1)) && apart(Some(end))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// A date in a name. Without a step it is an instant of its own.
struct Dated {
    start: usize,
    end: usize,
    step: Option<Step>,
    position: i64,
}

/// Reads `2026-03-01`, `20260301`, with an hour or time of day after it, or `2026-03`; separators
/// are `-`, `_` and `.`, and `T` before the time.
fn dated(name: &str, groups: &[Group]) -> Option<Dated> {
    let (start, mut end) = *groups.first()?;
    let mut digits = name[start..end].to_owned();
    if ![4, 8, 10, 12, 14].contains(&digits.len()) {
        return None;
    }
    for (from, to) in groups.iter().skip(1).copied() {
        let more = &name[from..to];
        let after_time = name[..from].ends_with('T') && digits.len() == 8;
        let fits = match more.len() {
            2 => digits.len() < 14 && (after_time || name[..from].ends_with(['-', '_', '.', ':'])),
            4 | 6 => after_time,
            _ => false,
        };
        // A number that is no hour or minute counts something.
        if from != end + 1 || !fits || clock(&format!("{digits}{more}")).is_none() {
            break;
        }
        digits.push_str(more);
        end = to;
    }
    let rest = name[end..].strip_prefix('Z').unwrap_or(&name[end..]);
    if rest.bytes().next().is_some_and(is_word) {
        return None;
    }
    let at = clock(&digits)?;
    let day = i64::from(EPOCH.until(at.date()).ok()?.get_days());
    let month = (i64::from(at.year()) - 1970) * 12 + i64::from(at.month()) - 1;
    let (step, position) = match digits.len() {
        4 => return None,
        6 => (Some(Step::Month), month),
        8 => (Some(Step::Day), day),
        _ if at.minute() != 0 || at.second() != 0 => (None, 0),
        _ => (Some(Step::Hour), day * 24 + i64::from(at.hour())),
    };
    Some(Dated { start, end, step, position })
}

/// The instant that up to fourteen digits give.
fn clock(digits: &str) -> Option<DateTime> {
    let part = |from: usize, to: usize, least: i8| match digits.get(from..to) {
        Some(text) => text.parse::<i8>().ok(),
        None => Some(least),
    };
    let year = digits.get(..4)?.parse().ok().filter(|it| YEARS.contains(it))?;
    let (month, day) = (part(4, 6, 1)?, part(6, 8, 1)?);
    let (hour, minute, second) = (part(8, 10, 0)?, part(10, 12, 0)?, part(12, 14, 0)?);
    DateTime::new(year, month, day, hour, minute, second, 0).ok()
}
