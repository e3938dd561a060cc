//! Redaction: secrets in free text become `[type:short fingerprint]`, so that they still join.
//!
//! Text is searched as it is and with its escapes undone (percent, JSON, HTML),
//! in base64 and in hexadecimal, for the shapes of `rules` and for the raw
//! values of the registry, which are known by fingerprint only. Most texts are
//! clean: one pass of a keyword automaton tells.
//!
//! What it cannot find: a secret of no known shape that no name announces and no
//! registry knows, a secret cut into pieces or with letters behind it, and encodings
//! other than these.

mod assign;
mod memo;
mod rules;
mod view;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::fingerprint::{CredentialUid, FingerprintKey};
use memo::Memo;
use rules::Compiled;
pub use rules::{Rule, rules};
use view::View;

/// Type that stands in the mark of a secret known from the registry.
pub const KNOWN_TYPE: &str = "secret";

/// Shortest token that is looked up among the known secrets, in bytes.
const SHORTEST_KNOWN: usize = 6;
/// Longest token that is looked up among the known secrets, in bytes.
const LONGEST_KNOWN: usize = 1024;
/// How many layers of percent, JSON and HTML escapes are undone.
const ESCAPE_LAYERS: u16 = 3;
/// How deep base64 and hexadecimal are looked into.
const ENCODING_DEPTH: u8 = 2;

/// Finds and replaces secrets in text. Cheap to clone; safe to share between threads.
#[derive(Clone)]
pub struct Redactor {
    key: FingerprintKey,
    known: Arc<HashSet<CredentialUid>>,
    clean: Arc<CleanMemos>,
}

/// Whole texts, and tokens, that hold no secret.
struct CleanMemos {
    texts: Memo,
    tokens: Memo,
}

/// How many clean texts and tokens are remembered, at eight bytes each.
const MEMO_SLOTS: usize = 8192;
/// Longer texts seldom repeat; in bytes.
const LONGEST_REMEMBERED: usize = 2048;

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor(****, {} known secrets)", self.known.len())
    }
}

/// A secret that was found, with its place in the text.
#[derive(Debug, Clone, Copy)]
struct Hit {
    start: usize,
    end: usize,
    /// Of several that overlap, the one with the lowest rank gives type and fingerprint.
    rank: u16,
    label: &'static str,
    uid: CredentialUid,
}

/// Rank of a known secret: nothing is more certain, however deep it was hidden.
const RANK_KNOWN: u16 = 0;
/// Added for each layer of escapes, and for each encoding, that hid the secret;
/// more than there are rules.
const RANK_LAYER: u16 = 100;

impl Redactor {
    /// Makes a redactor for the raw secrets whose fingerprints are known
    /// ([`ResolvedRegistry::secret_uids`](crate::registry::ResolvedRegistry::secret_uids)).
    pub fn new(key: FingerprintKey, known: impl IntoIterator<Item = CredentialUid>) -> Self {
        let clean = CleanMemos {
            texts: Memo::new(key.content(b"clean texts"), MEMO_SLOTS),
            tokens: Memo::new(key.content(b"clean tokens"), MEMO_SLOTS),
        };
        Self { key, known: Arc::new(known.into_iter().collect()), clean: Arc::new(clean) }
    }

