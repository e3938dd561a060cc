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
use crate::protect::{NO_NUMBER, Text};
use crate::rows::{Rows, Value};
use crate::segment::Segment;

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
    let tables = [
        usage(segment, order),
        exchanges(segment, &events),
        secret_reads(segment, &events),
        lifecycle(segment, &events),
        credentials(segment),
        coverage(segment, &events),
    ];
    tables.into_iter().filter_map(Rows::finish).collect()
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
    count: i64,
    first: i64,
    last: i64,
}

/// Events that name no credential and no principal are evidence of coverage
/// only; all others are counted.
fn usage(segment: &Segment, order: &[u32]) -> Rows {
    let mut rows = Rows::new(Table::Usage);
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
        let hour = time.div_euclid(MICROS_PER_HOUR) * MICROS_PER_HOUR;
        let key: UsageKey = USAGE_KEY.map(|text| segment.texts[text as usize].code(at));
        if (hour, key[0]) != place {
            settle(&mut open, last.take());
            flush_usage(segment, place.0, &mut open, &mut rows);
            place = (hour, key[0]);
        }
        let one = Counted { count: segment.event_counts[at], first: time, last: time };
        match &mut last {
            Some((before, counted)) if *before == key => merge(counted, one),
            _ => {
                settle(&mut open, last.take());
                last = Some((key, one));
            }
        }
    }
    settle(&mut open, last);
    flush_usage(segment, place.0, &mut open, &mut rows);
    rows
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

fn flush_usage(
    segment: &Segment,
    hour: i64,
    open: &mut HashMap<UsageKey, Counted>,
    rows: &mut Rows,
) {
    let mut all: Vec<_> = open.drain().collect();
    all.sort_unstable_by_key(|it| (it.1.first, it.0));
    for (key, counted) in all {
        let mut values = Vec::with_capacity(USAGE_KEY.len() + 4);
        values.push(Value::Number(hour));
        for (text, code) in USAGE_KEY.iter().zip(key) {
            values.push(Value::Text(segment.texts[*text as usize].value(code)));
        }
        values.push(Value::Number(counted.count));
        values.push(Value::Number(counted.first));
        values.push(Value::Number(counted.last));
        rows.push(&values);
    }
}

/// Reads the values of one event by name.
struct Event<'a> {
    segment: &'a Segment,
    row: usize,
}

impl<'a> Event<'a> {
    fn raw(&self, text: Text) -> Option<&'a str> {
        self.segment.text(text, self.row)
    }
    fn text(&self, text: Text) -> Value<'a> {
        Value::Text(self.raw(text))
    }
    fn time(&self) -> Value<'a> {
        Value::Number(self.segment.event_times[self.row])
    }
    fn native_uid(&self) -> Value<'a> {
        Value::Text(self.segment.native_uids.get(self.row))
    }
    fn succeeded(&self) -> bool {
        self.raw(Text::Outcome) == Some("success")
    }
}

fn events<'a>(segment: &'a Segment, order: &'a [u32]) -> impl Iterator<Item = Event<'a>> {
    order.iter().map(move |row| Event { segment, row: *row as usize })
}

/// Only what was obtained is an exchange: a refused one links nothing.
fn exchanges(segment: &Segment, order: &[u32]) -> Rows {
    let mut rows = Rows::new(Table::Exchanges);
    if segment.texts[Text::IssuedCredentialUid as usize].constant() == Some(NULL) {
        return rows;
    }
    for event in events(segment, order) {
        if event.raw(Text::IssuedCredentialUid).is_none() || !event.succeeded() {
            continue;
        }
        let strength = match (event.raw(Text::CredentialUid), event.raw(Text::Principal)) {
            (Some(_), _) => "id_id",
            _ => "principal_id",
        };
        rows.push(&[
            event.text(Text::CredentialUid),
            event.text(Text::IssuedCredentialUid),
            event.text(Text::IssuedKind),
            event.text(Text::Action),
            event.time(),
            Value::Number(segment.expires_times[event.row]),
            event.text(Text::IssuedTtlSource),
            Value::Text(Some(strength)),
            event.text(Text::Principal),
            event.text(Text::Source),
            event.text(Text::SourceScope),
            event.native_uid(),
        ]);
    }
    rows
}

fn secret_reads(segment: &Segment, order: &[u32]) -> Rows {
    let mut rows = Rows::new(Table::SecretReads);
    for event in events(segment, order) {
        if event.raw(Text::Category) != Some("secret_read") {
            continue;
        }
        let evidence = event
            .raw(Text::VersionEvidence)
            .or_else(|| event.raw(Text::TargetVersion).map(|_| "named in the event"));
        rows.push(&[
            event.time(),
            event.text(Text::TargetSecretId),
            event.text(Text::TargetVersion),
            Value::Text(evidence),
            event.text(Text::CredentialUid),
            event.text(Text::Outcome),
            event.text(Text::Principal),
            event.text(Text::Workload),
            event.text(Text::SourceIp),
            event.text(Text::Environment),
            event.text(Text::Source),
            event.text(Text::SourceScope),
            event.native_uid(),
        ]);
    }
    rows
}

fn lifecycle(segment: &Segment, order: &[u32]) -> Rows {
    let mut rows = Rows::new(Table::Lifecycle);
    for event in events(segment, order) {
        if event.raw(Text::Category) != Some("lifecycle") || !event.succeeded() {
            continue;
        }
        rows.push(&[
            event.time(),
            event.text(Text::Action),
            event.text(Text::TargetSecretId),
            event.text(Text::TargetVersion),
            event.text(Text::TargetCredentialUid),
            event.text(Text::TargetKind),
            event.text(Text::TargetState),
            event.text(Text::Principal),
            event.text(Text::Source),
            event.text(Text::SourceScope),
            event.native_uid(),
        ]);
    }
    rows
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

/// Event density: how many events of a source and scope fell into each hour.
fn coverage(segment: &Segment, order: &[u32]) -> Rows {
    let source = &segment.texts[Text::Source as usize];
    let scope = &segment.texts[Text::SourceScope as usize];
    let mut hours: BTreeMap<(u32, u32, i64), Counted> = BTreeMap::new();
    let mut last: Option<((u32, u32, i64), Counted)> = None;
    for row in order {
        let at = *row as usize;
        let time = segment.event_times[at];
        let hour = time.div_euclid(MICROS_PER_HOUR) * MICROS_PER_HOUR;
        let key = (source.code(at), scope.code(at), hour);
        let one = Counted { count: 1, first: time, last: time };
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
