//! What a change board reads first: the question, the answer, the numbers, what to do.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::model::{Answer, Page, SecretPage, Verdict, Version};
use super::reasons;
use super::view::{Standing, View, is_production};
use super::words::{LABEL, LONG, capital, number, shown, time, times};

/// The class in the style sheet, and the answer in words.
pub(super) fn answer(answer: Answer) -> (&'static str, &'static str) {
    match answer {
        Answer::NotUsed => ("yes", "Yes"),
        Answer::Used => ("no", "No"),
        Answer::Unknown => ("maybe", "Cannot say"),
    }
}

/// A disc with a tick, an octagon with a cross, or a rhomb with a question mark.
fn sign(of: Answer) -> &'static str {
    match of {
        Answer::NotUsed => {
            "<svg class=\"sign\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">\
            <circle cx=\"12\" cy=\"12\" r=\"11\"/><path d=\"M6.5 12.5l4 4 7-9\"/></svg>"
        }
        Answer::Used => {
            "<svg class=\"sign\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">\
            <path class=\"b\" d=\"M7.5 1h9l6.5 6.5v9l-6.5 6.5h-9l-6.5-6.5v-9z\"/>\
            <path d=\"M8 8l8 8m0-8l-8 8\"/></svg>"
        }
        Answer::Unknown => {
            "<svg class=\"sign\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">\
            <path class=\"b\" d=\"M12 0.5l11.5 11.5-11.5 11.5-11.5-11.5z\"/>\
            <path d=\"M9 9.5a3 3 0 1 1 4.2 2.7q-1.2.7-1.2 2.3m0 2.6v.4\"/></svg>"
        }
    }
}

/// The verdict that speaks for a secret: that on the version asked about, else the last one.
fn main_verdict(secret: &SecretPage) -> Option<(&Version, &Verdict)> {
    let asked = secret.asked.and_then(|it| secret.versions.get(it));
    let mut all = asked.into_iter().chain(secret.versions.iter().rev());
    all.find_map(|it| Some((it, it.verdict.as_ref()?)))
}

/// Writes a table of all secrets, each with its answer.
pub(super) fn write_secrets(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(
        b"<nav aria-labelledby=\"all\"><h2 id=\"all\">All secrets</h2>\n\
        <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"all\">\
        <table class=\"sorted\">\n\
        <caption>May the old version be revoked?</caption>\n\
        <thead><tr><th scope=\"col\">Secret</th><th scope=\"col\">Version</th>\
        <th scope=\"col\">Answer</th><th scope=\"col\">Why</th>\
        <th scope=\"col\" class=\"n\">Consumers</th><th scope=\"col\" class=\"n\">Findings</th>\
        </tr></thead>\n<tbody>\n",
    )?;
    for (index, it) in page.secrets.iter().enumerate() {
        let id = shown(&it.secret_id, LONG);
        write!(out, "<tr><th scope=\"row\"><a href=\"#s{index}\">{id}</a></th>")?;
        match main_verdict(it) {
            Some((version, verdict)) => {
                let (class, word) = answer(verdict.answer);
                write!(
                    out,
                    "<td>{}</td><td><span class=\"answer {class}\">{}{word}</span></td><td>{}</td>",
                    shown(&version.version, LABEL),
                    sign(verdict.answer),
                    why(verdict)
                )?;
            }
            None => out.write_all(b"<td></td><td>not asked</td><td></td>")?,
        }
        writeln!(
            out,
            "<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            number(it.consumers.len() as u64),
            number(it.findings.len() as u64)
        )?;
    }
    out.write_all(b"</tbody></table></div></nav>\n")
}

/// Writes question, answer and reasons for each version that was asked about; below the first
/// answer, how many consumers stand where.
pub(super) fn write_verdicts(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let order = view.asked.into_iter();
    let others = (0..view.secret.versions.len()).filter(|it| Some(*it) != view.asked);
    let mut count = 0;
    for row in order.chain(others) {
        let version = &view.secret.versions[row];
        let Some(verdict) = &version.verdict else { continue };
        let (class, word) = answer(verdict.answer);
        writeln!(
            out,
            "<div class=\"verdict {class}\">{}<div><p class=\"ask\">May version {} of {} be \
            revoked?</p><p class=\"say\"><strong>{word}.</strong> {}</p>{}</div></div>",
            sign(verdict.answer),
            shown(&version.version, LABEL),
            shown(&view.secret.secret_id, LONG),
            why(verdict),
            when(verdict, view.scale.as_of)
        )?;
        if count == 0 {
            write_figures(view, out)?;
        }
        reasons::write(view, verdict, out)?;
        count += 1;
    }
    if count == 0 {
        out.write_all(
            b"<p class=\"note\">No version of this secret was asked about: nothing here says \
            whether one may be revoked.</p>\n",
        )?;
        write_figures(view, out)?;
    }
    Ok(())
}

