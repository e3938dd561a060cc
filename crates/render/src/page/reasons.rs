//! Why the answer is what it is, whom it concerns, and what to do: one card per code.

use std::io::{self, Write};

use super::model::{Answer, Reason, Verdict};
use super::summary::answer;
use super::view::{View, name};
use super::words::{LABEL, LONG, capital, instant, number, shown};

/// Reasons of one card that are written out before the rest is folded away.
const LISTED: usize = 4;

/// What the codes of docs/verdicts.md say, whomever they are about.
const TITLES: [(&str, &str); 23] = [
    ("uses_old", "Uses this version, never used a newer one"),
    ("no_newer_version", "Uses this version, and there is no newer one yet"),
    ("uses_both", "Uses both versions"),
    ("process_uses_old", "Some of its copies still use this version"),
    ("reverted", "Went back from a newer version"),
    ("failing_new", "Is refused with a newer version"),
    ("dormant", "Quiet on both versions; silence alone settles nobody"),
    ("gone_but_used", "Declared gone, and used this version since"),
    ("soak_not_over", "Uses a newer version; the soak is not over"),
    ("tail_not_passed", "A credential obtained with this version is still valid"),
    (
        "tail_unknown",
        "A credential was obtained with this version; how long it is valid is not known",
    ),
    ("rhythm_unknown", "Seen too seldom to tell its rhythm"),
    ("coverage_behind", "The logs do not reach the end of the soak"),
    ("coverage_hole", "A hole in the logs may hide a later use"),
    ("declared_never_seen", "Declared in the registry, and shown by no log"),
    ("nobody_seen", "Nobody was seen, and the logs are too short to say that nobody is there"),
    ("never_seen", "No log that was read ever showed this secret, in any version"),
    ("no_source_shows_it", "No log that was read names credentials of this kind"),
    ("no_identifier", "Nothing is known by which a log could name this version"),
    ("ambiguous_identifier", "An identifier of this version stands for several credentials"),
    ("forwarded_use", "A service made calls on behalf of somebody with this version"),
    ("principal_only", "Its principal was seen since, without a credential being named"),
    ("unresolved_sessions", "Sessions were used of which no log says what they were obtained with"),
];

/// Reasons with the same code and the same advice.
struct Card<'a> {
    reasons: Vec<&'a Reason>,
    /// When the last of them passes; none if waiting is not enough.
    until_time: Option<i64>,
}

/// Writes a card per code; those that say "used" first.
pub(super) fn write(view: &View<'_>, verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    if verdict.reasons.is_empty() {
        return Ok(());
    }
    out.write_all(b"<h3>Why, and what to do</h3>\n<ul class=\"reasons\">\n")?;
    for card in cards(view, &verdict.reasons) {
        write_card(view, &card, out)?;
    }
    out.write_all(b"</ul>\n")
}

/// The cards, and the reasons of each, in the order in which consumers need attention.
fn cards<'a>(view: &View<'_>, reasons: &'a [Reason]) -> Vec<Card<'a>> {
    let mut places = vec![usize::MAX; view.order.len()];
    for (place, row) in view.order.iter().enumerate() {
        places[*row] = place;
    }
    let place = |it: &Reason| it.consumer.and_then(|it| places.get(it)).copied();
    let mut ordered: Vec<&Reason> = reasons.iter().collect();
    ordered.sort_by_key(|it| (it.answer != Answer::Used, place(it).unwrap_or(usize::MAX)));
    let mut cards: Vec<Card<'a>> = Vec::new();
    for reason in ordered {
        let is_same = |it: &Card<'_>| {
            let first = it.reasons[0];
            (&first.code, &first.action, first.answer)
                == (&reason.code, &reason.action, reason.answer)
        };
        match cards.iter_mut().find(|it| is_same(it)) {
            Some(card) => {
                card.reasons.push(reason);
                // None means that waiting is not enough, for one of them and so for all.
                card.until_time = card.until_time.zip(reason.until_time).map(|it| it.0.max(it.1));
            }
            None => cards.push(Card { reasons: vec![reason], until_time: reason.until_time }),
        }
    }
    cards
}

fn write_card(view: &View<'_>, card: &Card<'_>, out: &mut dyn Write) -> io::Result<()> {
    let first = card.reasons[0];
    let title = TITLES.iter().find(|it| it.0 == first.code).map(|it| it.1.to_owned());
    let is_known = title.is_some();
    write!(
        out,
        "<li class=\"{}\"><p><b>{}</b> <code>{}</code></p>",
        answer(first.answer).0,
        title.unwrap_or_else(|| capital(&shown(&first.text, LONG))),
        shown(&first.code, LABEL)
    )?;
    let is_same = card.reasons.iter().all(|it| it.text == first.text);
    let is_said = !is_known && is_same;
    let items: Vec<String> = card.reasons.iter().filter_map(|it| item(view, it, is_said)).collect();
    let (listed, more) = items.split_at(items.len().min(LISTED));
    write_list(listed, out)?;
    if !more.is_empty() {
        write!(out, "<details><summary>and {} more</summary>", number(more.len() as u64))?;
        write_list(more, out)?;
        out.write_all(b"</details>")?;
    }
    let action = first.action.as_deref().map(|it| capital(&shown(it, LONG)));
    let until = card.until_time.map(|it| format!("passes at {}", instant(it)));
    let both: Vec<String> = action.into_iter().chain(until).collect();
    if !both.is_empty() {
        write!(out, "<p class=\"do\">{}</p>", both.join("; "))?;
    }
    out.write_all(b"</li>\n")
}

fn write_list(items: &[String], out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    out.write_all(b"<ul>")?;
    for it in items {
        write!(out, "<li>{it}</li>")?;
    }
    out.write_all(b"</ul>")
}

/// One reason: whom it is about, linked to the lane, and what there is to say unless that is said.
fn item(view: &View<'_>, reason: &Reason, is_said: bool) -> Option<String> {
    let text = if is_said { "" } else { reason.text.as_str() };
    let Some((plain, link)) = subject(view, reason) else {
        return (!text.is_empty()).then(|| capital(&shown(text, LONG)));
    };
    Some(match text.strip_prefix(plain.as_str()) {
        Some(rest) => format!("{link}{}", shown(rest, LONG)),
        None if text.is_empty() => link,
        None => format!("{link}: {}", shown(text, LONG)),
    })
}

/// Whom a reason is about, as texts name it and as HTML.
fn subject(view: &View<'_>, reason: &Reason) -> Option<(String, String)> {
    let row = reason.consumer.filter(|it| *it < view.secret.consumers.len());
    let Some(row) = row else {
        let subject = reason.subject.clone()?;
        let html = shown(&subject, LABEL);
        return Some((subject, html));
    };
    let consumer = &view.secret.consumers[row];
    let plain = consumer.workload.as_deref().unwrap_or("an unknown consumer");
    let (mut plain, mut html) = (plain.to_owned(), name(consumer));
    if let Some(it) = &consumer.environment {
        plain.push_str(&format!(" ({it})"));
        html.push_str(&format!(" ({})", shown(it, LABEL)));
    }
    Some((plain, format!("<a href=\"#s{}c{row}\">{html}</a>", view.index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_paper_has_a_title() {
        let paper = include_str!("../../../../docs/verdicts.md");
        let rows = paper.lines().filter_map(|it| it.strip_prefix("| `")?.split('`').next());
        let codes: Vec<&str> = rows.collect();
        assert_eq!(codes, TITLES.map(|it| it.0));
    }
}
