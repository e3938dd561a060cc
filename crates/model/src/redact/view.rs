//! Text seen through its encodings, with the way back to the text as written.

use std::borrow::Cow;

/// Bytes, and for each of them where it stood in the text as written.
pub(super) struct View<'a> {
    bytes: Cow<'a, [u8]>,
    /// Start of the origin of each byte, and one more for the end; none if they are the same.
    origins: Option<Vec<u32>>,
}

impl<'a> View<'a> {
    /// The text as it is.
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes: Cow::Borrowed(bytes), origins: None }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a stretch of this view stood in the text as written.
    pub(super) fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        match &self.origins {
            None => (start, end),
            Some(origins) => (origins[start] as usize, origins[end] as usize),
        }
    }

    /// Undoes one layer of percent, JSON and HTML escapes; None if there are none.
    ///
    /// All at once, because a text may mix them, and because undoing too much
    /// only finds more: the replacement is made in the text as written.
    pub(super) fn unescape(&self) -> Option<View<'a>> {
        let bytes = self.bytes();
        let first = bytes.iter().position(|it| is_escape_start(*it))?;
        if u32::try_from(bytes.len()).is_err() {
            return None;
        }
        let mut clear = Vec::with_capacity(bytes.len());
        let mut origins = Vec::with_capacity(bytes.len() + 1);
        clear.extend_from_slice(&bytes[..first]);
        origins.extend((0..first).map(|it| it as u32));
        let mut at = first;
        let mut changed = false;
        while at < bytes.len() {
            let escape = if is_escape_start(bytes[at]) { read_escape(&bytes[at..]) } else { None };
            match escape {
                Some((length, character)) => {
                    changed = true;
                    push(character, &mut clear);
                    origins.resize(clear.len(), at as u32);
                    at += length;
                }
                None => {
                    clear.push(bytes[at]);
                    origins.push(at as u32);
                    at += 1;
                }
            }
        }
        if !changed {
            return None;
        }
        origins.push(at as u32);
        if let Some(outer) = &self.origins {
            for origin in &mut origins {
                *origin = outer[*origin as usize];
            }
        }
        Some(View { bytes: Cow::Owned(clear), origins: Some(origins) })
    }
}

/// What an escape stands for.
enum Unescaped {
    Byte(u8),
    Character(char),
    Nothing,
}

fn push(unescaped: Unescaped, clear: &mut Vec<u8>) {
    match unescaped {
        Unescaped::Byte(byte) => clear.push(byte),
        Unescaped::Character(character) => {
            clear.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Unescaped::Nothing => {}
    }
}

fn is_escape_start(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&' | 0)
}

/// Reads the escape at the start, if there is one: its length and what it stands for.
fn read_escape(bytes: &[u8]) -> Option<(usize, Unescaped)> {
    match bytes[0] {
        // UTF-16 that was read as bytes.
        0 => Some((1, Unescaped::Nothing)),
        b'%' => hex_byte(bytes, 1).map(|it| (3, Unescaped::Byte(it))),
        b'\\' => backslash(bytes),
        _ => entity(bytes),
    }
}

fn backslash(bytes: &[u8]) -> Option<(usize, Unescaped)> {
    let plain = match bytes.get(1)? {
        b'u' => {
            let code = u32::from(hex_byte(bytes, 2)?) << 8 | u32::from(hex_byte(bytes, 4)?);
            // Halves of surrogate pairs are no part of any secret's shape.
            let character = char::from_u32(code).unwrap_or('\u{fffd}');
            return Some((6, Unescaped::Character(character)));
        }
        b'x' => return hex_byte(bytes, 2).map(|it| (4, Unescaped::Byte(it))),
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' | b'f' => b' ',
        byte @ (b'"' | b'\'' | b'\\' | b'/' | b'=' | b'&') => *byte,
        _ => return None,
    };
    Some((2, Unescaped::Byte(plain)))
}

fn entity(bytes: &[u8]) -> Option<(usize, Unescaped)> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"&amp;", b'&'), (b"&quot;", b'"'), (b"&apos;", b'\''), (b"&lt;", b'<'), (b"&gt;", b'>')];
    if let Some((name, byte)) = NAMES.iter().find(|it| bytes.starts_with(it.0)) {
        return Some((name.len(), Unescaped::Byte(*byte)));
    }
    let digits = bytes.strip_prefix(b"&#")?;
    let (prefix, radix) = match digits.first()? {
        b'x' | b'X' => (1, 16),
        _ => (0, 10),
    };
    let end = digits.iter().take(9).position(|it| *it == b';')?;
    let text = std::str::from_utf8(digits.get(prefix..end)?).ok()?;
    let character = char::from_u32(u32::from_str_radix(text, radix).ok()?)?;
    Some((end + 3, Unescaped::Character(character)))
}

