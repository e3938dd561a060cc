//! Protect: no raw secret goes further than this.
//!
//! Columns whose names end in `_value` are replaced by fingerprints, and every
//! text that a log's writer could fill freely passes the redactor. What leaves
//! here may be sorted, spilled, written and shown.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;
use lastuse_sources::{Extracted, GroupRows};

use crate::clean::{Cleaner, GIVEN_ATTRIBUTION, Maker, default_of, makers};
use crate::coded::{Codes, Dictionary, NULL};
use crate::event::{Identifier, NO_NUMBER, Text, Texts};
use crate::memo::{Combinations, Fields, keyed};
use crate::normalize::{Column, NormalizeError, Normalizer, Part, Planned};

mod further;

use further::Further;

/// Rows of one chunk with nothing raw in them: first those that stand for a record each, then
/// the further ones that some of the records give.
#[derive(Debug)]
pub struct Protected {
    /// For each row, the extracted row it came from.
    pub rows: Vec<u32>,
    /// The text columns, by `Text as usize`: codes of the memo.
    pub texts: Vec<Codes>,
    /// Whose codes they are.
    pub memo: u64,
    /// Values, by `Text as usize`, that follow those that earlier chunks of the memo brought.
    pub values: Vec<Vec<Arc<str>>>,
    /// Memos whose codes will not come again.
    pub retired: Vec<u64>,
    /// The native event ids, redacted.
    pub native_uids: Texts,
    /// A keyed hash of source, scope, native id and part; 0 without native id.
    pub event_keys: Vec<u128>,
    /// Microseconds since 1970 or `NO_NUMBER`, as the next three.
    pub event_times: Vec<i64>,
    /// When the log says that it saw the event.
    pub observed_times: Vec<i64>,
    /// When an issued credential expires.
    pub expires_times: Vec<i64>,
    /// The part of an event that a record is, where it has several.
    pub stages: Vec<i64>,
    /// How many events a record stands for.
    pub event_counts: Vec<i64>,
    /// Identifiers that this worker had not met before.
    pub identifiers: Vec<Identifier>,
}

impl Protected {
    /// Whether a row is the first of its record, which stands for it in all counts.
    pub fn is_first(&self, row: usize) -> bool {
        self.texts[Text::RecordPart as usize].at(row) == NULL
    }
}

/// What stands for a whole input.
#[derive(Debug, Clone)]
pub struct InputFacts {
    /// The name of the source.
    pub source: String,
    /// The category of its events where its SQL names none.
    pub category: String,
    /// The scope where its SQL names none.
    pub scope: String,
    /// The identity of the file.
    pub file_uid: String,
}

/// How many values of a field, and combinations of a part, a memo keeps; past that these are
/// started afresh, and the others stay.
const MEMO_ENTRIES: usize = 1 << 16;
/// How many values text columns may have before the whole memo is started afresh.
const MEMO_WORDS: usize = 300_000;

/// In the order of strength, from the strongest.
const GRADES: [&str; 4] = ["exact", "derived", "principal", "none"];

/// Of each field, the group that it belongs to.
type Groups = Vec<Option<usize>>;

/// Normalizes rows, replaces identifiers by fingerprints and redacts free text. One per
/// worker thread: it remembers what it has worked out (raw values by keyed hash only).
pub struct Protector {
    cleaner: Cleaner,
    event_key: [u8; 16],
    /// By source and scope, and how the fields are read.
    memos: HashMap<(String, String, Groups), Memo>,
    retired: Vec<u64>,
}

impl Protector {
    /// A protector with the store's key. `event_key` makes the hashes of
    /// native ids, and is the same for all workers of a run.
    pub fn new(
        key: Arc<FingerprintKey>,
        redactor: Arc<Redactor>,
        event_key: [u8; 16],
        cache_key: [u8; 16],
    ) -> Self {
        let cleaner = Cleaner::new(key, redactor, cache_key);
        Self { cleaner, event_key, memos: HashMap::new(), retired: Vec::new() }
    }

