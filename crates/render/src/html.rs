//! Rows as one HTML page that needs nothing else: no script, no request.
//!
//! Text from logs is escaped, and a policy in the page forbids whatever might
//! get through all the same; only the page's own style, named by its hash, is used.

use std::borrow::Cow;
use std::io::Write;

use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;

use crate::cell::{Cell, cell, is_number, json_value};
use crate::text::{escape, second};
use crate::{RenderError, json};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
caption{text-align:left;padding:.3rem 0;opacity:.7}\
th,td{padding:.3rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid #8884;max-width:40rem;overflow-wrap:anywhere}\
th{position:sticky;top:0;background:Canvas;white-space:nowrap}\
td.n{text-align:right}\
td.t{white-space:nowrap}\
@media print{body{margin:0}th{position:static}}";

/// SHA-256 of `STYLE` in base64; a test checks it.
const STYLE_HASH: &str = "uB6pbP0tU/5E7hyxZfOU7GK9pcI7A0iJYM1ukaC+eQk=";

/// Writes a page with one table; missing values are empty cells.
pub(crate) fn write(
    batches: &[RecordBatch],
    schema: &Schema,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta http-equiv=\"Content-Security-Policy\" \
        content=\"default-src 'none'; style-src 'sha256-{STYLE_HASH}'\">\n\
        <meta name=\"viewport\" content=\"width=device-width\">\n\
        <title>lastuse</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
        <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Rows\">\n\
        <table>\n<caption>{rows} {}</caption>\n<thead>\n<tr>",
        if rows == 1 { "row" } else { "rows" }
    )?;
    for field in schema.fields() {
        write!(out, "<th scope=\"col\">{}</th>", safe(field.name()))?;
    }
    out.write_all(b"</tr>\n</thead>\n<tbody>\n")?;
    for batch in batches {
        for row in 0..batch.num_rows() {
            out.write_all(b"<tr>")?;
            for column in batch.columns() {
                write_cell(column, row, out)?;
            }
            out.write_all(b"</tr>\n")?;
        }
    }
    out.write_all(b"</tbody>\n</table>\n</div>\n</body>\n</html>\n")?;
    Ok(())
}

fn write_cell(array: &dyn Array, row: usize, out: &mut dyn Write) -> Result<(), RenderError> {
    let class = match cell(array, row)? {
        Cell::Instant(_) => " class=\"t\"",
        _ if is_number(array.data_type()) => " class=\"n\"",
        _ => "",
    };
    write!(out, "<td{class}>{}</td>", shown(array, row)?)?;
    Ok(())
}

fn shown(array: &dyn Array, row: usize) -> Result<String, RenderError> {
    Ok(match cell(array, row)? {
        Cell::Null => String::new(),
        Cell::Bool(it) => it.to_string(),
        Cell::Int(it) => it.to_string(),
        Cell::Unsigned(it) => it.to_string(),
        Cell::Float(it) => it.to_string(),
        Cell::Text(it) => safe(it).into_owned(),
        Cell::Instant(it) => format!("<time datetime=\"{it}\">{}</time>", second(it)),
        Cell::Plain(it) => safe(&it).into_owned(),
        Cell::List(items) => {
            let parts: Result<Vec<_>, _> = (0..items.len()).map(|it| shown(&items, it)).collect();
            parts?.join("<br>")
        }
        Cell::Struct(..) => safe(&json::to_text(&json_value(array, row)?)?).into_owned(),
    })
}

/// The text with what HTML would act on, and what cannot be seen, written out.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    let text = escape(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::testing::{batch, instants, lists, numbers, rendered, text};
    use crate::{Format, Options};

    #[test]
    fn the_policy_allows_the_style_and_nothing_else() {
        let hash = data_encoding::BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
        assert_eq!(hash, STYLE_HASH);
        let page = rendered(&[batch(vec![("a", text(&["x"]))])], Format::Html, &Options::default());
        assert!(page.contains(&format!("default-src 'none'; style-src 'sha256-{hash}'")));
        assert!(page.contains(&format!("<style>{STYLE}</style>")));
        assert!(!page.contains("<script"));
    }

    #[test]
    fn text_of_logs_is_text() {
        let rows = batch(vec![
            ("<name>", text(&["<script>alert('x')</script>\u{1b}[2J & \"y\""])),
            ("all", lists(&[&["<b>", "c"]])),
        ]);
        let page = rendered(&[rows], Format::Html, &Options::default());
        assert!(page.contains("<th scope=\"col\">&lt;name&gt;</th>"));
        assert!(page.contains(
            "<td>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{1b}[2J &amp; &quot;y&quot;</td>"
        ));
        assert!(page.contains("<td>&lt;b&gt;<br>c</td>"));
    }

    #[test]
    fn times_and_numbers_are_exact_and_marked() {
        let rows = batch(vec![
            ("at", instants(&["2026-05-01T00:10:00.5Z", ""])),
            ("count", numbers(&[1234567, 0])),
        ]);
        let page = rendered(&[rows], Format::Html, &Options::default());
        assert!(page.contains("<td class=\"t\"><time datetime=\"2026-05-01T00:10:00.5Z\">2026-05-01T00:10:01Z</time></td>"));
        assert!(page.contains("<td class=\"n\">1234567</td>"));
        assert!(page.contains("<caption>2 rows</caption>") && page.contains("<td></td>"));
    }
}
