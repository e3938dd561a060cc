//! What `decode` promises.

use std::io::{self, Cursor, Read, Write};

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Text that does not compress to nothing.
fn text(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"0123456789abcdef\n "[(state >> 24) as usize % 18]
    };
    (0..length).map(|_| next()).collect()
}

fn open(bytes: &[u8], hint: bool, limits: &Limits) -> Decoder {
    decode(Box::new(Cursor::new(bytes.to_vec())), hint.then_some(bytes.len() as u64), limits)
        .unwrap()
}

/// What comes out, and the fault that ends it, the same whether read as a whole or as a
/// stream, in small pieces or large ones.
fn all(bytes: &[u8], limits: &Limits) -> (Vec<u8>, Option<String>) {
    let mut outcomes = Vec::new();
    for hint in [true, false] {
        for piece in [1 << 20, 777] {
            let mut decoder = open(bytes, hint, limits);
            let mut out = Vec::new();
            let mut fault = None;
            loop {
                let wanted = out.len() + piece;
                let outcome = decoder.fill(&mut out, wanted);
                fault = fault.or(outcome.err().map(|it| it.to_string()));
                if out.len() < wanted || fault.is_some() {
                    break;
                }
            }
            outcomes.push((out, fault));
        }
    }
    for other in &outcomes[1..] {
        assert_eq!(outcomes[0].1, other.1);
        assert!(outcomes[0].0 == other.0, "{} and {} bytes", outcomes[0].0.len(), other.0.len());
    }
    outcomes.swap_remove(0)
}

#[test]
fn plain_bytes_come_as_they_are() {
    assert_eq!(all(b"a\nb", &Limits::default()), (b"a\nb".to_vec(), None));
    assert_eq!(all(b"", &Limits::default()), (Vec::new(), None));
    assert_eq!(all(b"\x1f\x8b", &Limits::default()), (b"\x1f\x8b".to_vec(), None));
    let long = text(300_000);
    assert_eq!(all(&long, &Limits::default()), (long, None));
}

#[test]
fn every_member_of_a_gzip_file_is_read() {
    let (a, b) = (text(100_000), text(7));
    let bytes = [gzip(&a), gzip(&b), gzip(b""), gzip(&a)].concat();
    let (out, fault) = all(&bytes, &Limits::default());
    assert!(out == [&a[..], &b, &a].concat());
    assert_eq!(fault, None);
}

#[test]
fn equal_members_are_each_read() {
    let member = gzip(b"the same line\n");
    let (out, fault) = all(&member.repeat(5), &Limits::default());
    assert_eq!((out, fault), (b"the same line\n".repeat(5), None));
}

#[test]
fn every_frame_of_a_zstd_file_is_read() {
    let bytes = [zstd(b"one\n"), zstd(b"two\n")].concat();
    assert_eq!(all(&bytes, &Limits::default()), (b"one\ntwo\n".to_vec(), None));
}

#[test]
fn a_truncated_gzip_gives_all_that_decodes_and_then_a_fault() {
    let whole = text(200_000);
    let mut bytes = gzip(&whole);
    bytes.truncate(bytes.len() / 2);
    let (out, fault) = all(&bytes, &Limits::default());
    assert!(whole.starts_with(&out) && out.len() > 80_000, "{}", out.len());
    assert_eq!(fault.as_deref(), Some("the gzip data ends early"));
}

#[test]
fn a_gzip_cut_anywhere_never_passes_for_whole() {
    let whole = text(500);
    let bytes = gzip(&whole);
    for cut in 3..bytes.len() {
        let (out, fault) = all(&bytes[..cut], &Limits::default());
        assert!(whole.starts_with(&out), "cut at {cut}");
        assert!(fault.is_some(), "cut at {cut}");
    }
}

#[test]
fn a_truncated_zstd_gives_what_decodes_and_then_a_fault() {
    let whole = text(600_000);
    let mut bytes = zstd(&whole);
    bytes.truncate(bytes.len() / 2);
    let (out, fault) = all(&bytes, &Limits::default());
    assert!(whole.starts_with(&out) && out.len() > 100_000, "{}", out.len());
    assert_eq!(fault.as_deref(), Some("the zstd data ends early"));
}

#[test]
fn corrupt_data_is_a_fault_after_what_came_before_it() {
    let mut bytes = gzip(&text(100_000));
    let last = bytes.len() - 5;
    bytes[last] ^= 0xff;
    let (out, fault) = all(&bytes, &Limits::default());
    assert_eq!(out.len(), 100_000);
    assert_eq!(fault.as_deref(), Some("the gzip data is corrupt"));

    let (out, fault) = all(&[zstd(b"one\n"), b"garbage".to_vec()].concat(), &Limits::default());
    assert_eq!(out, b"one\n");
    assert_eq!(fault.as_deref(), Some("the zstd data is corrupt"));
}

#[test]
fn padding_after_gzip_is_no_fault_and_other_bytes_are() {
    let member = gzip(b"line\n");
    let padded = [member.clone(), vec![0; 100_000]].concat();
    assert_eq!(all(&padded, &Limits::default()), (b"line\n".to_vec(), None));
    let between = [member.clone(), vec![0; 512], member.clone()].concat();
    assert_eq!(all(&between, &Limits::default()), (b"line\nline\n".to_vec(), None));
    let (out, fault) = all(&[member, b"trailer".to_vec()].concat(), &Limits::default());
    assert_eq!(out, b"line\n");
    assert_eq!(fault.as_deref(), Some("the gzip data is followed by other bytes"));
}

