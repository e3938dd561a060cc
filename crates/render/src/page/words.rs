//! Text, times and lengths as the page writes them: bounded, and safe for HTML.

use lastuse_model::time::format_second;

use crate::html::safe;
use crate::text::{counted, cut, escape, grouped};

use super::scale::date_time;

/// Characters of a name that stands in a table or beside a lane.
pub(super) const LABEL: usize = 80;
/// Characters of a name where there is room.
pub(super) const LONG: usize = 300;
/// Names of a list that are written out.
const LISTED: usize = 20;

/// As much of the text as fits into `limit` characters, safe between tags and in attributes.
pub(super) fn shown(text: &str, limit: usize) -> String {
    // A character takes twelve at most when written out; what follows is not looked at.
    let end = text.char_indices().nth(limit + 1).map_or(text.len(), |it| it.0);
    safe(&cut(&escape(&text[..end]), limit)).into_owned()
}

/// Names apart by commas, the first few of them.
pub(super) fn list(names: &[String]) -> String {
    let mut text = String::new();
    for (index, name) in names.iter().take(LISTED).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&shown(name, LONG));
    }
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", grouped((names.len() - LISTED) as i64)));
    }
    text
}

/// An instant to the second, UTC; a number where it has no date.
pub(super) fn instant(time: i64) -> String {
    date_time(time).map_or_else(|| format!("{time} µs"), |_| format_second(time))
}

/// The same as an element; nothing where there is none.
pub(super) fn time(time: Option<i64>) -> String {
    time.map_or_else(String::new, |it| format!("<time>{}</time>", instant(it)))
}

/// The day of an instant.
pub(super) fn day(time: i64) -> String {
    date_time(time).map_or_else(|| instant(time), |it| it.strftime("%Y-%m-%d").to_string())
}

/// A number with its thousands apart.
pub(super) fn number(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `1 use`, `2 uses`.
pub(super) fn times(count: u64, singular: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), singular)
}

/// A length in its two largest units.
pub(super) fn length(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(first) = units.iter().position(|it| seconds >= it.0) else {
        return "0 s".to_owned();
    };
    let (size, unit) = units[first];
    let rest = seconds % size;
    match units.get(first + 1).filter(|it| rest >= it.0) {
        Some((less, lesser)) => format!("{} {unit} {} {lesser}", seconds / size, rest / less),
        None => format!("{} {unit}", seconds / size),
    }
}

/// A code such as `reads_new_uses_old` as words.
pub(super) fn words(code: &str) -> String {
    shown(&code.replace('_', " "), LABEL)
}

/// The text with a capital first letter.
pub(super) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or(String::new(), |it| it.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_and_safe() {
        assert_eq!(shown("<b>\u{202e}\"x'&]]>", 80), "&lt;b&gt;\\u{202e}&quot;x&#39;&amp;]]&gt;");
        let long = shown(&"<".repeat(10_000), LABEL);
        assert_eq!(long.matches("&lt;").count(), LABEL - 1);
        let many: Vec<String> = (0..1_000).map(|it| it.to_string()).collect();
        assert!(list(&many).ends_with("18, 19 and 980 more"));
        assert_eq!(list(&[]), "");
    }

    #[test]
    fn lengths_have_two_units() {
        let all = [0, 59, 60, 3_661, 86_400, 90_061, 8_640_000].map(length);
        assert_eq!(all, ["0 s", "59 s", "1 min", "1 h 1 min", "1 d", "1 d 1 h", "100 d"]);
    }

    #[test]
    fn an_instant_without_a_date_is_its_number() {
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
        assert_eq!(instant(i64::MIN), "-9223372036854775808 µs");
        assert_eq!(time(None), "");
    }
}