    /// Returns the text with every secret that is found replaced by a mark.
    ///
    /// Give it whole records or fields: half a secret is not recognised.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if text.len() < SHORTEST_KNOWN {
            return Cow::Borrowed(text);
        }
        let mut hits = Vec::new();
        let mut search = || {
            self.collect(text.as_bytes(), 0, &mut hits);
            hits.is_empty()
        };
        let is_clean = if text.len() <= LONGEST_REMEMBERED {
            self.clean.texts.is_clean(text.as_bytes(), search)
        } else {
            search()
        };
        if is_clean {
            return Cow::Borrowed(text);
        }
        Cow::Owned(replace(text, hits))
    }

    /// True if the text holds a secret.
    pub fn finds(&self, text: &str) -> bool {
        matches!(self.redact(text), Cow::Owned(_))
    }

    /// Finds secrets in all layers of a text; places are those of the text as given.
    fn collect(&self, text: &[u8], depth: u8, hits: &mut Vec<Hit>) {
        let raw = View::plain(text);
        self.scan(&raw, 0, hits);
        let mut deepest = raw;
        for layer in 1..=ESCAPE_LAYERS {
            match deepest.unescape() {
                Some(view) => deepest = view,
                None => break,
            }
            self.scan(&deepest, layer, hits);
        }
        if depth < ENCODING_DEPTH {
            // Escapes never break a base64 run, so the deepest view shows them all.
            view::encoded_runs(&deepest, |start, end, decoded| {
                self.look_inside(&deepest, start..end, decoded, depth, hits);
            });
        }
    }

    /// A decoded run that holds a secret is replaced as a whole.
    fn look_inside(
        &self,
        view: &View<'_>,
        run: std::ops::Range<usize>,
        decoded: &[u8],
        depth: u8,
        hits: &mut Vec<Hit>,
    ) {
        let mut inner = Vec::new();
        self.collect(decoded, depth + 1, &mut inner);
        if let Some(best) = inner.iter().min_by_key(|it| (it.rank, it.start)) {
            let (start, end) = view.origin(run.start, run.end);
            let rank = match best.rank {
                RANK_KNOWN => RANK_KNOWN,
                rank => rank + (1 + ESCAPE_LAYERS) * RANK_LAYER,
            };
            hits.push(Hit { start, end, rank, ..*best });
        }
    }

    fn scan(&self, view: &View<'_>, layer: u16, hits: &mut Vec<Hit>) {
        let bytes = view.bytes();
        let rank = layer * RANK_LAYER;
        Compiled::get().find(bytes, |found| {
            let value = &bytes[found.start..found.end];
            let uid = match &found.decoded {
                Some(decoded) => self.key.secret(decoded),
                None => self.secret_in_text(value),
            };
            let (start, end) = view.origin(found.start, found.end);
            hits.push(Hit { start, end, rank: rank + found.rank, label: found.label, uid });
        });
        if !self.known.is_empty() {
            known_candidates(bytes, |start, end| {
                let token = &bytes[start..end];
                let mut known = None;
                self.clean.tokens.is_clean(token, || {
                    let mut starts = std::iter::once(0).chain(glued_starts(token));
                    known = starts.find_map(|at| {
                        let uid = self.key.secret(&token[at..]);
                        self.known.contains(&uid).then_some((start + at, uid))
                    });
                    known.is_none()
                });
                if let Some((start, uid)) = known {
                    let (start, end) = view.origin(start, end);
                    hits.push(Hit { start, end, rank: RANK_KNOWN, label: KNOWN_TYPE, uid });
                }
            });
        }
    }

    /// The secret that was meant, when it stands escaped as a value in a URL or in JSON.
    fn secret_in_text(&self, value: &[u8]) -> CredentialUid {
        match View::plain(value).unescape() {
            Some(plain) => self.key.secret(plain.bytes()),
            None => self.key.secret(value),
        }
    }
}

/// Writes the text with every group of overlapping hits replaced by one mark.
fn replace(text: &str, mut hits: Vec<Hit>) -> String {
    hits.sort_by_key(|it| (it.start, it.end));
    let mut clean = String::with_capacity(text.len());
    let mut written = 0;
    let mut hits = hits.into_iter().peekable();
    while let Some(mut hit) = hits.next() {
        while let Some(next) = hits.next_if(|it| it.start < hit.end) {
            let end = hit.end.max(next.end);
            if next.rank < hit.rank {
                hit = Hit { start: hit.start, ..next };
            }
            hit.end = end;
        }
        // Hits begin and end at ASCII bytes or at the text's ends; should one not,
        // more is hidden rather than less.
        let start = (0..=hit.start).rev().find(|it| text.is_char_boundary(*it));
        let end = (hit.end..=text.len()).find(|it| text.is_char_boundary(*it));
        let (start, end) = (start.unwrap_or(0).max(written), end.unwrap_or(text.len()));
        clean.push_str(&text[written..start]);
        clean.push('[');
        clean.push_str(hit.label);
        clean.push(':');
        clean.push_str(&hit.uid.short());
        clean.push(']');
        written = end.max(start);
    }
    clean.push_str(&text[written..]);
    clean
}

/// Bytes that end a token in any text.
fn ends_token(byte: u8) -> bool {
    byte <= b' '
        || matches!(
            byte,
            b'"' | b'\''
                | b'`'
                | b','
                | b';'
                | b'&'
                | b'<'
                | b'>'
                | b'('
                | b')'
                | b'{'
                | b'}'
                | b'['
                | b']'
                | b'|'
                | 0x7f
        )
}

/// Bytes that join a name and a value, or the parts of a path, but may also be part of a secret.
fn ends_part(byte: u8) -> bool {
    matches!(byte, b'=' | b':' | b'/' | b'?' | b'@' | b'#')
}

/// How many slashes of one token are looked at; an input made of slashes costs no more.
const SLASHES_MAX: usize = 16;