/// The answer's reason in one sentence.
fn why(verdict: &Verdict) -> String {
    let consumers: BTreeSet<usize> = verdict.reasons.iter().filter_map(|it| it.consumer).collect();
    match (verdict.answer, consumers.len(), verdict.reasons.first()) {
        (Answer::NotUsed, ..) => "Every known consumer is settled or declared gone, nothing \
            obtained with it is still valid, and the logs cover the time."
            .to_owned(),
        (Answer::Used, 1, _) => "1 consumer is not settled.".to_owned(),
        (Answer::Used, it @ 2.., _) => format!("{} consumers are not settled.", number(it as u64)),
        (_, _, Some(reason)) => {
            let more = match verdict.reasons.len() - 1 {
                0 => String::new(),
                it => format!(" ({} besides)", times(it as u64, "reason")),
            };
            capital(&format!("{}{more}.", shown(&reason.text, LONG)))
        }
        _ => "No reason was given.".to_owned(),
    }
}

/// When the answer may change, as paragraphs.
fn when(verdict: &Verdict, as_of: i64) -> String {
    let mut text = String::new();
    if verdict.answer != Answer::NotUsed {
        text.push_str(&match verdict.wait_until_time {
            Some(it) => format!(
                "<p>Could become yes at {}, if nothing else is seen and the logs go on.</p>",
                time(Some(it))
            ),
            None => "<p>Waiting alone does not change it: somebody must act.</p>".to_owned(),
        });
    }
    let mut facts = Vec::new();
    let verb = |at: i64, will, did| if at > as_of { will } else { did };
    if let Some(at) = verdict.soak_until_time {
        let verb = verb(at, "ends", "ended");
        facts.push(format!("the last soak {verb} at {}", time(Some(at))));
    }
    if let Some(at) = verdict.tail_expires_time {
        let verb = verb(at, "expires", "expired");
        facts.push(format!("what was obtained with it {verb} by {}", time(Some(at))));
    }
    if !facts.is_empty() {
        text.push_str(&format!("<p>{}.</p>", capital(&facts.join("; "))));
    }
    text
}

/// Writes how many consumers stand where, as a bar and as numbers.
fn write_figures(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let total = view.secret.consumers.len();
    if total == 0 {
        return Ok(());
    }
    let s = view.index;
    writeln!(out, "<h3 id=\"s{s}f\">{}</h3>", times(total as u64, "consumer"))?;
    write!(
        out,
        "<svg class=\"bar\" height=\"12\" viewBox=\"0 0 {total} 12\" preserveAspectRatio=\"none\" \
        aria-hidden=\"true\">"
    )?;
    let mut at = 0;
    for class in ["act", "idle", "wait", "done"] {
        let count = view.standings.iter().filter(|it| it.class() == class).count();
        if count > 0 {
            write!(out, "<path class=\"{class}\" d=\"M{at} 0h{count}v12h-{count}z\"/>")?;
        }
        at += count;
    }
    write!(out, "</svg>\n<ul class=\"figures\" aria-labelledby=\"s{s}f\">\n")?;
    for it in Standing::ALL {
        let count = view.count(it);
        if count > 0 {
            let rows = view.standings.iter().zip(&view.secret.consumers);
            let there = rows.filter(|row| *row.0 == it && is_production(row.1)).count();
            figure(out, it.class(), it.name(), count, Some(there))?;
        }
    }
    let shadows: Vec<_> = view.secret.consumers.iter().filter(|it| !it.is_declared).collect();
    let there = shadows.iter().filter(|it| is_production(it)).count();
    if !shadows.is_empty() {
        figure(out, "also", "shadow: not declared", shadows.len(), Some(there))?;
    }
    for (count, word) in [
        (view.secret.findings.len(), "findings"),
        (view.secret.coverage.iter().map(|it| it.holes.len()).sum(), "holes in the logs"),
    ] {
        if count > 0 {
            figure(out, "also", word, count, None)?;
        }
    }
    out.write_all(b"</ul>\n")
}

fn figure(
    out: &mut dyn Write,
    class: &str,
    word: &str,
    count: usize,
    in_production: Option<usize>,
) -> io::Result<()> {
    write!(out, "<li class=\"{class}\"><b>{}</b> <span>{word}", number(count as u64))?;
    if let Some(it) = in_production.filter(|it| *it > 0) {
        write!(out, "<small>{} in production</small>", number(it as u64))?;
    }
    out.write_all(b"</span></li>\n")
}