    /// Normalizes and protects the rows of one chunk, whose first fields are those of the
    /// normalizer.
    pub fn protect(
        &mut self,
        normalizer: &Normalizer,
        mut extracted: Extracted,
        facts: &InputFacts,
    ) -> Result<Protected, NormalizeError> {
        extracted.fields.truncate(normalizer.fields().len());
        let groups: Groups = extracted.fields.iter().map(|it| it.group).collect();
        let name = (facts.source.clone(), facts.scope.clone(), groups);
        let mut memo = match self.memos.remove(&name) {
            Some(mut memo) if memo.word_count() < MEMO_WORDS => {
                memo.trim(normalizer);
                memo
            }
            old => {
                self.retired.extend(old.map(|it| it.id));
                Memo::new(normalizer, facts, &name.2, self.cleaner.cache_key())
            }
        };
        let chunk = ChunkFields::new(extracted);
        // A memo that was left in the middle is not taken up again.
        let mut protected =
            memo.protect(normalizer, chunk, facts, &mut self.cleaner, &self.event_key)?;
        self.memos.insert(name, memo);
        protected.identifiers = self.cleaner.take_identifiers();
        protected.retired = std::mem::take(&mut self.retired);
        Ok(protected)
    }
}

/// The fields of a chunk, and the numbers of their values as far as these were asked for.
struct ChunkFields {
    extracted: Extracted,
    numbers: Vec<Option<Codes>>,
}

impl ChunkFields {
    fn new(extracted: Extracted) -> Self {
        Self { numbers: vec![None; extracted.fields.len()], extracted }
    }

    fn rows(&self) -> usize {
        self.extracted.rows
    }

    fn kept(&self, kept: &[u32]) -> Self {
        let fields = self.extracted.fields.iter().zip(&self.numbers);
        let numbers = fields.map(|(field, numbers)| match field.group {
            Some(_) => numbers.clone(),
            None => numbers.as_ref().map(|it| it.picked(kept)),
        });
        Self { numbers: numbers.collect(), extracted: self.extracted.kept(kept) }
    }

    fn arrays(&self, fields: &[usize]) -> Vec<ArrayRef> {
        fields.iter().map(|it| Arc::new(self.extracted.array(*it)) as ArrayRef).collect()
    }

    /// Numbers the values of `wanted`, by record or by row of their group.
    fn number(&mut self, wanted: &[usize], fields: &mut Fields) {
        for field in wanted {
            let numbers = &mut self.numbers[*field];
            if numbers.is_none() {
                *numbers =
                    Some(fields.number(*field, self.extracted.fields[*field].texts.as_ref()));
            }
        }
    }

    /// Those numbers.
    fn numbers_of(&self, wanted: &[usize]) -> Vec<&Codes> {
        wanted.iter().filter_map(|it| self.numbers[*it].as_ref()).collect()
    }
}

/// What has been worked out for one source and scope.
struct Memo {
    id: u64,
    fields: Fields,
    first: FileMemo,
    further: Vec<FileMemo>,
    /// The values of text columns, by `Text as usize`; then those of `GIVEN_ATTRIBUTION`.
    words: Vec<Dictionary>,
    /// How many of the words were sent on.
    sent: Vec<usize>,
}

/// What has been worked out for one file of its SQL.
struct FileMemo {
    filter: Option<PartMemo>,
    parts: Vec<PartMemo>,
}

/// What it takes to work something out.
struct Tools<'a> {
    fields: &'a mut Fields,
    words: &'a mut [Dictionary],
    cleaner: &'a mut Cleaner,
    issuer: &'a str,
}

/// The combinations that a part's columns depend on, and what they make.
struct PartMemo {
    /// Its fields that are in no group.
    own: Vec<usize>,
    /// The others, by group: the combinations of their values have numbers of their own.
    grouped: Vec<(usize, Vec<usize>, Combinations)>,
    combinations: Combinations,
    makers: Vec<Maker>,
    /// For each maker and combination the codes that it made.
    made: Vec<Vec<u32>>,
}

