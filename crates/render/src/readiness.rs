//! The answer of `readiness` for people: the verdict, why, who needs what, and what the logs cover.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{BufWriter, Write};

use jiff::Timestamp;
use serde_json::Value;

use crate::layout::{self, Column, Cut, Style, painted, wrap};
use crate::{Options, RenderError, text};

/// How many reasons, sources and broken consumers people are shown; JSON has all.
const SHOWN: usize = 12;

/// Writes the document that `readiness --format json` prints, for people. Ages are counted from
/// `as_of`.
pub fn readiness(
    document: &Value,
    as_of: Timestamp,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    let mut page = Page { as_of, options, out: BufWriter::new(out) };
    page.headline(document)?;
    page.reasons(document)?;
    page.consumers(document)?;
    page.coverage(document)?;
    page.dry_run(document)?;
    page.out.flush()?;
    Ok(())
}

struct Page<'a> {
    as_of: Timestamp,
    options: &'a Options,
    out: BufWriter<&'a mut dyn Write>,
}

/// A text of the document, made harmless; empty if it is not there.
fn word<'a>(value: &'a Value, name: &str) -> Cow<'a, str> {
    text::escape(value[name].as_str().unwrap_or_default())
}

fn time(value: &Value, name: &str) -> Option<Timestamp> {
    value[name].as_str()?.parse().ok()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A text of the document as one word of a shell, made harmless on a screen.
fn quoted(given: &str) -> Cow<'_, str> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:@%+=,".contains(it);
    if !given.is_empty() && given.chars().all(is_plain) {
        return Cow::Borrowed(given);
    }
    text::escape(&format!("'{}'", given.replace('\'', "'\\''"))).into_owned().into()
}