#[test]
fn a_bomb_is_stopped_by_its_ratio() {
    let limits = Limits { max_ratio: 10, ratio_grace_bytes: 1 << 20, ..Limits::default() };
    let zeros = vec![b' '; 8 << 20];
    for bytes in [gzip(&zeros), zstd(&zeros)] {
        let mut decoder = open(&bytes, true, &limits);
        let mut out = Vec::new();
        let fault = decoder.fill(&mut out, usize::MAX / 2).unwrap_err();
        assert!(matches!(fault, DecodeError::Ratio { limit: 10 }), "{fault}");
        assert!(out.len() < 2 << 20, "{}", out.len());
    }
    let (out, fault) = all(&gzip(&zeros), &Limits::default());
    assert_eq!((out.len(), fault), (8 << 20, None));
}

#[test]
fn a_large_output_is_stopped_by_its_size() {
    let limits = Limits { max_decoded_bytes: 100_000, ..Limits::default() };
    for bytes in [gzip(&text(300_000)), zstd(&text(300_000))] {
        let mut decoder = open(&bytes, true, &limits);
        let mut out = Vec::new();
        let fault = decoder.fill(&mut out, usize::MAX / 2).unwrap_err();
        assert!(matches!(fault, DecodeError::TooLarge { limit: 100_000 }), "{fault}");
        assert!((100_000..300_000).contains(&out.len()), "{}", out.len());
    }
    let plain = text(300_000);
    assert_eq!(all(&plain, &limits), (plain, None));
}

#[test]
fn a_zstd_window_may_not_be_larger_than_allowed() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(&text(1000)).unwrap();
    let bytes = encoder.finish().unwrap();
    let limits = Limits { zstd_window_log_max: 20, ..Limits::default() };
    let (out, fault) = all(&bytes, &limits);
    assert_eq!((out.len(), fault.as_deref()), (0, Some("the zstd data is corrupt")));
}

#[test]
fn a_utf8_byte_order_mark_is_left_out() {
    assert_eq!(all(b"\xef\xbb\xbfabc", &Limits::default()), (b"abc".to_vec(), None));
    assert_eq!(all(&gzip(b"\xef\xbb\xbfabc"), &Limits::default()), (b"abc".to_vec(), None));
    assert_eq!(all(b"\xef\xbb\xbf", &Limits::default()), (Vec::new(), None));
    assert_eq!(all(b"\xef\xbb", &Limits::default()), (b"\xef\xbb".to_vec(), None));
}

#[test]
fn utf16_becomes_utf8() {
    let text = "{\"user\":\"Zoë 𝄞\"}\n".repeat(1000);
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let little = [&b"\xff\xfe"[..], &little].concat();
    let big = [&b"\xfe\xff"[..], &big].concat();
    for bytes in [little.clone(), big, gzip(&little)] {
        let mut decoder = open(&bytes, false, &Limits::default());
        let mut out = Vec::new();
        decoder.fill(&mut out, 1 << 20).unwrap();
        assert!(String::from_utf8(out).unwrap() == text);
        assert!(!decoder.is_seekable());
    }
    let mut odd = little[..2 + 2 * 5].to_vec();
    odd.push(b'x');
    assert_eq!(all(&odd, &Limits::default()), ("{\"use\u{fffd}".as_bytes().to_vec(), None));
}

#[test]
fn the_head_stays_to_be_read() {
    let whole = text(200_000);
    for bytes in [whole.clone(), gzip(&whole), zstd(&whole)] {
        for hint in [true, false] {
            let mut decoder = open(&bytes, hint, &Limits::default());
            let (head, complete) = decoder.head(1000).unwrap();
            assert_eq!((head, complete), (&whole[..1000], false));
            let mut out = Vec::new();
            decoder.fill(&mut out, 1 << 20).unwrap();
            assert!(out == whole);
        }
    }
    let mut decoder = open(b"\xef\xbb\xbfshort", true, &Limits::default());
    assert_eq!(decoder.head(1000).unwrap(), (&b"short"[..], true));
}

#[test]
fn skipped_bytes_are_decoded_bytes() {
    let mut decoder = open(&gzip(&text(100_000)), false, &Limits::default());
    assert_eq!(decoder.skip(70_000).unwrap(), 70_000);
    let mut out = Vec::new();
    decoder.fill(&mut out, 1 << 20).unwrap();
    assert!(out == text(100_000)[70_000..]);

    let mut decoder = open(b"\xef\xbb\xbfabc", true, &Limits::default());
    assert_eq!(decoder.skip(1).unwrap(), 1);
    assert!(!decoder.is_seekable());
    let mut out = String::new();
    decoder.read_to_string(&mut out).unwrap();
    assert_eq!(out, "bc");
    assert_eq!(decoder.skip(9).unwrap(), 0);
}

#[test]
fn reading_tells_a_fault_after_everything_before_it() {
    let mut bytes = gzip(b"line\n");
    bytes.extend(b"x");
    let mut decoder = open(&bytes, true, &Limits::default());
    let mut out = Vec::new();
    let error = decoder.read_to_end(&mut out).unwrap_err();
    assert_eq!(out, b"line\n");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_failing_device_is_not_taken_for_damaged_data() {
    struct Failing(Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("gone")),
                length => Ok(length),
            }
        }
    }
    let whole = text(100_000);
    for bytes in [whole.clone(), gzip(&whole), zstd(&whole)] {
        let cut = bytes[..bytes.len() / 2].to_vec();
        let mut decoder =
            decode(Box::new(Failing(Cursor::new(cut))), None, &Limits::default()).unwrap();
        let mut out = Vec::new();
        let error = decoder.fill(&mut out, 1 << 20).unwrap_err();
        assert!(matches!(error, DecodeError::Read(_)), "{error}");
    }
}

#[test]
fn debug_output_holds_no_content() {
    let mut decoder = open(b"hunter2-made-up", true, &Limits::default());
    decoder.head(100).unwrap();
    assert!(!format!("{decoder:?}").contains("hunter2"));
}
