//! Further rows: what a record shows beside what its first row says, such as a second
//! credential.
//!
//! A further row has the columns of its record's first row, but for those that its own SQL
//! names, and those that say what was presented and changed. It must name something that no
//! row of the record before it names; so its SQL may say where a credential stands without
//! asking whether the first row has it already. What the event obtained was obtained with
//! each of the credentials that it presented.

use std::collections::HashMap;

use super::{ChunkFields, FileMemo, Protected, Tools, attribution, event_key, instants};
use crate::coded::{Codes, Dictionary, NULL};
use crate::event::Text;
use crate::normalize::{NormalizeError, Planned};

/// What was presented and changed: each row of a record says it for itself.
const OWN: [Text; 10] = [
    Text::CredentialUid,
    Text::IdKind,
    Text::Attribution,
    Text::TargetSecretId,
    Text::TargetVersion,
    Text::VersionEvidence,
    Text::TargetCredentialUid,
    Text::TargetKind,
    Text::TargetState,
    Text::RecordPart,
];

/// What was obtained: that of the first row, unless the SQL names another.
const ISSUED: [Text; 3] = [Text::IssuedCredentialUid, Text::IssuedKind, Text::IssuedTtlSource];

/// What a row may name that others of its record do not.
const NAMED: [&[Text]; 5] = [
    &[Text::CredentialUid],
    &[Text::Principal],
    &[Text::IssuedCredentialUid],
    &[Text::TargetCredentialUid],
    &[Text::TargetSecretId, Text::TargetVersion],
];

/// Who presented what.
const PRESENTED: [Text; 2] = [Text::CredentialUid, Text::Principal];

/// The further rows of a chunk.
pub(super) struct Further<'a> {
    event_key: &'a [u8; 16],
    source: &'a str,
    /// Their places, by the first row of their record.
    rows: HashMap<usize, Vec<usize>>,
}

impl<'a> Further<'a> {
    pub(super) fn new(event_key: &'a [u8; 16], source: &'a str) -> Self {
        Self { event_key, source, rows: HashMap::new() }
    }

    /// Adds the rows that one file of SQL gives. `chunk` has the fields of the rows there are.
    pub(super) fn add(
        &mut self,
        (name, planned): &(String, Planned),
        memo: &mut FileMemo,
        chunk: &mut ChunkFields,
        tools: &mut Tools<'_>,
        protected: &mut Protected,
    ) -> Result<(), NormalizeError> {
        let kept = memo.kept(planned, chunk, tools)?;
        let mut firsts = kept.unwrap_or_else(|| (0..chunk.rows() as u32).collect());
        firsts.retain(|it| protected.is_first(*it as usize));
        if firsts.is_empty() {
            return Ok(());
        }
        let mut chunk = chunk.kept(&firsts);
        let (texts, expires) = columns(planned, memo, &mut chunk, tools, &firsts, protected)?;
        for (at, first) in firsts.into_iter().enumerate() {
            let first = first as usize;
            let code = |text: Text| texts[text as usize].at(at);
            let is_new = |slots: &&[Text]| {
                code(slots[0]) != NULL && !self.has(protected, first, slots, &code)
            };
            if !NAMED.iter().any(is_new) {
                continue;
            }
            // What presents a credential that the record presented before is no further attempt.
            let again = self.has(protected, first, &PRESENTED, &code);
            let mut codes: Vec<u32> = texts[..Text::COUNT].iter().map(|it| it.at(at)).collect();
            codes[Text::RecordPart as usize] = tools.words[Text::RecordPart as usize].intern(name);
            let place = protected.rows.len();
            self.rows.entry(first).or_default().push(place);
            protected.push_beside(first, &codes);
            protected.event_keys.push(self.key(name, place, tools.words, protected));
            if let Some(expires) = &expires {
                protected.expires_times[place] = expires[at];
            }
            if again {
                protected.event_counts[place] = 0;
            }
        }
        Ok(())
    }

    /// Whether some row of the record of the first row `first` has the same in all of `slots`.
    fn has(
        &self,
        protected: &Protected,
        first: usize,
        slots: &[Text],
        code: &impl Fn(Text) -> u32,
    ) -> bool {
        let further = self.rows.get(&first).map_or(&[][..], Vec::as_slice);
        let mut rows = std::iter::once(first).chain(further.iter().copied());
        rows.any(|row| slots.iter().all(|it| protected.texts[*it as usize].at(row) == code(*it)))
    }

