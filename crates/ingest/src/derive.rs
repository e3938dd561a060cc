//! Derive: what follows from accepted events, so that reports need not read
//! them: usage per hour, exchanges, reads, lifecycle and coverage.
//!
//! It is computed from the very rows that are committed and reaches the store
//! in the same commit, so it can neither run ahead of the events nor lag.

use std::collections::{BTreeMap, HashSet};

use arrow::array::RecordBatch;
use lastuse_store::Table;

use crate::coded::NULL;
use crate::day::Day;
use crate::event::{NO_NUMBER, Text};
use crate::rows::{Rows, Value};
use crate::segment::{Pick, Segment};

mod usage;

use usage::Usage;

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// What is derived from a segment, one day after the other.
pub struct Derived<'a> {
    segment: &'a Segment,
    usage: Usage,
    /// Rows of the segment for each row of these tables.
    exchanges: Vec<u32>,
    secret_reads: Vec<u32>,
    lifecycle: Vec<u32>,
}

impl<'a> Derived<'a> {
    /// Nothing so far of `segment`.
    pub fn new(segment: &'a Segment) -> Self {
        let (exchanges, secret_reads, lifecycle) = (Vec::new(), Vec::new(), Vec::new());
        Self { segment, usage: Usage::default(), exchanges, secret_reads, lifecycle }
    }

    /// Takes the rows of a day.
    pub fn add(&mut self, day: &Day<'_>) {
        let Self { segment, usage, .. } = self;
        usage.add(segment, day);
        self.exchanges.extend(exchanges_of(segment, day));
        self.secret_reads.extend(of_category(segment, day, "secret_read"));
        let lifecycle = of_category(segment, day, "lifecycle");
        self.lifecycle.extend(lifecycle.filter(|row| succeeded(segment, *row as usize)));
    }

    /// The parts of all derived tables.
    pub fn finish(self) -> Vec<(Table, RecordBatch)> {
        let segment = self.segment;
        let picked = [
            (Table::Usage, self.usage.finish(segment)),
            (Table::Exchanges, exchanges(segment, &self.exchanges)),
            (Table::SecretReads, secret_reads(segment, &self.secret_reads)),
            (Table::Lifecycle, lifecycle(segment, &self.lifecycle)),
        ];
        let counted = [credentials(segment), coverage(segment)];
        let picked = picked.into_iter().filter(|it| it.1.num_rows() > 0);
        picked.chain(counted.into_iter().filter_map(Rows::finish)).collect()
    }
}

fn hour_of(time: i64) -> i64 {
    time.div_euclid(MICROS_PER_HOUR) * MICROS_PER_HOUR
}

/// Rows that take back a count are no events.
fn is_event(segment: &Segment, row: u32) -> bool {
    segment.event_counts.at(row as usize) >= 0
}

fn succeeded(segment: &Segment, row: usize) -> bool {
    segment.text(Text::Outcome, row) == Some("success")
}

/// Only what was obtained is an exchange: a refused one links nothing.
///
/// What was obtained has a name in the log, or at least an end: Google says until when a
/// token lives, but not which one it is.
fn exchanges_of<'a>(segment: &'a Segment, day: &'a Day<'_>) -> impl Iterator<Item = u32> + 'a {
    let issued = day.codes(Text::IssuedCredentialUid);
    let ends = &segment.expires_times;
    let may_end = ends.constant() != Some(NO_NUMBER);
    let is_obtained = move |place: usize, row: usize| {
        issued.at(place) != NULL || (may_end && ends.at(row) != NO_NUMBER)
    };
    day.places().filter_map(move |(place, row)| {
        let at = row as usize;
        let is_one = is_obtained(place, at) && succeeded(segment, at) && is_event(segment, row);
        is_one.then_some(row)
    })
}

fn exchanges(segment: &Segment, rows: &[u32]) -> RecordBatch {
    let named = |text: Text, row: &u32| segment.texts[text as usize].code(*row as usize) != NULL;
    let strength = |row: &u32| {
        let principal = named(Text::Principal, row);
        match (named(Text::CredentialUid, row), named(Text::IssuedCredentialUid, row)) {
            (true, true) => Some("id_id"),
            (true, false) => Some("id_principal"),
            (false, true) if principal => Some("principal_id"),
            (false, false) if principal => Some("principal_principal"),
            (false, _) => None,
        }
    };
    let columns = vec![
        Pick::Text(Text::CredentialUid),
        Pick::Text(Text::IssuedCredentialUid),
        Pick::Text(Text::IssuedKind),
        Pick::Text(Text::Action),
        Pick::EventTime,
        Pick::ExpiresTime,
        Pick::Text(Text::IssuedTtlSource),
        Pick::Words(rows.iter().map(strength).collect()),
        Pick::Text(Text::Principal),
        Pick::Text(Text::Source),
        Pick::Text(Text::SourceScope),
        Pick::NativeUid,
    ];
    segment.pick(Table::Exchanges, rows, columns)
}