impl Page<'_> {
    fn style(&self, style: Style) -> Option<Style> {
        self.options.colour.then_some(style)
    }

    /// Words on as many lines as they need, those after the first further in.
    fn say(&mut self, words: &str, indent: &str, style: Option<Style>) -> Result<(), RenderError> {
        let (lead, words) = words.split_at(words.len() - words.trim_start().len());
        let mut pieces: Vec<String> = words.split(' ').map(str::to_owned).collect();
        pieces[0].insert_str(0, lead);
        for line in wrap(&pieces, " ", indent, self.options.width) {
            writeln!(self.out, "{}", painted(&line, style))?;
        }
        Ok(())
    }

    fn headline(&mut self, document: &Value) -> Result<(), RenderError> {
        let (verdict, style) = match document["verdict"].as_str() {
            Some("not_used") => ("not used: it may be revoked", Style::Good),
            Some("used") => ("used: do not revoke it yet", Style::Bad),
            _ => ("unknown: the logs do not allow saying so", Style::Warning),
        };
        let (secret, version) = (word(document, "secret_id"), word(document, "version"));
        let revoked = time(document, "revoked_time").filter(|it| *it <= self.as_of);
        let verdict = match (revoked, document["verdict"].as_str()) {
            (Some(at), Some("not_used")) => {
                format!("is not used, and revoked {}", text::second(at))
            }
            (Some(at), Some("used")) => {
                format!("was revoked {} and still has users", text::second(at))
            }
            _ => format!("is {verdict}"),
        };
        self.say(&format!("{secret} version {version} {verdict}"), "  ", self.style(style))?;
        let mut line = format!("As of {}", text::second(self.as_of));
        match time(document, "wait_until_time") {
            Some(at) if at > self.as_of => {
                let when = text::second(at);
                line += &format!("; not used by {when} if nothing else is seen");
            }
            Some(_) => line += "; not used once newer logs show that nothing else was there",
            None if document["verdict"] != "not_used" => line += "; somebody must act first",
            None => {}
        }
        if let Some(at) = time(document, "tail_expires_time").filter(|it| *it > self.as_of) {
            line += &format!("; sessions alive until {}", text::second(at));
        }
        self.say(&line, "  ", None)
    }

    fn reasons(&mut self, document: &Value) -> Result<(), RenderError> {
        let mut reasons: Vec<&Value> = list(document, "reasons").iter().collect();
        reasons.sort_by_key(|it| it["verdict"] != "used");
        if reasons.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        for it in reasons.iter().take(SHOWN) {
            let style = if it["verdict"] == "used" { Style::Bad } else { Style::Warning };
            let line = format!("! {}", word(it, "text"));
            self.say(&line, "  ", self.style(style))?;
            self.say(&format!("    -> {}", word(it, "advice")), "       ", None)?;
        }
        let more = reasons.len().saturating_sub(SHOWN);
        self.more(more, "reason")
    }

    fn more(&mut self, more: usize, what: &str) -> Result<(), RenderError> {
        if more == 0 {
            return Ok(());
        }
        let what = text::counted(more, &format!("more {what}"));
        self.say(&format!("  {what}; `--format json` lists all"), "  ", self.style(Style::Faint))
    }

    fn consumers(&mut self, document: &Value) -> Result<(), RenderError> {
        let mut rows: Vec<&Value> = list(document, "consumers").iter().collect();
        writeln!(self.out)?;
        if rows.is_empty() {
            return self.say("Nobody was seen to present this version.", "  ", None);
        }
        let is_used = |it: &&Value| {
            ["use_count", "derived_use_count"].iter().any(|name| it[name].as_i64() > Some(0))
        };
        let refused: i64 = rows.iter().filter_map(|it| it["rejected_count"].as_i64()).sum();
        if refused > 0 && !rows.iter().any(is_used) {
            let attempts = text::counted(usize::try_from(refused).unwrap_or(usize::MAX), "attempt");
            self.say(&format!("Nobody was seen using it ({attempts} refused):"), "  ", None)?;
        }
        let is_open = |it: &Value| it["needs"].is_string();
        rows.sort_by_key(|it| (!is_open(it), Reverse(self.last_used(it))));
        let titles = [
            ("workload", 1),
            ("env", 5),
            ("principal", 9),
            ("last used", 2),
            ("uses", 6),
            ("derived", 10),
            ("rejected", 8),
            ("state", 3),
            ("needs", 4),
            ("soak until", 7),
            ("flags", 11),
        ];
        let column = |(title, importance): &(&str, usize)| {
            let is_name = matches!(*title, "workload" | "principal" | "env");
            let cut = if is_name { Cut::Middle } else { Cut::Never };
            let cut = if *title == "flags" { Cut::End } else { cut };
            let mut column = Column::new(title, (1, *importance), cut);
            column.right = matches!(*title, "uses" | "derived" | "rejected" | "last used");
            column
        };
        let mut columns: Vec<Column> = titles.iter().map(column).collect();
        let cells: Vec<[String; 11]> = rows.iter().map(|it| self.cells(it)).collect();
        for row in &cells {
            columns.iter_mut().zip(row).for_each(|(column, cell)| column.widen(cell));
        }
        let layout = layout::fit(&mut columns, self.options.width);
        let colour = self.options.colour;
        layout::write_header(&columns, &layout, colour, &mut self.out)?;
        for row in &cells {
            let cell = |at: usize| {
                let style = Style::of(&columns[at].title, &row[at]).filter(|_| colour);
                (Cow::Borrowed(row[at].as_str()), style)
            };
            layout::write_line(&columns, &layout, cell, &mut self.out)?;
        }
        layout::write_hidden(&columns, &layout, self.options.width, &mut self.out)?;
        Ok(())
    }

    fn last_used(&self, row: &Value) -> Option<Timestamp> {
        time(row, "last_used_time").max(time(row, "derived_last_used_time"))
    }

    fn cells(&self, row: &Value) -> [String; 11] {
        let or_dash = |it: Cow<'_, str>| if it.is_empty() { "-".to_owned() } else { it.into() };
        let age = |it: Option<Timestamp>| it.map_or("-".to_owned(), |it| text::age(it, self.as_of));
        let count = |name: &str| text::grouped(row[name].as_i64().unwrap_or_default());
        // Who must act does not get there by waiting.
        let acts = matches!(row["needs"].as_str(), Some("publish" | "deploy" | "fix" | "declare"));
        let until = time(&row["soak"], "until_time").filter(|_| !acts);
        let flags: Vec<Cow<'_, str>> =
            list(row, "flags").iter().filter_map(Value::as_str).map(text::escape).collect();
        [
            or_dash(word(row, "workload")),
            or_dash(word(row, "environment")),
            text::short_principal(&or_dash(word(row, "principal"))).to_owned(),
            age(self.last_used(row)),
            count("use_count"),
            count("derived_use_count"),
            count("rejected_count"),
            or_dash(word(row, "state")),
            or_dash(word(row, "needs")),
            until.map_or("-".to_owned(), text::second),
            flags.join(" "),
        ]
    }

    fn coverage(&mut self, document: &Value) -> Result<(), RenderError> {
        writeln!(self.out)?;
        let rows = list(document, "coverage");
        if rows.is_empty() {
            return self.say("No log that was read could have shown it.", "  ", None);
        }
        self.say("Logs that could have shown it:", "  ", self.style(Style::Bold))?;
        for it in rows.iter().take(SHOWN) {
            let until = time(it, "watermark_time").map(text::second);
            let mut line = format!("  {} {}", word(it, "source"), word(it, "scope"));
            line = format!("{} until {}", line.trim_end(), until.as_deref().unwrap_or("never"));
            let holes = list(it, "holes");
            if let Some(last) = holes.iter().filter_map(|it| time(it, "end_time")).max() {
                let count = text::counted(holes.len(), "hole");
                line += &format!(", {count}, the last until {}", text::second(last));
            }
            let blind = list(it, "blind_spots").len();
            if blind > 0 {
                line += &format!(", {}", text::counted(blind, "blind spot"));
            }
            let is_bad = !holes.is_empty();
            let style = self.style(Style::Warning).filter(|_| is_bad);
            self.say(&line, "      ", style)?;
        }
        self.more(rows.len().saturating_sub(SHOWN), "log")?;
        let secret = quoted(document["secret_id"].as_str().unwrap_or_default());
        let line = format!("  `lastuse coverage --secret {secret}` tells what each cannot show");
        self.say(&line, "    ", self.style(Style::Faint))
    }

    fn dry_run(&mut self, document: &Value) -> Result<(), RenderError> {
        let Some(at) = time(document, "dry_run_cutoff_time") else { return Ok(()) };
        let rows = list(document, "would_break");
        let when = text::second(at);
        writeln!(self.out)?;
        if rows.is_empty() {
            let line = format!("Revoked at {when}, it would have broken nobody that was seen.");
            return self.say(&line, "  ", self.style(Style::Good));
        }
        let count = text::counted(rows.len(), "consumer");
        let line = format!("Revoked at {when}, it would have broken {count}:");
        self.say(&line, "  ", self.style(Style::Bad))?;
        for it in rows.iter().take(SHOWN) {
            let number = |name: &str| text::grouped(it[name].as_i64().unwrap_or_default());
            let at = |name: &str| time(it, name).map(text::second).unwrap_or_default();
            let mut line = format!("  {} {}", word(it, "workload"), word(it, "environment"));
            line = format!("{} from {} to {}", line.trim_end(), at("first_time"), at("last_time"));
            line +=
                &format!(", {} uses, {} derived", number("use_count"), number("derived_use_count"));
            self.say(&line, "      ", None)?;
        }
        self.more(rows.len().saturating_sub(SHOWN), "consumer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(document: &Value, width: Option<usize>) -> String {
        let as_of = "2026-06-01T00:00:00Z".parse().expect("an instant");
        let options = Options { width, ..Options::default() };
        let mut out = Vec::new();
        readiness(document, as_of, &options, &mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    fn document() -> Value {
        json!({
            "secret_id": "payments/stripe", "version": "1", "verdict": "used",
            "wait_until_time": null, "tail_expires_time": "2026-06-01T04:00:00.000000Z",
            "reasons": [
                {"code": "coverage_hole", "verdict": "unknown", "text": "a hole", "advice": "fill it"},
                {"code": "uses_old", "verdict": "used", "text": "checkout never used a newer version",
                 "advice": "deploy the new version to it"},
            ],
            "consumers": [
                {"workload": "billing", "environment": "prod", "principal": null,
                 "last_used_time": "2026-05-20T00:00:00Z", "use_count": 4, "state": "settled",
                 "needs": null, "flags": [], "soak": null},
                {"workload": "check\u{1b}out", "environment": "prod", "principal": "api",
                 "last_used_time": "2026-05-31T22:00:00Z", "use_count": 931,
                 "derived_use_count": 920, "rejected_count": 3, "state": "old_only",
                 "needs": "deploy", "flags": ["shadow"],
                 "soak": {"until_time": "2026-06-02T00:00:00Z"}},
            ],
            "coverage": [{"source": "http_json", "scope": "", "watermark_time": "2026-05-31T23:59:00Z",
                "holes": [{"end_time": "2026-05-11T02:00:00Z"}], "blind_spots": ["sampling"]}],
            "dry_run_cutoff_time": "2026-05-30T00:00:00Z",
            "would_break": [{"workload": "checkout", "environment": "prod",
                "first_time": "2026-05-30T00:10:00Z", "last_time": "2026-05-31T22:00:00Z",
                "use_count": 47, "derived_use_count": 0}],
        })
    }

    #[test]
    fn the_verdict_comes_first_then_who_must_act() {
        insta::assert_snapshot!(shown(&document(), Some(100)), @r"
        payments/stripe version 1 is used: do not revoke it yet
        As of 2026-06-01T00:00:00Z; somebody must act first; sessions alive until 2026-06-01T04:00:00Z

        ! checkout never used a newer version
            -> deploy the new version to it
        ! a hole
            -> fill it

        workload        env   principal  last used  uses  derived  rejected  state     needs   soak until
        ──────────────  ────  ─────────  ─────────  ────  ───────  ────────  ────────  ──────  ──────────
        check\u{1b}out  prod  api           2h ago   931      920         3  old_only  deploy  -
        billing         prod  -            12d ago     4        0         0  settled   -       -
        1 column hidden: flags; widen the terminal or use --format json

        Logs that could have shown it:
          http_json until 2026-05-31T23:59:00Z, 1 hole, the last until 2026-05-11T02:00:00Z, 1 blind spot
          `lastuse coverage --secret payments/stripe` tells what each cannot show

        Revoked at 2026-05-30T00:00:00Z, it would have broken 1 consumer:
          checkout prod from 2026-05-30T00:10:00Z to 2026-05-31T22:00:00Z, 47 uses, 0 derived
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        for width in [20, 40, 60, 80] {
            let text = shown(&document(), Some(width));
            let wide: Vec<&str> = text.lines().filter(|it| text::width(it) > width).collect();
            assert!(wide.is_empty(), "{width}: {wide:?}");
        }
    }

    #[test]
    fn who_was_only_refused_is_not_said_to_use_it() {
        let mut refused = document();
        refused["consumers"] = json!([{"workload": "aws-cli", "environment": null,
            "principal": "arn:aws:iam::111122223333:user/content", "last_used_time": null,
            "use_count": 0, "derived_use_count": 0, "rejected_count": 60, "state": null,
            "needs": null, "flags": [], "soak": null}]);
        let shown = shown(&refused, None);
        let table: Vec<&str> =
            shown.lines().skip_while(|it| !it.starts_with("Nobody")).take(4).collect();
        insta::assert_snapshot!(table.join("\n"), @"
        Nobody was seen using it (60 attempts refused):
        workload  env  principal     last used  uses  derived  rejected  state  needs  soak until  flags
        ────────  ───  ────────────  ─────────  ────  ───────  ────────  ─────  ─────  ──────────  ─────
        aws-cli   -    user/content          -     0        0        60  -      -      -
        ");
    }

    #[test]
    fn a_revoked_version_that_is_used_still_has_users() {
        let mut revoked = document();
        revoked["revoked_time"] = json!("2026-05-29T10:00:00Z");
        let first = shown(&revoked, None).lines().next().expect("a headline").to_owned();
        assert_eq!(
            first,
            "payments/stripe version 1 was revoked 2026-05-29T10:00:00Z and still has users"
        );
    }

    #[test]
    fn the_next_command_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("arn:aws:iam::1:user/x"), "arn:aws:iam::1:user/x");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a\u{1b}b"), r"'a\u{1b}b'");
    }

    #[test]
    fn nobody_and_nothing_is_said_in_words() {
        let empty = json!({"secret_id": "a", "version": "1", "verdict": "not_used"});
        insta::assert_snapshot!(shown(&empty, None), @"
        a version 1 is not used: it may be revoked
        As of 2026-06-01T00:00:00Z

        Nobody was seen to present this version.

        No log that was read could have shown it.
        ");
    }
}