impl PartMemo {
    fn new(part: &Part, facts: &InputFacts, groups: &[Option<usize>]) -> Self {
        let makers = makers(part, facts);
        let made = makers.iter().map(|_| Vec::new()).collect();
        let of = |group: Option<usize>| -> Vec<usize> {
            part.fields().iter().copied().filter(|it| groups[*it] == group).collect()
        };
        let named: BTreeSet<usize> = part.fields().iter().filter_map(|it| groups[*it]).collect();
        let grouped: Vec<_> = named
            .into_iter()
            .map(|group| {
                let fields = of(Some(group));
                let combinations = Combinations::new(fields.len());
                (group, fields, combinations)
            })
            .collect();
        let own = of(None);
        let combinations = Combinations::new(own.len() + grouped.len());
        Self { own, grouped, combinations, makers, made }
    }

    /// The combination of each row; what is new is evaluated, and its codes are made.
    fn combine(
        &mut self,
        part: &Part,
        chunk: &mut ChunkFields,
        tools: &mut Tools<'_>,
    ) -> Result<Codes, NormalizeError> {
        if chunk.rows() == 0 {
            return Ok(Codes::Same(NULL));
        }
        chunk.number(part.fields(), tools.fields);
        let of_groups: Vec<Codes> = self
            .grouped
            .iter_mut()
            .map(|(group, fields, combinations)| {
                let GroupRows { places, rows } = &chunk.extracted.groups[*group];
                let numbers = chunk.numbers_of(fields);
                combinations.number(&numbers, *rows, &mut Vec::new()).picked(places)
            })
            .collect();
        let mut numbers = chunk.numbers_of(&self.own);
        numbers.extend(&of_groups);
        let mut fresh = Vec::new();
        let found = self.combinations.number(&numbers, chunk.rows(), &mut fresh);
        if !fresh.is_empty() {
            self.make(part, chunk, &fresh, tools)?;
        }
        Ok(found)
    }

    /// Evaluates the rows `fresh`, whose combinations are new, and makes their codes.
    fn make(
        &mut self,
        part: &Part,
        chunk: &ChunkFields,
        fresh: &[u32],
        tools: &mut Tools<'_>,
    ) -> Result<(), NormalizeError> {
        let Tools { words, cleaner, issuer, .. } = tools;
        let picked = |it: &usize| Arc::new(chunk.extracted.picked(*it, fresh)) as ArrayRef;
        let columns = part.evaluate(part.fields().iter().map(picked).collect(), fresh.len())?;
        for (maker, made) in self.makers.iter().zip(&mut self.made) {
            let words = &mut words[maker.slot()];
            let codes =
                (0..fresh.len()).map(|row| cleaner.make(maker, &columns, row, words, issuer));
            made.extend(codes);
        }
        Ok(())
    }

    /// Whether it remembers more than it should.
    fn is_full(&self) -> bool {
        let mut all = self.grouped.iter().map(|it| &it.2).chain([&self.combinations]);
        all.any(|it| it.len() > MEMO_ENTRIES)
    }

    fn forget(&mut self) {
        self.combinations.forget();
        self.grouped.iter_mut().for_each(|it| it.2.forget());
        self.made.iter_mut().for_each(Vec::clear);
    }
}

impl FileMemo {
    fn new(planned: &Planned, facts: &InputFacts, groups: &[Option<usize>]) -> Self {
        let memo = |it: &Part| PartMemo::new(it, facts, groups);
        Self {
            filter: planned.filter().map(memo),
            parts: planned.parts().iter().map(memo).collect(),
        }
    }

