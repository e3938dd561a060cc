//! Text that is safe on a terminal, its width there, and times for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;
use lastuse_model::time::format_second;
use unicode_width::UnicodeWidthChar;

/// The text with everything that cannot be seen written out as `\u{..}`.
///
/// Logs are written by whoever makes requests: an escape sequence in a user agent
/// must not repaint the screen, nor a direction mark reorder the line. Marks that
/// take no cell of their own are written out too, so the width of the result is
/// the sum of the widths of its characters.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|it| (b' '..=b'~').contains(&it)) || !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal would act on the character instead of showing it.
pub(crate) fn is_hidden(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{2028}' | '\u{2029}') || character.width().unwrap_or(0) == 0
}

/// Cells that escaped text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(|it| it.width().unwrap_or(0)).sum()
}

/// The text, or as much of its beginning as fits before a `…`.
pub(crate) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let mut kept = fitting(text.chars(), limit.saturating_sub(1));
    if limit > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// The text, or as much of both its ends as fits around a `…`, of which `quarters` quarters are its
/// beginning: of long names the end tells as much. What differs when cut differs with any greater
/// limit.
pub(crate) fn cut_middle(text: &str, limit: usize, quarters: usize) -> Cow<'_, str> {
    if width(text) <= limit || limit < 5 {
        return cut(text, limit);
    }
    let tail = (limit - 1) * (4 - quarters.min(4)) / 4;
    let mut kept = fitting(text.chars(), limit - 1 - tail);
    kept.push('…');
    kept.extend(fitting(text.chars().rev(), tail).chars().rev());
    Cow::Owned(kept)
}

/// The first characters that take at most `room` cells.
fn fitting(characters: impl Iterator<Item = char>, mut room: usize) -> String {
    let fits = |it: &char| {
        let needed = it.width().unwrap_or(0);
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    };
    characters.take_while(fits).collect()
}

/// The part of an ARN that tells principals of one account apart.
pub(crate) fn short_principal(principal: &str) -> &str {
    match principal.splitn(6, ':').nth(5) {
        Some(resource) if principal.starts_with("arn:") && !resource.is_empty() => resource,
        _ => principal,
    }
}

/// An instant as people read it: RFC 3339, to the second and never earlier than it is.
pub(crate) fn second(time: Timestamp) -> String {
    let micros = (time.as_nanosecond() + 999).div_euclid(1_000);
    i64::try_from(micros).map_or_else(|_| time.to_string(), format_second)
}

/// How long before `as_of` an instant was, or how long after it will be.
///
/// Beyond a hundred days the date says more than a count.
pub(crate) fn age(time: Timestamp, as_of: Timestamp) -> String {
    let seconds = as_of.duration_since(time).as_secs();
    let count = match seconds.unsigned_abs() {
        0..60 => return "now".to_owned(),
        it @ 60..3_600 => format!("{}m", it / 60),
        it @ 3_600..172_800 => format!("{}h", it / 3_600),
        it @ 172_800..8_640_000 => format!("{}d", it / 86_400),
        _ => return time.strftime("%Y-%m-%d").to_string(),
    };
    if seconds < 0 { format!("in {count}") } else { format!("{count} ago") }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    if number < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: usize, singular: &str) -> String {
    let mut text = grouped(i64::try_from(count).unwrap_or(i64::MAX));
    let plural = if count == 1 { "" } else { "s" };
    let _ = write!(text, " {singular}{plural}"); // a String takes every write
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(escape("\u{1b}[31mred\u{7}"), r"\u{1b}[31mred\u{7}");
        assert_eq!(escape("a\nb\tc\r"), r"a\u{a}b\u{9}c\u{d}");
        assert_eq!(escape("\u{9b}2J\u{7f}"), r"\u{9b}2J\u{7f}");
    }

    #[test]
    fn what_hides_or_reorders_text_is_written_out() {
        assert_eq!(escape("user\u{202e}nimda"), r"user\u{202e}nimda");
        assert_eq!(
            escape("a\u{200b}b\u{feff}c\u{ad}d\u{2028}"),
            r"a\u{200b}b\u{feff}c\u{ad}d\u{2028}"
        );
        assert_eq!(escape("e\u{301}"), r"e\u{301}");
    }

    #[test]
    fn visible_text_stays_as_it_is() {
        assert!(matches!(escape("checkout é 日本 🦀"), Cow::Borrowed(_)));
        assert_eq!(width("日本"), 4);
    }

    #[test]
    fn a_wide_character_that_does_not_fit_is_left_out_whole() {
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn a_name_cut_in_the_middle_shows_both_ends() {
        assert_eq!(cut_middle("payments/stripe", 15, 2), "payments/stripe");
        assert_eq!(cut_middle("payments/stripe", 9, 2), "paym…ripe");
        assert_eq!(cut_middle("payments/stripe", 10, 2), "payme…ripe");
        assert_eq!(cut_middle("payments/stripe", 9, 1), "pa…stripe");
        assert_eq!(cut_middle("日本語日本語", 8, 2), "日本…語");
        assert_eq!(cut_middle("payments", 3, 2), "pa…");
    }

    #[test]
    fn an_age_is_a_count_of_the_largest_fitting_unit() {
        let as_of = time("2026-03-10T00:00:00Z");
        for (at, expected) in [
            ("2026-03-09T23:59:30Z", "now"),
            ("2026-03-09T23:55:00Z", "5m ago"),
            ("2026-03-08T01:00:00Z", "47h ago"),
            ("2026-03-07T00:00:00Z", "3d ago"),
            ("2025-11-03T00:00:00Z", "2025-11-03"),
            ("2026-03-12T00:00:00Z", "in 2d"),
        ] {
            assert_eq!(age(time(at), as_of), expected);
        }
        age(Timestamp::MIN, Timestamp::MAX);
    }

    #[test]
    fn an_instant_is_never_shown_earlier_than_it_is() {
        assert_eq!(second(time("2026-03-23T03:57:59Z")), "2026-03-23T03:57:59Z");
        assert_eq!(second(time("2026-03-23T03:57:59.176426Z")), "2026-03-23T03:58:00Z");
        assert_eq!(second(time("2026-12-31T23:59:59.000000001Z")), "2027-01-01T00:00:00Z");
        second(Timestamp::MIN);
        second(Timestamp::MAX);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(-1234567), "-1,234,567");
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(counted(1, "secret"), "1 secret");
        assert_eq!(counted(1200, "secret"), "1,200 secrets");
    }

    proptest! {
        #[test]
        fn escaped_text_has_nothing_hidden(text in any::<String>()) {
            let shown = escape(&text);
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert_eq!(escape(&shown), shown.clone());
        }

        #[test]
        fn cut_text_fits(text in any::<String>(), limit in 0usize..40) {
            prop_assert!(width(&cut(&escape(&text), limit)) <= limit);
            prop_assert!(width(&cut_middle(&escape(&text), limit, 1)) <= limit);
        }
    }
}