fn hex_byte(bytes: &[u8], at: usize) -> Option<u8> {
    let pair = bytes.get(at..at + 2)?;
    Some(nibble(pair[0])? << 4 | nibble(pair[1])?)
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Shortest run of base64 characters that is looked into.
const SHORTEST_RUN: usize = 12;
/// How many groups of four in a row must decode to ASCII.
const ASCII_QUADS: usize = 3;
/// Shortest text in hexadecimal that is looked into, in bytes.
const SHORTEST_HEX: usize = 8;

/// Value of each character in either base64 alphabet; 0xff for all others.
const BASE64_VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut index = 0;
    while index < 26 {
        values[b'A' as usize + index] = index as u8;
        values[b'a' as usize + index] = index as u8 + 26;
        index += 1;
    }
    index = 0;
    while index < 10 {
        values[b'0' as usize + index] = index as u8 + 52;
        index += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
};

/// The character may stand in base64.
const IN_BASE64: u8 = 1;
/// As first, second or third of a group of four it lets the group be ASCII.
const ASCII_AT: [u8; 3] = [2, 4, 8];
/// It is a hexadecimal digit.
const HEX: u8 = 16;
/// As the first digit of a byte it makes the byte printable ASCII.
const PRINTABLE_HEX: u8 = 32;

/// What each character can be part of: one look-up answers all questions of [`may_hide_text`].
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = BASE64_VALUES[byte];
        if value != 0xff {
            classes[byte] |= IN_BASE64;
            classes[byte] |= if value & 0x20 == 0 { ASCII_AT[0] } else { 0 };
            classes[byte] |= if value & 0x08 == 0 { ASCII_AT[1] } else { 0 };
            classes[byte] |= if value & 0x02 == 0 { ASCII_AT[2] } else { 0 };
        }
        if (byte as u8).is_ascii_hexdigit() {
            classes[byte] |= HEX;
        }
        if byte >= b'2' as usize && byte <= b'7' as usize {
            classes[byte] |= PRINTABLE_HEX;
        }
        byte += 1;
    }
    classes
};

/// Calls back with each run of base64 or hexadecimal characters in which text is
/// hidden: where the run begins and ends, and the text.
///
/// A run may begin anywhere in a group of four, since text may stand directly
/// before it; so all four alignments are tried. Random identifiers, hashes and
/// paths fall out early: hidden ASCII leaves a bit in each character clear.
pub(super) fn encoded_runs(view: &View<'_>, mut found: impl FnMut(usize, usize, &[u8])) {
    let bytes = view.bytes();
    let in_run = |it: u8| CLASSES[usize::from(it)] & IN_BASE64 != 0;
    let mut start = 0;
    while start < bytes.len() {
        let length = bytes[start..].iter().take_while(|it| in_run(**it)).count();
        let run = &bytes[start..start + length];
        start += length;
        if length >= SHORTEST_RUN && may_hide_text(run) {
            let rest = bytes[start..].iter().take(2);
            let end = start + rest.take_while(|it| **it == b'=').count();
            let begin = start - length;
            base64_texts(run, |text| found(begin, end, text));
            base64_between_slashes(run, |text| found(begin, end, text));
            hex_texts(run, |text| found(begin, end, text));
        }
        start += 1;
    }
}

