//! Usage: how often each credential was used in each hour, and in what way.

use arrow::array::RecordBatch;
use hashbrown::HashTable;
use lastuse_store::Table;

use super::hour_of;
use crate::coded::NULL;
use crate::day::{Day, DayCodes};
use crate::event::Text;
use crate::segment::{Pick, Segment};

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

/// An odd number without a pattern, to spread hashes with.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Rows of `usage`: one of the segment's rows for each, and what was counted.
#[derive(Default)]
pub(super) struct Usage {
    rows: Vec<u32>,
    hours: Vec<i64>,
    counts: Vec<i64>,
    first: Vec<i64>,
    last: Vec<i64>,
    work: Work,
}

/// What it takes to count a day; kept to reuse its memory.
#[derive(Default)]
struct Work {
    hashes: Vec<u64>,
    counted: Vec<Counted>,
    /// Places in `counted`, by hash.
    index: HashTable<u32>,
}

/// Rows of a day that are alike.
#[derive(Debug, Clone, Copy)]
struct Counted {
    hash: u64,
    /// Which of the runs of rows of one hour and credential they are in.
    run: u32,
    /// The place of the first of them among the day's rows.
    place: u32,
    hour: i64,
    count: i64,
    first: i64,
    last: i64,
}

impl Usage {
    /// Counts the rows of a day. Events that name no credential and no principal are evidence of
    /// coverage only; all others are counted.
    pub(super) fn add(&mut self, segment: &Segment, day: &Day<'_>) {
        // What all rows share tells none of them apart.
        let varying: Vec<&[u32]> = USAGE_KEY
            .iter()
            .filter_map(|text| match day.codes(*text) {
                DayCodes::Same(_) => None,
                DayCodes::Rows(codes) => Some(codes),
            })
            .collect();
        self.work.count(segment, day, &varying);
        let key = |place: u32| varying.iter().map(move |codes| codes[place as usize]);
        // Those of a run stand together; by time, and then by what tells them apart.
        for run in self.work.counted.chunk_by_mut(|a, b| a.run == b.run) {
            run.sort_unstable_by(|a, b| {
                a.first.cmp(&b.first).then_with(|| key(a.place).cmp(key(b.place)))
            });
        }
        let counted = &self.work.counted;
        self.rows.extend(counted.iter().map(|it| day.rows()[it.place as usize]));
        self.hours.extend(counted.iter().map(|it| it.hour));
        self.counts.extend(counted.iter().map(|it| it.count));
        self.first.extend(counted.iter().map(|it| it.first));
        self.last.extend(counted.iter().map(|it| it.last));
    }

    pub(super) fn finish(self, segment: &Segment) -> RecordBatch {
        let mut columns = vec![Pick::Times(self.hours)];
        columns.extend(USAGE_KEY.map(Pick::Text));
        columns.extend([
            Pick::Numbers(self.counts),
            Pick::Times(self.first),
            Pick::Times(self.last),
        ]);
        segment.pick(Table::Usage, &self.rows, columns)
    }
}

impl Work {
    fn count(&mut self, segment: &Segment, day: &Day<'_>, varying: &[&[u32]]) {
        self.hash(day.rows().len(), varying);
        self.counted.clear();
        self.index.clear();
        let attribution = day.codes(Text::Attribution);
        let none = segment.texts[Text::Attribution as usize].find("none").unwrap_or(NULL);
        let credentials = day.codes(Text::CredentialUid);
        let (mut run, mut last) = (0, None);
        for ((place, row), time) in day.places().zip(day.times()) {
            if none != NULL && attribution.at(place) == none {
                continue;
            }
            let hour = hour_of(*time);
            let here = Some((hour, credentials.at(place)));
            if here != last {
                (run, last) = (run + 1, here);
            }
            self.take(
                Counted {
                    hash: spread(self.hashes[place] ^ u64::from(run)),
                    run,
                    place: place as u32,
                    hour,
                    count: segment.event_counts.at(row as usize),
                    first: *time,
                    last: *time,
                },
                varying,
            );
        }
    }

    /// Hashes of what tells the rows apart, column by column.
    fn hash(&mut self, rows: usize, varying: &[&[u32]]) {
        self.hashes.clear();
        self.hashes.resize(rows, 0);
        for codes in varying {
            for (hash, code) in self.hashes.iter_mut().zip(*codes) {
                *hash = (hash.rotate_left(23) ^ u64::from(*code)).wrapping_mul(SPREAD);
            }
        }
    }

    fn take(&mut self, one: Counted, varying: &[&[u32]]) {
        let Self { counted, index, .. } = self;
        let is_same = |it: &u32| {
            let other = &counted[*it as usize];
            let (a, b) = (other.place as usize, one.place as usize);
            other.hash == one.hash
                && other.run == one.run
                && varying.iter().all(|it| it[a] == it[b])
        };
        match index.find(one.hash, is_same).copied() {
            Some(found) => {
                let it = &mut counted[found as usize];
                it.count += one.count;
                it.first = it.first.min(one.first);
                it.last = it.last.max(one.last);
            }
            None => {
                let new = counted.len() as u32;
                index.insert_unique(one.hash, new, |it| counted[*it as usize].hash);
                counted.push(one);
            }
        }
    }
}

fn spread(hash: u64) -> u64 {
    let product = u128::from(hash) * u128::from(SPREAD);
    (product >> 64) as u64 ^ product as u64
}