    /// The key of the row at `place`, which is the part `name` of its record.
    fn key(&self, name: &str, place: usize, words: &[Dictionary], protected: &Protected) -> u128 {
        let scope = Text::SourceScope as usize;
        let scope = words[scope].value(protected.texts[scope].at(place)).unwrap_or("");
        let native = protected.native_uids.get(place);
        native.map_or(0, |it| event_key(self.event_key, self.source, scope, it, Some(name)))
    }
}

/// The text columns of the further rows beside the rows `firsts`, and until when what they
/// say was obtained is valid, if it is not what their first rows say.
fn columns(
    planned: &Planned,
    memo: &mut FileMemo,
    chunk: &mut ChunkFields,
    tools: &mut Tools<'_>,
    firsts: &[u32],
    protected: &Protected,
) -> Result<(Vec<Codes>, Option<Vec<i64>>), NormalizeError> {
    let mut texts = vec![Codes::Same(NULL); Text::COUNT + 1];
    let issues = planned.names("issued_credential_value");
    let is_own = |slot: usize| {
        let own = OWN.iter().chain(ISSUED.iter().filter(|_| issues));
        own.into_iter().any(|it| *it as usize == slot)
    };
    for (slot, codes) in protected.texts.iter().enumerate().filter(|it| !is_own(it.0)) {
        texts[slot] = codes.picked(firsts);
    }
    memo.fill(planned, chunk, tools, &mut texts)?;
    texts[Text::Attribution as usize] = attribution(tools.words, &texts, chunk.rows());
    let part = planned.each();
    let columns = part.evaluate(chunk.arrays(part.fields()), chunk.rows())?;
    let expires = part.position("issued_expires_time").map(|it| &columns[it]);
    let expires = (issues || expires.is_some()).then(|| instants(expires, chunk.rows()));
    Ok((texts, expires))
}

/// Of the rows that a list in a record gives, leaves out those that name nothing but what the
/// record's first row names; returns the rows that stay, and which of these present what the
/// first presents: they are no further attempts.
pub(super) fn without_repetitions(
    rows: Vec<u32>,
    texts: &mut [Codes],
    words: &[Dictionary],
    chunk: &mut ChunkFields,
) -> (Vec<u32>, Vec<usize>) {
    let part = Text::RecordPart as usize;
    if let Codes::Same(_) = texts[part] {
        return (rows, Vec::new());
    }
    let (mut kept, mut repeated) = (Vec::with_capacity(rows.len()), Vec::new());
    let mut first = None;
    for (row, raw) in rows.iter().enumerate() {
        let same = |slots: &[Text], other: usize| {
            let code = |it: &Text, row: usize| texts[*it as usize].at(row);
            slots.iter().all(|it| code(it, row) == code(it, other))
        };
        // The rows of a record follow its first one as they were read.
        let number = words[part].value(texts[part].at(row)).and_then(|it| it.parse::<u32>().ok());
        let first_raw = number.and_then(|it| raw.checked_sub(it.saturating_sub(1)));
        match (number, first) {
            (None, _) => first = Some(row),
            (Some(_), Some(first)) if first_raw == Some(rows[first]) => {
                let named = |slots: &&[Text]| texts[slots[0] as usize].at(row) != NULL;
                if !NAMED.iter().any(|it| named(it) && !same(it, first)) {
                    continue;
                }
                if same(&PRESENTED, first) {
                    repeated.push(kept.len());
                }
            }
            (Some(_), _) => {}
        }
        kept.push(row as u32);
    }
    if kept.len() == rows.len() {
        return (rows, repeated);
    }
    *chunk = chunk.kept(&kept);
    texts.iter_mut().for_each(|it| *it = it.picked(&kept));
    (kept.iter().map(|it| rows[*it as usize]).collect(), repeated)
}

impl Protected {
    /// Appends a row that has all but its texts from the row `first`; its key is still to come.
    fn push_beside(&mut self, first: usize, codes: &[u32]) {
        let rows = self.rows.len();
        for (column, code) in self.texts.iter_mut().zip(codes) {
            column.push(rows, *code);
        }
        let native = self.native_uids.get(first).unwrap_or("").to_owned();
        self.native_uids.push(&native);
        self.rows.push(self.rows[first]);
        for numbers in [
            &mut self.event_times,
            &mut self.observed_times,
            &mut self.expires_times,
            &mut self.stages,
            &mut self.event_counts,
        ] {
            numbers.push(numbers[first]);
        }
    }
}
