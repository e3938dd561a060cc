//! `docs/sources.md` says what each source shows, as its folder says it.
//!
//! With `LASTUSE_UPDATE_DOCS=1` the page is written instead of compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lastuse_ingest::catalog;
use lastuse_ingest::normalize::Normalizer;
use lastuse_sources::Source;

const HEAD: &str = "\
# Sources

Generated from `queries/sources` by a test (`LASTUSE_UPDATE_DOCS=1 cargo test --workspace --test sources_page`); do not edit.

A source of yours stands beside these: see [queries/README.md](../queries/README.md). `lastuse sources show NAME` prints the SQL, whose first lines say what the log shows and which choices were made.

- **credential**: the log names what was presented, by value, hash or id (`exact`); otherwise it names at most who (`principal`), and then it proves no use of a secret version.
- **consumer**: what names the software that ran, beside the address and the asset list.
- **exchange**: which credential was obtained with which. **version**: reads of secrets, with their version. **lifecycle**: creation, rotation, end of credentials.
- **delay**: how late events usually arrive. Quiet hours younger than that prove nothing.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The columns that a source's SQL gives, and its grade of attribution where that is fixed.
fn columns(source: &Source) -> (BTreeSet<String>, Option<String>) {
    let normalizer = Normalizer::of(source).expect("SQL that plans");
    let mut names: BTreeSet<String> = normalizer.first().each().names().iter().cloned().collect();
    let mut grade = None;
    for part in normalizer.first().parts() {
        names.extend(part.names().iter().cloned());
        if let (Some(at), []) = (part.position("attribution"), part.fields()) {
            let values = part.evaluate(Vec::new(), 1).expect("a constant");
            grade = values[at].text(0).map(str::to_owned);
        }
    }
    let further = normalizer.further().iter().flat_map(|it| it.1.parts());
    names.extend(further.flat_map(|it| it.names().iter().cloned()));
    (names, grade)
}

fn row(source: &Source) -> String {
    let (columns, grade) = columns(source);
    let has = |name: &str| columns.contains(name);
    let yes = |shown: bool| if shown { "yes" } else { "" };
    let credential = match (grade, has("credential_value"), has("principal")) {
        (Some(grade), _, _) => grade,
        (None, true, true) => "exact where the event names it, else principal".to_owned(),
        (None, true, false) => "exact".to_owned(),
        (None, false, _) => "principal".to_owned(),
    };
    let mut consumer = Vec::new();
    let words = [("workload", "workload"), ("source_ip", "address"), ("user_agent", "user agent")];
    consumer.extend(words.iter().filter(|it| has(it.0)).map(|it| it.1));
    let reads = source.category == "secret_read" || source.sql.contains("'secret_read'");
    format!(
        "| `{}` | {} | {credential} | {} | {} | {} | {} | {} |",
        source.name,
        source.title,
        consumer.join(", "),
        yes(has("issued_credential_value")),
        yes(has("target_version") && reads),
        yes(has("target_state") || source.sql.contains("'lifecycle'")),
        source.delay.as_deref().unwrap_or(""),
    )
}

fn page() -> String {
    let catalog = catalog::load(&[]).expect("the built-in sources");
    let mut sources: Vec<_> = catalog.iter().collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let mut page = format!(
        "{HEAD}\n| source | log | credential | consumer | exchange | version | lifecycle | delay |\n\
        |---|---|---|---|---|---|---|---|\n"
    );
    for source in &sources {
        page.push_str(&row(source));
        page.push('\n');
    }
    page.push_str("\n## What they cannot show\n");
    for source in sources.iter().filter(|it| !it.blind_spots.is_empty()) {
        page.push_str(&format!("\n### {}\n\n", source.title));
        for blind_spot in &source.blind_spots {
            page.push_str(&format!("- {blind_spot}\n"));
        }
    }
    page
}

#[test]
fn the_page_about_sources_is_current() {
    let path = root().join("docs/sources.md");
    let page = page();
    if std::env::var_os("LASTUSE_UPDATE_DOCS").is_some() {
        fs::create_dir_all(root().join("docs")).expect("a folder");
        fs::write(&path, page).expect("the page is written");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, page, "docs/sources.md is not what the sources say");
}
