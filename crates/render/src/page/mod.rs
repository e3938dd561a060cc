//! The pre-rotation report as one HTML page that a change ticket can carry.
//!
//! ```text
//! model (what is to be shown) -> view (order, roles, time axis) -> summary, lanes, tables
//! ```
//!
//! The page asks for nothing: its style and its one script stand in it, named by their hashes in a
//! policy that forbids everything else. Charts are SVG and are there without the script. Whatever
//! text a log brought is escaped and cut. The same input gives the same bytes.

mod axis;
mod evidence;
mod heat;
mod lanes;
pub mod model;
mod reasons;
mod references;
mod scale;
mod summary;
mod tables;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::io::{self, BufWriter, Write};

use crate::RenderError;

use lanes::Lanes;
use model::Page;
use view::{Standing, View};
use words::{LABEL, LONG, instant, number, shown, times};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// SHA-256 of `STYLE` and `SCRIPT` in base64; a test checks them.
const STYLE_HASH: &str = "mbdbPYFHLJTF0FgiH55adL8uIW581jvK1OaURrmCIHQ=";
const SCRIPT_HASH: &str = "gDGtQCRipuaK5QVvgw3YcrgS99d+0QSZMYg0Dcjc/ZU=";

/// The parts of a secret: the end of their ids, and their names.
const PARTS: [(&str, &str); 5] = [
    ("fi", "Findings"),
    ("ti", "Consumers over time"),
    ("ta", "Consumers as a table"),
    ("lo", "Logs"),
    ("ve", "Versions"),
];

/// A table of more rows is folded away: browsers take seconds to lay it out.
const ROWS_OPEN: usize = 1_000;

/// Writes the report.
pub fn page(page: &Page, out: &mut dyn Write) -> Result<(), RenderError> {
    let mut out = BufWriter::new(out);
    write_page(page, &mut out)?;
    out.flush()?;
    Ok(())
}

fn write_page(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    write_head(page, out)?;
    if page.secrets.is_empty() {
        out.write_all(b"<p>There is no secret to report on.</p>\n")?;
    }
    if page.secrets.len() > 1 {
        summary::write_secrets(page, out)?;
    }
    let consumers: usize = page.secrets.iter().map(|it| it.consumers.len()).sum();
    // Few lanes are drawn finely; many must not make the page too large to be mailed.
    let slots_max = match consumers {
        ..=100 => 960,
        101..=400 => 480,
        _ => 240,
    };
    for (index, secret) in page.secrets.iter().enumerate() {
        write_secret(&View::new(page, secret, index, slots_max), out)?;
    }
    write_foot(page, out)
}

fn write_head(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    let title = match &page.secrets[..] {
        [only] => shown(&only.secret_id, LONG),
        all => times(all.len() as u64, "secret"),
    };
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
        style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; \
        base-uri 'none'; form-action 'none'\">\n\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
        <title>Rotation report: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
        <a class=\"skip\" href=\"#main\">Skip to the answer</a>\n\
        <header><h1>Rotation report</h1>\n\
        <p class=\"facts\">As of <time>{}</time>, over logs since <time>{}</time>. \
        All times are UTC.</p></header>\n<main id=\"main\">\n",
        instant(page.as_of_time),
        instant(page.start_time)
    )?;
    for note in &page.notes {
        writeln!(out, "<p class=\"note\">{}</p>", shown(note, LONG))?;
    }
    Ok(())
}

fn write_secret(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (s, secret) = (view.index, view.secret);
    let id = shown(&secret.secret_id, LONG);
    writeln!(out, "<section class=\"secret\" id=\"s{s}\" aria-labelledby=\"s{s}h\">")?;
    writeln!(out, "<h2 id=\"s{s}h\">{id}</h2>")?;
    if let Some(owner) = &secret.owner {
        writeln!(out, "<p class=\"facts\">Owner: {}</p>", shown(owner, LONG))?;
    }
    summary::write_verdicts(view, out)?;
    write!(out, "<nav class=\"parts\" aria-label=\"Parts of {id}\"><ul>")?;
    for (part, name) in PARTS {
        if part != "ta" || !secret.consumers.is_empty() {
            write!(out, "<li><a href=\"#s{s}{part}\">{name}</a></li>")?;
        }
    }
    writeln!(out, "</ul></nav>\n<h3 id=\"s{s}fi\">Findings</h3>")?;
    tables::write_findings(view, out)?;
    writeln!(out, "<h3 id=\"s{s}ti\">Consumers over time</h3>")?;
    write_consumers(view, out)?;
    writeln!(out, "<h3 id=\"s{s}lo\">Logs</h3>")?;
    tables::write_coverage(view, out)?;
    writeln!(out, "<h3 id=\"s{s}ve\">Versions</h3>")?;
    tables::write_versions(view, out)?;
    out.write_all(b"</section>\n")
}

