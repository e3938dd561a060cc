//! Derive: what follows from accepted events, so that reports need not read
//! them: usage per hour, exchanges, reads, lifecycle and coverage.
//!
//! It is computed from the very rows that are committed and reaches the store
//! in the same commit, so it can neither run ahead of the events nor lag.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::RecordBatch;
use lastuse_store::Table;

use crate::coded::NULL;
use crate::event::{NO_NUMBER, Text};
use crate::rows::{Rows, Value};
use crate::segment::{Pick, Segment};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// The parts of all derived tables for the rows `order` of a segment, which
/// are sorted by credential and time.
pub fn derive(segment: &Segment, order: &[u32]) -> Vec<(Table, RecordBatch)> {
    // Rows that take back a count are no events.
    let is_event = |row: &u32| segment.event_counts[*row as usize] >= 0;
    let events: Cow<'_, [u32]> = match order.iter().all(is_event) {
        true => order.into(),
        false => order.iter().copied().filter(is_event).collect(),
    };
    let picked = [
        (Table::Usage, usage(segment, order)),
        (Table::Exchanges, exchanges(segment, &events)),
        (Table::SecretReads, secret_reads(segment, &events)),
        (Table::Lifecycle, lifecycle(segment, &events)),
    ];
    let parts = &segment.texts[Text::RecordPart as usize];
    let records: Cow<'_, [u32]> = match parts.constant() {
        Some(NULL) => events,
        _ => events.iter().copied().filter(|it| parts.code(*it as usize) == NULL).collect(),
    };
    let counted = [credentials(segment), coverage(segment, &records)];
    let picked = picked.into_iter().filter(|it| it.1.num_rows() > 0);
    picked.chain(counted.into_iter().filter_map(Rows::finish)).collect()
}

/// The columns that, with the hour, tell one row of `usage` from another.
const USAGE_KEY: [Text; 15] = [
    Text::CredentialUid,
    Text::IdKind,
    Text::Attribution,
    Text::Outcome,
    Text::ViaService,
    Text::Source,
    Text::SourceScope,
    Text::Principal,
    Text::Workload,
    Text::WorkloadEvidence,
    Text::Instance,
    Text::SourceIp,
    Text::UserAgentProduct,
    Text::Account,
    Text::Environment,
];

type UsageKey = [u32; USAGE_KEY.len()];

#[derive(Clone, Copy)]
struct Counted {
    /// The first of the rows.
    row: u32,
    count: i64,
    first: i64,
    last: i64,
}

/// Rows of `usage`: one of the segment's rows for each, and what was counted.
#[derive(Default)]
struct UsageRows {
    rows: Vec<u32>,
    hours: Vec<i64>,
    counts: Vec<i64>,
    first: Vec<i64>,
    last: Vec<i64>,
}

/// Events that name no credential and no principal are evidence of coverage
/// only; all others are counted.
fn usage(segment: &Segment, order: &[u32]) -> RecordBatch {
    let mut usage = UsageRows::default();
    let none = segment.texts[Text::Attribution as usize]
        .values()
        .iter()
        .position(|it| &**it == "none")
        .map_or(NULL, |it| it as u32);
    let mut open: HashMap<UsageKey, Counted> = HashMap::new();
    let mut place = (i64::MIN, NULL);
    let mut last: Option<(UsageKey, Counted)> = None;
    for row in order {
        let at = *row as usize;
        if segment.texts[Text::Attribution as usize].code(at) == none && none != NULL {
            continue;
        }
        let time = segment.event_times[at];
        let hour = hour_of(time);
        let key: UsageKey = USAGE_KEY.map(|text| segment.texts[text as usize].code(at));
        if (hour, key[0]) != place {
            settle(&mut open, last.take());
            usage.take(place.0, &mut open);
            place = (hour, key[0]);
        }
        let one = Counted { row: *row, count: segment.event_counts[at], first: time, last: time };
        match &mut last {
            Some((before, counted)) if *before == key => merge(counted, one),
            _ => {
                settle(&mut open, last.take());
                last = Some((key, one));
            }
        }
    }
    settle(&mut open, last);
    usage.take(place.0, &mut open);
    let mut columns = vec![Pick::Times(usage.hours)];
    columns.extend(USAGE_KEY.map(Pick::Text));
    columns.extend([
        Pick::Numbers(usage.counts),
        Pick::Times(usage.first),
        Pick::Times(usage.last),
    ]);
    segment.pick(Table::Usage, &usage.rows, columns)
}