    /// Forgets parts with very many combinations, and those of fields that were forgotten.
    fn trim(&mut self, planned: &Planned, forgotten: &[usize]) {
        let parts = planned.filter().into_iter().zip(&mut self.filter);
        for (part, memo) in parts.chain(planned.parts().iter().zip(&mut self.parts)) {
            let is_stale = part.fields().iter().any(|it| forgotten.contains(it));
            if is_stale || memo.is_full() {
                memo.forget();
            }
        }
    }

    /// The rows that the condition keeps; none if it keeps all.
    fn kept(
        &mut self,
        planned: &Planned,
        chunk: &mut ChunkFields,
        tools: &mut Tools<'_>,
    ) -> Result<Option<Vec<u32>>, NormalizeError> {
        let (Some(part), Some(memo)) = (planned.filter(), &mut self.filter) else {
            return Ok(None);
        };
        let found = memo.combine(part, chunk, tools)?;
        if chunk.rows() == 0 {
            return Ok(None);
        }
        let verdicts = &memo.made[0];
        let holds = |row: &u32| verdicts[found.at(*row as usize) as usize] == 1;
        if let Codes::Same(_) = found {
            return Ok(if holds(&0) { None } else { Some(Vec::new()) });
        }
        let kept: Vec<u32> = (0..chunk.rows() as u32).filter(holds).collect();
        Ok((kept.len() < chunk.rows()).then_some(kept))
    }

    /// Puts the columns that the SQL names in their places.
    fn fill(
        &mut self,
        planned: &Planned,
        chunk: &mut ChunkFields,
        tools: &mut Tools<'_>,
        texts: &mut [Codes],
    ) -> Result<(), NormalizeError> {
        for (part, memo) in planned.parts().iter().zip(&mut self.parts) {
            let found = memo.combine(part, chunk, tools)?;
            for (maker, made) in memo.makers.iter().zip(&memo.made) {
                texts[maker.slot()] = found.through(made);
            }
        }
        Ok(())
    }
}

