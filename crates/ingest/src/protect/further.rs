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
const NAMED: [&[Text]; 4] = [
    &[Text::CredentialUid],
    &[Text::IssuedCredentialUid],
    &[Text::TargetCredentialUid],
    &[Text::TargetSecretId, Text::TargetVersion],
];

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

    /// Adds the rows that one file of SQL gives. `chunk` has the fields of the first rows.
    pub(super) fn add(
        &mut self,
        (name, planned): &(String, Planned),
        memo: &mut FileMemo,
        chunk: &mut ChunkFields,
        tools: &mut Tools<'_>,
        protected: &mut Protected,
    ) -> Result<(), NormalizeError> {
        let kept = memo.kept(planned, chunk, tools)?;
        let firsts = kept.unwrap_or_else(|| (0..chunk.rows as u32).collect());
        if firsts.is_empty() {
            return Ok(());
        }
        let part = planned.each();
        let mut chunk = chunk.kept(&firsts).map_err(|it| part.failed(it))?;
        let mut texts = vec![Codes::Same(NULL); Text::COUNT + 1];
        let issues = planned.names("issued_credential_value");
        let is_own = |slot: usize| {
            let own = OWN.iter().chain(ISSUED.iter().filter(|_| issues));
            own.into_iter().any(|it| *it as usize == slot)
        };
        for (slot, codes) in protected.texts.iter().enumerate().filter(|it| !is_own(it.0)) {
            texts[slot] = codes.picked(&firsts);
        }
        memo.fill(planned, &mut chunk, tools, &mut texts)?;
        texts[Text::Attribution as usize] = attribution(tools.words, &texts, chunk.rows);
        let columns = part.evaluate(chunk.arrays(part.fields()), chunk.rows)?;
        let expires = part.position("issued_expires_time").map(|it| &columns[it]);
        let expires = (issues || expires.is_some()).then(|| instants(expires, chunk.rows));
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
            let again = self.has(protected, first, NAMED[0], &code);
            let mut codes: Vec<u32> = texts[..Text::COUNT].iter().map(|it| it.at(at)).collect();
            let event_key = self.name(name, first, &mut codes, tools.words, protected);
            self.rows.entry(first).or_default().push(protected.rows.len());
            protected.push_beside(first, &codes, event_key);
            let place = protected.rows.len() - 1;
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

    /// Says in `codes` which part of its record the row is; returns the key of the row.
    fn name(
        &self,
        name: &str,
        first: usize,
        codes: &mut [u32],
        words: &mut [Dictionary],
        protected: &Protected,
    ) -> u128 {
        let slot = Text::RecordPart as usize;
        let part = match words[slot].value(protected.texts[slot].at(first)) {
            Some(element) => format!("{element}/{name}"),
            None => name.to_owned(),
        };
        codes[slot] = words[slot].intern(&part);
        let scope = Text::SourceScope as usize;
        let scope = words[scope].value(codes[scope]).unwrap_or("");
        match protected.native_uids.get(first) {
            Some(native) => event_key(self.event_key, self.source, scope, native, Some(&part)),
            None => 0,
        }
    }
}

impl Protected {
    /// Appends a row that has all but its texts and its key from the row `first`.
    fn push_beside(&mut self, first: usize, codes: &[u32], event_key: u128) {
        let rows = self.rows.len();
        for (column, code) in self.texts.iter_mut().zip(codes) {
            column.push(rows, *code);
        }
        let native = self.native_uids.get(first).unwrap_or("").to_owned();
        self.native_uids.push(&native);
        self.event_keys.push(event_key);
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
