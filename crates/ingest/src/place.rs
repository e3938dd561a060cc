//! Place: whether an input is one that was read before, and where that reading ended.

use std::fs::File;
use std::io::{self, Read};
use std::sync::PoisonError;

use lastuse_sources::{DecodeError, Decoder, decode};

use crate::discover::Input;
use crate::files::{FileState, WINDOW, hash_text};
use crate::open::open_file;
use crate::worker::{Nothing, Shared, chain};

/// Bytes that are compared at once.
const PIECE: usize = 64 << 10;

/// Where reading starts.
pub(crate) struct Place {
    pub(crate) decoder: Decoder,
    pub(crate) known: Option<FileState>,
    /// The bytes before it.
    pub(crate) tail: Vec<u8>,
}

/// Opens an input at its start.
pub(crate) fn open(shared: &Shared<'_>, input: &Input) -> Result<Decoder, Nothing> {
    let failed = |it: &dyn std::error::Error| Nothing::Failed(chain(it));
    let opened = if is_stdin(input) {
        decode(Box::new(io::stdin()), None, &shared.limits)
    } else {
        let file = File::open(&input.path).map_err(|it| failed(&it))?;
        open_file(file, input.size_bytes, &shared.limits)
    };
    opened.map_err(|it| failed(&it))
}

fn is_stdin(input: &Input) -> bool {
    input.path.as_os_str() == "-"
}

/// Whether an input of this run may be that file: what is said to be of another scope is another
/// host's or cluster's log, whatever it holds.
pub(crate) fn may_be_the_same(shared: &Shared<'_>, state: &FileState) -> bool {
    shared.scope.as_ref().is_none_or(|it| *it == state.scope)
}

/// Goes to where the reading of the input ended, if it was read before.
pub(crate) fn find_place(
    shared: &Shared<'_>,
    input: &Input,
    decoder: Decoder,
    head: &[u8],
) -> Result<Place, Nothing> {
    let mut candidates = {
        let known = shared.known.read().unwrap_or_else(PoisonError::into_inner);
        known.with_head(&shared.key, head)
    };
    candidates.retain(|it| may_be_the_same(shared, it));
    let mut decoder = decoder;
    let mut longer = Vec::new();
    for candidate in candidates {
        let end = candidate.resume.offset;
        let (reached, tail) = go_to(&mut decoder, end).map_err(|it| Nothing::Failed(chain(&it)))?;
        if reached == end && candidate.tail_hash.as_ref() == Some(&hash_text(&shared.key, &tail)) {
            let at_end = decoder.head(1).is_ok_and(|it| it.0.is_empty());
            if at_end && candidate.complete {
                return Err(Nothing::AlreadyRead(Some(candidate.file_uid)));
            }
            return Ok(Place { decoder, known: Some(candidate), tail });
        }
        if is_stdin(input) {
            let why = "it begins like a log that was read before and goes on differently; it can be \
                       read from a file";
            return Err(Nothing::Failed(why.to_owned()));
        }
        if reached < end {
            longer.push(candidate);
        }
        decoder = open(shared, input)?;
    }
    // All that an earlier copy of a log holds was read from the log. Only that log can tell: what
    // begins alike may go on differently, and would be lost.
    match longer.into_iter().find(|it| is_beginning(shared, input, it)) {
        Some(whole) => Err(Nothing::AlreadyRead(Some(whole.file_uid))),
        None => Ok(Place { decoder, known: None, tail: Vec::new() }),
    }
}

/// Whether all that the input holds is the beginning of a longer file, which is still where it
/// was read and as it was read.
fn is_beginning(shared: &Shared<'_>, input: &Input, whole: &FileState) -> bool {
    let Ok(metadata) = std::fs::metadata(&whole.path) else { return false };
    let path = whole.path.clone();
    let at = Input { path, size_bytes: metadata.len(), ..input.clone() };
    let unchanged = || -> Option<bool> {
        let (reached, tail) = go_to(&mut open(shared, &at).ok()?, whole.resume.offset).ok()?;
        let hash = hash_text(&shared.key, &tail);
        Some(reached == whole.resume.offset && whole.tail_hash == Some(hash))
    };
    let begins = || same_beginning(open(shared, input).ok()?, open(shared, &at).ok()?).ok();
    at.path != input.path && unchanged() == Some(true) && begins() == Some(true)
}

/// Whether `whole` begins with all of `part`.
fn same_beginning(mut part: impl Read, mut whole: impl Read) -> io::Result<bool> {
    let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let length = part.read(&mut a)?;
        if length == 0 {
            return Ok(true);
        }
        match whole.read_exact(&mut b[..length]) {
            Ok(()) if a[..length] == b[..length] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Reads on to `end`; how far it got, and the last bytes before.
fn go_to(decoder: &mut Decoder, end: u64) -> Result<(u64, Vec<u8>), DecodeError> {
    let window = end.min(WINDOW as u64);
    let skipped = decoder.skip(end - window)?;
    let mut tail = Vec::with_capacity(WINDOW);
    decoder.by_ref().take(window).read_to_end(&mut tail).map_err(DecodeError::Read)?;
    Ok((skipped + tail.len() as u64, tail))
}

#[cfg(test)]
mod tests {
    use super::same_beginning;

    #[test]
    fn a_copy_that_differs_anywhere_is_no_beginning() {
        let whole = vec![7u8; 200_000];
        let same = |part: &[u8]| same_beginning(part, whole.as_slice()).unwrap();
        assert!(same(&whole[..150_000]) && same(&whole) && same(&[]));
        let mut other = whole[..150_000].to_vec();
        other[70_000] = 8;
        assert!(!same(&other) && !same(&[whole.as_slice(), &[7]].concat()));
    }
}