impl UsageRows {
    /// Takes the rows of one hour and credential.
    fn take(&mut self, hour: i64, open: &mut HashMap<UsageKey, Counted>) {
        let mut all: Vec<_> = open.drain().collect();
        all.sort_unstable_by_key(|it| (it.1.first, it.0));
        for (_, counted) in all {
            self.rows.push(counted.row);
            self.hours.push(hour);
            self.counts.push(counted.count);
            self.first.push(counted.first);
            self.last.push(counted.last);
        }
    }
}

fn hour_of(time: i64) -> i64 {
    time.div_euclid(MICROS_PER_HOUR) * MICROS_PER_HOUR
}

fn merge(counted: &mut Counted, other: Counted) {
    counted.count += other.count;
    counted.first = counted.first.min(other.first);
    counted.last = counted.last.max(other.last);
}

fn settle(open: &mut HashMap<UsageKey, Counted>, last: Option<(UsageKey, Counted)>) {
    if let Some((key, counted)) = last {
        open.entry(key).and_modify(|it| merge(it, counted)).or_insert(counted);
    }
}

fn succeeded(segment: &Segment, row: usize) -> bool {
    segment.text(Text::Outcome, row) == Some("success")
}

/// Only what was obtained is an exchange: a refused one links nothing.
///
/// What was obtained has a name in the log, or at least an end: Google says until when a
/// token lives, but not which one it is.
fn exchanges(segment: &Segment, events: &[u32]) -> RecordBatch {
    let issued = &segment.texts[Text::IssuedCredentialUid as usize];
    let is_obtained = |row: &u32| {
        let at = *row as usize;
        (issued.code(at) != NULL || segment.expires_times[at] != NO_NUMBER)
            && succeeded(segment, at)
    };
    let rows: Vec<u32> = match issued.constant() {
        Some(NULL) if segment.expires_times.iter().all(|it| *it == NO_NUMBER) => Vec::new(),
        _ => events.iter().copied().filter(is_obtained).collect(),
    };
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
    segment.pick(Table::Exchanges, &rows, columns)
}

/// The rows of one category; of the further rows of a record those that say themselves what
/// was read or changed.
fn of_category(segment: &Segment, events: &[u32], category: &str) -> Vec<u32> {
    let column = &segment.texts[Text::Category as usize];
    let has = |text: Text, row: u32| segment.texts[text as usize].code(row as usize) != NULL;
    let says = |row: u32| {
        !has(Text::RecordPart, row)
            || has(Text::TargetSecretId, row)
            || has(Text::TargetCredentialUid, row)
    };
    match column.values().iter().position(|it| &**it == category) {
        Some(code) => {
            let is_it = |row: &u32| column.code(*row as usize) == code as u32 && says(*row);
            events.iter().copied().filter(is_it).collect()
        }
        None => Vec::new(),
    }
}

fn secret_reads(segment: &Segment, events: &[u32]) -> RecordBatch {
    let rows = of_category(segment, events, "secret_read");
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
    segment.pick(Table::SecretReads, &rows, columns)
}

fn lifecycle(segment: &Segment, events: &[u32]) -> RecordBatch {
    let mut rows = of_category(segment, events, "lifecycle");
    rows.retain(|row| succeeded(segment, *row as usize));
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
    segment.pick(Table::Lifecycle, &rows, columns)
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

/// Event density: how many events of a source and scope fell into each hour, each by its
/// first row.
fn coverage(segment: &Segment, order: &[u32]) -> Rows {
    let source = &segment.texts[Text::Source as usize];
    let scope = &segment.texts[Text::SourceScope as usize];
    let mut hours: BTreeMap<(u32, u32, i64), Counted> = BTreeMap::new();
    let mut last: Option<((u32, u32, i64), Counted)> = None;
    for row in order {
        let at = *row as usize;
        let time = segment.event_times[at];
        let hour = hour_of(time);
        let key = (source.code(at), scope.code(at), hour);
        let one = Counted { row: *row, count: 1, first: time, last: time };
        match &mut last {
            Some((before, counted)) if *before == key => merge(counted, one),
            _ => {
                if let Some((key, counted)) = last.replace((key, one)) {
                    hours.entry(key).and_modify(|it| merge(it, counted)).or_insert(counted);
                }
            }
        }
    }
    if let Some((key, counted)) = last {
        hours.entry(key).and_modify(|it| merge(it, counted)).or_insert(counted);
    }
    let mut rows = Rows::new(Table::Coverage);
    for ((source_code, scope_code, hour), counted) in hours {
        debug_assert_ne!(hour, NO_NUMBER);
        rows.push(&[
            Value::Text(source.value(source_code)),
            Value::Text(scope.value(scope_code)),
            Value::Number(hour),
            Value::Number(counted.first),
            Value::Number(counted.last),
            Value::Number(counted.count),
            Value::Text(Some("events")),
        ]);
    }
    rows
}