impl Memo {
    fn new(
        normalizer: &Normalizer,
        facts: &InputFacts,
        groups: &[Option<usize>],
        key: [u8; 16],
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let further = normalizer.further().iter();
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            fields: Fields::new(key, normalizer.fields().len()),
            first: FileMemo::new(normalizer.first(), facts, groups),
            further: further.map(|it| FileMemo::new(&it.1, facts, groups)).collect(),
            words: (0..=GIVEN_ATTRIBUTION).map(|_| Dictionary::default()).collect(),
            sent: vec![0; Text::COUNT],
        }
    }

    fn word_count(&self) -> usize {
        self.words.iter().map(|it| it.values().len()).sum()
    }

    /// Forgets what hardly ever comes again: fields and parts with very many values.
    fn trim(&mut self, normalizer: &Normalizer) {
        let forgotten = self.fields.forget_above(MEMO_ENTRIES);
        self.first.trim(normalizer.first(), &forgotten);
        let further = normalizer.further().iter().zip(&mut self.further);
        further.for_each(|((_, planned), memo)| memo.trim(planned, &forgotten));
    }

    fn protect(
        &mut self,
        normalizer: &Normalizer,
        mut chunk: ChunkFields,
        facts: &InputFacts,
        cleaner: &mut Cleaner,
        event_key: &[u8; 16],
    ) -> Result<Protected, NormalizeError> {
        let mut protected = self.first(normalizer, &mut chunk, facts, cleaner, event_key)?;
        let Self { fields, further, words, .. } = self;
        let mut tools = Tools { fields, words, cleaner, issuer: &facts.scope };
        let mut rows = Further::new(event_key, &facts.source);
        for (file, memo) in normalizer.further().iter().zip(further) {
            rows.add(file, memo, &mut chunk, &mut tools, &mut protected)?;
        }
        protected.values = self.unsent();
        Ok(protected)
    }

    /// The first rows of the records; `chunk` is left with the fields of these.
    fn first(
        &mut self,
        normalizer: &Normalizer,
        chunk: &mut ChunkFields,
        facts: &InputFacts,
        cleaner: &mut Cleaner,
        event_key: &[u8; 16],
    ) -> Result<Protected, NormalizeError> {
        let planned = normalizer.first();
        let Self { fields, first, words, .. } = self;
        let mut tools = Tools { fields, words, cleaner, issuer: &facts.scope };
        let rows = match first.kept(planned, chunk, &mut tools)? {
            None => (0..chunk.rows() as u32).collect(),
            Some(kept) => {
                *chunk = chunk.kept(&kept);
                kept
            }
        };
        let mut texts = vec![Codes::Same(NULL); Text::COUNT + 1];
        for name in ["source_scope", "category", "outcome"] {
            if let (Some(text), Some(default)) = (Text::named(name), default_of(name, facts)) {
                texts[text as usize] = constant(tools.words, text, &default);
            }
        }
        first.fill(planned, chunk, &mut tools, &mut texts)?;
        texts[Text::Source as usize] = constant(words, Text::Source, &facts.source);
        texts[Text::FileUid as usize] = constant(words, Text::FileUid, &facts.file_uid);
        if let Some(field) = normalizer.row_number() {
            let numbers = chunk.extracted.array(field);
            let words = &mut words[Text::RecordPart as usize];
            let code = |it: Option<&str>| it.map_or(NULL, |number| words.intern(number));
            texts[Text::RecordPart as usize] = Codes::Rows(numbers.iter().map(code).collect());
        }
        texts[Text::Attribution as usize] = attribution(words, &texts, chunk.rows());
        texts.truncate(Text::COUNT);
        let (rows, repeated) = further::without_repetitions(rows, &mut texts, words, chunk);
        let part = planned.each();
        let columns = part.evaluate(chunk.arrays(part.fields()), chunk.rows())?;
        let column = |name: &str| part.position(name).map(|it| &columns[it]);
        let native = column("native_uid");
        let (native_uids, event_keys) =
            native_uids(native, &texts, words, facts, event_key, cleaner.redactor(), chunk.rows());
        let mut event_counts = numbers(column("event_count"), chunk.rows());
        repeated.iter().for_each(|row| event_counts[*row] = 0);
        Ok(Protected {
            rows,
            native_uids,
            event_keys,
            event_times: instants(column("event_time"), chunk.rows()),
            observed_times: instants(column("observed_time"), chunk.rows()),
            expires_times: instants(column("issued_expires_time"), chunk.rows()),
            stages: numbers(column("stage"), chunk.rows()),
            event_counts,
            identifiers: Vec::new(),
            texts,
            memo: self.id,
            values: Vec::new(),
            retired: Vec::new(),
        })
    }

    /// The values that no chunk brought yet.
    fn unsent(&mut self) -> Vec<Vec<Arc<str>>> {
        let words = self.words.iter().zip(&mut self.sent);
        words
            .map(|(words, sent)| {
                let values = words.values()[*sent..].to_vec();
                *sent += values.len();
                values
            })
            .collect()
    }
}

fn constant(words: &mut [Dictionary], text: Text, value: &str) -> Codes {
    Codes::Same(words[text as usize].intern(value))
}

/// `exact` where the log names a credential, `principal` where it names only
/// who, else `none`; what the SQL says wins, but never over a missing
/// credential, since `exact` without one would be a claim without evidence.
fn attribution(words: &mut [Dictionary], texts: &[Codes], rows: usize) -> Codes {
    let codes = GRADES.map(|it| words[Text::Attribution as usize].intern(it));
    let given: Vec<Option<usize>> = words[GIVEN_ATTRIBUTION]
        .values()
        .iter()
        .map(|it| GRADES.iter().position(|grade| *grade == &**it))
        .collect();
    let grade = |row: usize| {
        let named = texts[Text::CredentialUid as usize].at(row) != NULL;
        let known = texts[Text::Principal as usize].at(row) != NULL;
        let given = given.get(texts[GIVEN_ATTRIBUTION].at(row) as usize).copied().flatten();
        codes[match (given, named) {
            (Some(grade), true) => grade,
            (Some(grade), false) if grade >= 2 => grade,
            (None, true) => 0,
            _ => 3 - usize::from(known),
        }]
    };
    let asked = [Text::CredentialUid as usize, Text::Principal as usize, GIVEN_ATTRIBUTION];
    if asked.iter().all(|it| matches!(texts[*it], Codes::Same(_))) {
        return Codes::Same(grade(0));
    }
    Codes::Rows((0..rows).map(grade).collect())
}