/// Calls back with each stretch of text that could be a whole known secret.
///
/// Those are tokens, what follows the first `=` or `:` in a token, the parts of a
/// token, and stretches of a path: a secret may hold `/`, `=` and `+`, as base64 does.
fn known_candidates(bytes: &[u8], mut look_up: impl FnMut(usize, usize)) {
    let mut offer = |start: usize, end: usize| {
        let end = end - usize::from(end > start && bytes[end - 1] == b'.');
        if could_be_secret(&bytes[start..end]) {
            look_up(start, end);
        }
    };
    let mut start = 0;
    while start < bytes.len() {
        if ends_token(bytes[start]) {
            start += 1;
            continue;
        }
        let length = bytes[start..].iter().position(|it| ends_token(*it));
        let end = length.map_or(bytes.len(), |it| start + it);
        offer(start, end);
        let mut from = start;
        let mut value_offered = false;
        for (at, byte) in (start..end).zip(&bytes[start..end]) {
            if !ends_part(*byte) {
                continue;
            }
            offer(from, at);
            from = at + 1;
            if !value_offered && matches!(byte, b'=' | b':') {
                value_offered = true;
                offer(from, end);
            }
        }
        if from > start {
            offer(from, end);
        }
        offer_stretches_of_path(bytes, start, end, &mut offer);
        start = end;
    }
}

/// Offers what stands between two slashes of a token that are not next to each
/// other: up to the end of the path whatever it is, else where it looks random.
fn offer_stretches_of_path(
    bytes: &[u8],
    start: usize,
    end: usize,
    offer: &mut impl FnMut(usize, usize),
) {
    let mut slashes = [0; SLASHES_MAX];
    let mut count = 0;
    for at in (start..end).filter(|it| bytes[*it] == b'/').take(SLASHES_MAX) {
        slashes[count] = at;
        count += 1;
    }
    let Some(first) = slashes[..count].first() else { return };
    let path = bytes[*first..end].iter().position(|it| matches!(it, b'?' | b'#'));
    let path_end = path.map_or(end, |it| first + it);
    for from in 0..=count {
        let begin = if from == 0 { start } else { slashes[from - 1] + 1 };
        for to in slashes[..count].iter().skip(from + 1) {
            if looks_random(&bytes[begin..*to]) {
                offer(begin, *to);
            }
        }
        if from > 0 && begin < path_end {
            offer(begin, path_end);
        }
    }
}

/// Small and capital letters and digits, as base64 has them and paths seldom do.
fn looks_random(text: &[u8]) -> bool {
    text.len() >= 16
        && text.iter().any(u8::is_ascii_uppercase)
        && text.iter().any(u8::is_ascii_lowercase)
        && text.iter().any(u8::is_ascii_digit)
}

/// Shortest known secret that is looked for behind letters, in bytes.
const SHORTEST_GLUED: usize = 16;
/// Each of so many first bytes of a token may end what stands before a secret.
const GLUE_BYTES: usize = 8;
/// How many ends of one token are looked up.
const GLUED_MAX: usize = 16;

/// Where in a token a known secret may begin behind letters, as in `/bot<TOKEN>/sendMessage`
/// and `key_<KEY>`: after each of the first bytes, then where letters, capitals, digits and
/// marks change. Nowhere in UUIDs and numbers, which are many and have no letters before
/// them, nor in what has no digit.
///
/// What it cannot find: a secret with letters behind it, and one behind a long word that
/// ends in the kind of character with which the secret begins.
fn glued_starts(token: &[u8]) -> impl Iterator<Item = usize> {
    let class = |it: u8| match it {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let is_id = token.iter().all(|it| it.is_ascii_hexdigit() || *it == b'-');
    let may_hide = !is_id && token.iter().any(u8::is_ascii_digit);
    let last = if may_hide { token.len().saturating_sub(SHORTEST_GLUED) } else { 0 };
    (1..=last)
        .filter(move |at| *at <= GLUE_BYTES || class(token[at - 1]) != class(token[*at]))
        .take(GLUED_MAX)
}

/// False for what is too short or plainly a word or a number; saves most look-ups.
fn could_be_secret(token: &[u8]) -> bool {
    if !(SHORTEST_KNOWN..=LONGEST_KNOWN).contains(&token.len()) {
        return false;
    }
    if token.len() < 12 && token[1..].iter().all(u8::is_ascii_lowercase) {
        return !token[0].is_ascii_alphabetic();
    }
    token.len() >= 10 || !token.iter().all(|it| it.is_ascii_digit() || *it == b'.')
}

#[cfg(test)]
mod tests;