/// The rows of one category; of the further rows of a record those that say themselves what
/// was read or changed.
fn of_category<'a>(
    segment: &'a Segment,
    day: &'a Day<'_>,
    category: &str,
) -> impl Iterator<Item = u32> + 'a {
    let wanted = segment.texts[Text::Category as usize].find(category);
    let categories = day.codes(Text::Category);
    let has = |text: Text, place: usize| day.codes(text).at(place) != NULL;
    let says = move |place: usize| {
        !has(Text::RecordPart, place)
            || has(Text::TargetSecretId, place)
            || has(Text::TargetCredentialUid, place)
    };
    day.places().filter_map(move |(place, row)| {
        let is_it = Some(categories.at(place)) == wanted && says(place) && is_event(segment, row);
        is_it.then_some(row)
    })
}

fn secret_reads(segment: &Segment, rows: &[u32]) -> RecordBatch {
    let evidence = |row: &u32| {
        let named = || segment.text(Text::TargetVersion, *row as usize);
        let given = segment.text(Text::VersionEvidence, *row as usize);
        given.or_else(|| named().map(|_| "named in the event"))
    };
    let columns = vec![
        Pick::EventTime,
        Pick::Text(Text::TargetSecretId),
        Pick::Text(Text::TargetVersion),
        Pick::Words(rows.iter().map(evidence).collect()),
        Pick::Text(Text::CredentialUid),
        Pick::Text(Text::Outcome),
        Pick::Text(Text::Principal),
        Pick::Text(Text::Workload),
        Pick::Text(Text::SourceIp),
        Pick::Text(Text::Environment),
        Pick::Text(Text::Source),
        Pick::Text(Text::SourceScope),
        Pick::NativeUid,
    ];
    segment.pick(Table::SecretReads, rows, columns)
}

fn lifecycle(segment: &Segment, rows: &[u32]) -> RecordBatch {
    let columns = vec![
        Pick::EventTime,
        Pick::Text(Text::Action),
        Pick::Text(Text::TargetSecretId),
        Pick::Text(Text::TargetVersion),
        Pick::Text(Text::TargetCredentialUid),
        Pick::Text(Text::TargetKind),
        Pick::Text(Text::TargetState),
        Pick::Text(Text::Principal),
        Pick::Text(Text::Source),
        Pick::Text(Text::SourceScope),
        Pick::NativeUid,
    ];
    segment.pick(Table::Lifecycle, rows, columns)
}

fn credentials(segment: &Segment) -> Rows {
    let mut rows = Rows::new(Table::Credentials);
    let mut all: Vec<_> = segment.identifiers.iter().collect::<HashSet<_>>().into_iter().collect();
    all.sort_unstable_by(|a, b| {
        (&a.credential_uid, &a.kind, &a.scope).cmp(&(&b.credential_uid, &b.kind, &b.scope))
    });
    for it in all {
        rows.push(&[
            Value::Text(Some(&it.credential_uid)),
            Value::Text(Some(&it.kind)),
            Value::Text(Some(&it.scope)),
            Value::Text(it.value.as_deref()),
        ]);
    }
    rows
}

/// Events of a source and scope within an hour.
struct Hour {
    count: i64,
    first: i64,
    last: i64,
}

impl Default for Hour {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN }
    }
}

impl Hour {
    fn take(&mut self, time: i64) {
        self.count += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }
}

/// Event density: how many events of a source and scope fell into each hour, each by its
/// first row.
fn coverage(segment: &Segment) -> Rows {
    let source = &segment.texts[Text::Source as usize];
    let scope = &segment.texts[Text::SourceScope as usize];
    let parts = &segment.texts[Text::RecordPart as usize];
    let mut hours: BTreeMap<(u32, u32, i64), Hour> = BTreeMap::new();
    let of = |row: u32| (source.code(row as usize), scope.code(row as usize));
    let counts = |row: &u32| {
        segment.stands(*row) && is_event(segment, *row) && parts.code(*row as usize) == NULL
    };
    let mut counted = (0..segment.len() as u32).filter(counts).peekable();
    // In the order in which they came, most rows are of the hour of the one before.
    while let Some(first) = counted.next() {
        let time = |row: u32| segment.event_times[row as usize];
        let (key, hour) = (of(first), hour_of(time(first)));
        let is_same = |row: &u32| of(*row) == key && hour_of(time(*row)) == hour;
        let entry = hours.entry((key.0, key.1, hour)).or_default();
        entry.take(time(first));
        while let Some(row) = counted.next_if(is_same) {
            entry.take(time(row));
        }
    }
    let mut rows = Rows::new(Table::Coverage);
    for ((source_code, scope_code, hour), it) in hours {
        debug_assert_ne!(hour, NO_NUMBER);
        rows.push(&[
            Value::Text(source.value(source_code)),
            Value::Text(scope.value(scope_code)),
            Value::Number(hour),
            Value::Number(it.first),
            Value::Number(it.last),
            Value::Number(it.count),
            Value::Text(Some("events")),
        ]);
    }
    rows
}