/// Whether enough ASCII in a row could stand behind a run, at any alignment; one quick pass.
fn may_hide_text(run: &[u8]) -> bool {
    let class = |at: usize| CLASSES[usize::from(run[at])];
    let mut quads = [0; 4];
    let mut pairs = [0; 2];
    for at in 0..run.len() - 2 {
        let quad = &mut quads[at % 4];
        let is_ascii = class(at) & ASCII_AT[0] != 0
            && class(at + 1) & ASCII_AT[1] != 0
            && class(at + 2) & ASCII_AT[2] != 0;
        *quad = if is_ascii { *quad + 1 } else { 0 };
        let pair = &mut pairs[at % 2];
        let is_printable = class(at) & PRINTABLE_HEX != 0 && class(at + 1) & HEX != 0;
        *pair = if is_printable { *pair + 1 } else { 0 };
        if *quad >= ASCII_QUADS || *pair >= SHORTEST_HEX - 1 {
            return true;
        }
    }
    false
}

fn base64_texts(run: &[u8], mut found: impl FnMut(&[u8])) {
    for alignment in 0..4.min(run.len()) {
        let aligned = &run[alignment..];
        let mut first = None;
        let quads = aligned.chunks_exact(4);
        let count = quads.len();
        for (index, quad) in quads.enumerate() {
            if is_ascii_quad(quad) {
                first.get_or_insert(index);
                continue;
            }
            if let Some(from) = first.take()
                && index - from >= ASCII_QUADS
            {
                decode(aligned, from, index + 1, &mut found);
            }
        }
        if let Some(from) = first
            && count - from >= ASCII_QUADS
        {
            decode(aligned, from, count + 1, &mut found);
        }
    }
}

/// How many slashes of a run are looked behind; an input made of slashes costs no more.
const SLASHES_MAX: usize = 32;

/// Texts that begin or end right at a slash, exactly: what stands beyond it may be
/// part of a path, and would hide where a secret of no known shape begins or ends.
fn base64_between_slashes(run: &[u8], mut found: impl FnMut(&[u8])) {
    let slashes = run.iter().enumerate().filter(|it| *it.1 == b'/').map(|it| it.0);
    let slashes: Vec<usize> = slashes.take(SLASHES_MAX).collect();
    let starts = std::iter::once(0).chain(slashes.iter().map(|it| it + 1));
    for start in starts {
        let from = &run[start..];
        let quads = from.chunks_exact(4).take_while(|it| is_ascii_quad(it)).count();
        if quads < ASCII_QUADS {
            continue;
        }
        if start > 0 {
            decode(from, 0, quads + 1, &mut found);
        }
        let ends = slashes.iter().filter_map(|it| it.checked_sub(start));
        for end in ends.filter(|it| *it >= SHORTEST_RUN && *it <= (quads + 1) * 4) {
            decode(&from[..end], 0, quads + 1, &mut found);
        }
    }
}

/// True if all three bytes of a group are below 128.
fn is_ascii_quad(quad: &[u8]) -> bool {
    let value = |at: usize| BASE64_VALUES[usize::from(quad[at])];
    value(0) & 0x20 == 0 && value(1) & 0x08 == 0 && value(2) & 0x02 == 0
}

/// Decodes groups, and one on either side: it may hold a byte of the secret beside one that is not ASCII.
fn decode(aligned: &[u8], from: usize, to: usize, found: &mut impl FnMut(&[u8])) {
    let characters = &aligned[from.saturating_sub(1) * 4..aligned.len().min(to * 4)];
    let mut text = Vec::with_capacity(characters.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for character in characters {
        bits = bits << 6 | u32::from(BASE64_VALUES[usize::from(*character)]);
        count += 6;
        if count >= 8 {
            count -= 8;
            text.push((bits >> count) as u8);
        }
    }
    found(&text);
}

fn hex_texts(run: &[u8], mut found: impl FnMut(&[u8])) {
    for alignment in 0..2 {
        let mut text = Vec::new();
        for pair in run[alignment..].chunks_exact(2) {
            match hex_byte(pair, 0) {
                Some(byte @ (0x20..=0x7e | b'\n' | b'\r' | b'\t')) => text.push(byte),
                _ => {
                    if text.len() >= SHORTEST_HEX {
                        found(&text);
                    }
                    text.clear();
                }
            }
        }
        if text.len() >= SHORTEST_HEX {
            found(&text);
        }
    }
}