/// Lanes, heat map and table of consumers, and what narrows them down.
fn write_consumers(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let s = view.index;
    let lanes = Lanes::new(view);
    if view.secret.consumers.is_empty() {
        out.write_all(
            b"<p class=\"note\">Nobody was seen using this secret. Whether that means that nobody \
            does depends on the logs below.</p>\n",
        )?;
        return write_chart(view, &lanes, out);
    }
    write_filter(view, out)?;
    axis::write_legend(view, &lanes, out)?;
    write_chart(view, &lanes, out)?;
    heat::write(view, out)?;
    writeln!(out, "<h3 id=\"s{s}ta\">Consumers as a table</h3>")?;
    let count = view.secret.consumers.len();
    if count <= ROWS_OPEN {
        return tables::write_consumers(view, out);
    }
    writeln!(out, "<details><summary>{} rows</summary>", number(count as u64))?;
    tables::write_consumers(view, out)?;
    out.write_all(b"</details>\n")
}

fn write_chart(view: &View<'_>, lanes: &Lanes<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.secret.consumers.is_empty() && view.secret.coverage.is_empty() {
        return Ok(());
    }
    out.write_all(b"<div class=\"chart\">\n")?;
    axis::write(view, out)?;
    lanes.write_shared(out)?;
    lanes.write(out)?;
    axis::write_logs(view, out)?;
    out.write_all(b"</div>\n")
}

/// Controls that only the script can serve; it shows them.
fn write_filter(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(
        b"<div class=\"filter\" role=\"search\" aria-label=\"Consumers\" hidden>\
        <label>Find <input type=\"search\" placeholder=\"name, address, owner...\" \
        autocomplete=\"off\" spellcheck=\"false\"></label>\
        <fieldset><legend>State</legend>",
    )?;
    for it in Standing::ALL.into_iter().filter(|it| view.count(*it) > 0) {
        write!(
            out,
            "<label><input type=\"checkbox\" checked value=\"{}\">{} ({})</label>",
            it as u8,
            it.name(),
            number(view.count(it) as u64)
        )?;
    }
    out.write_all(
        b"</fieldset><label><input type=\"checkbox\" class=\"prod\">production only</label>\
        <output></output></div>\n",
    )
}

fn write_foot(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(
        b"<details class=\"words\"><summary><h2>What the words mean</h2></summary>\n<dl>\
        <dt>use</dt><dd>a request that the credential authenticated, even if the action was then \
        denied</dd><dt>derived</dt><dd>a use of a credential that was obtained with this one</dd>\
        <dt>refused</dt><dd>an attempt whose credential itself was rejected</dd>\
        <dt>soak</dt><dd>how long an old version must stay quiet, in observed time, before it may \
        be revoked; each consumer's own rhythm decides</dd>\
        <dt>shadow</dt><dd>a consumer that the registry does not declare</dd>\
        <dt>straggler</dt><dd>presented the old version after its cutoff</dd>",
    )?;
    for it in Standing::ALL {
        write!(out, "<dt>{}</dt><dd>{}</dd>", it.name(), it.meaning())?;
    }
    out.write_all(b"</dl>\n<h3>References</h3>\n<ul>")?;
    for it in references::ALL {
        write!(out, "<li>{} {}</li>", it.name, it.title)?;
    }
    write!(
        out,
        "</ul>\n<p class=\"note\">NHI: OWASP Non-Human Identities Top 10 (2025). CSF: NIST \
        Cybersecurity Framework 2.0. SP 800-57 speaks of cryptographic keys; what it says of their \
        periods and revocation is applied here to other credentials too.</p></details>\n</main>\n\
        <footer><p class=\"note\">Made by {}. This file is complete: it loads nothing and sends \
        nothing.</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        shown(&page.tool_version, LABEL)
    )
}