fn native_uids(
    native: Option<&Column>,
    texts: &[Codes],
    words: &[Dictionary],
    facts: &InputFacts,
    event_key: &[u8; 16],
    redactor: &Redactor,
    rows: usize,
) -> (Texts, Vec<u128>) {
    let mut uids = Texts::default();
    let mut keys = Vec::with_capacity(rows);
    for row in 0..rows {
        let Some(value) = native.and_then(|it| it.text(row)) else {
            uids.push("");
            keys.push(0);
            continue;
        };
        let clean = match is_plain_id(value) {
            true => Cow::Borrowed(value),
            false => clean_id(value, event_key, redactor),
        };
        let text = |it: Text| words[it as usize].value(texts[it as usize].at(row));
        let (scope, part) = (text(Text::SourceScope).unwrap_or(""), text(Text::RecordPart));
        keys.push(self::event_key(event_key, &facts.source, scope, &clean, part));
        uids.push(&clean);
    }
    (uids, keys)
}

fn clean_id<'a>(value: &'a str, event_key: &[u8; 16], redactor: &Redactor) -> Cow<'a, str> {
    let Some((id, details)) = value.split_once(DETAILS) else { return redactor.redact(value) };
    let mut clean = if is_plain_id(id) { Cow::Borrowed(id) } else { redactor.redact(id) };
    clean.to_mut().push_str(&digest(event_key, details));
    clean
}

/// In a native id, what follows it tells records with one id apart and may be secret.
const DETAILS: char = '\u{1f}';

/// What stands for the details of a native id: 64 bits of a keyed hash, which tell nothing
/// of a secret among them.
fn digest(event_key: &[u8; 16], details: &str) -> String {
    format!(" #{:016x}", (keyed(event_key, &[details]) >> 64) as u64)
}

/// The keyed hash by which a row is known to have been read before: that of an event, or of
/// the further row `part` of one.
pub fn event_key(
    key: &[u8; 16],
    source: &str,
    scope: &str,
    native_uid: &str,
    part: Option<&str>,
) -> u128 {
    match part {
        None => keyed(key, &[source, scope, native_uid]),
        Some(part) => keyed(key, &[source, scope, native_uid, part]),
    }
}

/// Hexadecimal ids and UUIDs, which nearly all native ids are, cannot match a
/// rule of the redactor.
fn is_plain_id(value: &str) -> bool {
    value.len() <= 40 && value.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
}

fn array_of(column: Option<&Column>, count: usize) -> Option<ArrayRef> {
    match column? {
        Column::Rows(array) => Some(Arc::clone(array)),
        Column::Constant(Some(value)) => value.to_array_of_size(count).ok(),
        Column::Constant(None) => None,
    }
}

fn instants(column: Option<&Column>, count: usize) -> Vec<i64> {
    let Some(array) = array_of(column, count) else { return vec![NO_NUMBER; count] };
    array
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|it| it.unwrap_or(NO_NUMBER))
        .collect()
}

fn numbers(column: Option<&Column>, count: usize) -> Vec<i64> {
    let Some(array) = array_of(column, count) else { return vec![NO_NUMBER; count] };
    array.as_primitive::<Int64Type>().iter().map(|it| it.unwrap_or(NO_NUMBER)).collect()
}

#[cfg(test)]
mod tests;
