//! `docs/registry.md` has every key and kind that the parser knows, and what it shows is read.

use std::collections::BTreeSet;

use lastuse_model::kind::KINDS;
use lastuse_model::registry::{Consumer, Registry, RegistryFormat};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/registry.md");
    std::fs::read_to_string(path).expect("the page")
}

/// What the page's tables name: the texts between backticks in the first cells of their rows.
fn named_on(page: &str) -> BTreeSet<&str> {
    let cells = page.lines().filter_map(|it| it.strip_prefix("| `")?.split(" |").next());
    cells.flat_map(|it| it.split('`').step_by(2)).collect()
}

#[test]
fn every_key_and_kind_stands_on_the_page_about_the_registry() {
    let page = page();
    let named = named_on(&page);
    let mut names = BTreeSet::new();
    // The parser names what it knows where it finds what it does not.
    for text in [
        r#"{"zzz": 1}"#,
        r#"{"secrets": [{"zzz": 1}]}"#,
        r#"{"secrets": [{"consumers": [{"zzz": 1}]}]}"#,
        r#"{"secrets": [{"versions": [{"zzz": 1}]}]}"#,
        r#"{"secrets": [{"versions": [{"identifiers": [{"zzz": 1}]}]}]}"#,
        r#"{"assets": [{"zzz": 1}]}"#,
    ] {
        let error = Registry::parse(text, RegistryFormat::Json).expect_err("an unknown key");
        let message = error.to_string();
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        assert!(message.contains("`zzz`") && known.len() >= 2, "{message}");
        names.extend(known.iter().map(|it| it.to_string()));
    }
    assert!(names.len() >= 20, "{names:?}");
    names.extend(KINDS.iter().map(|it| it.name.to_owned()));
    let missing: Vec<&String> = names.iter().filter(|it| !named.contains(it.as_str())).collect();
    assert!(missing.is_empty(), "docs/registry.md has no row of {missing:?}");
}

#[test]
fn the_example_and_the_schedules_on_the_page_are_read() {
    let page = page();
    let example = page.split("```yaml\n").nth(1).and_then(|it| it.split("```").next());
    let example = example.expect("an example");
    let registry = Registry::parse(example, RegistryFormat::Yaml).expect("a registry");
    assert!(registry.secrets[0].versions.iter().all(|it| !it.identifiers.is_empty()));
    let consumers = &registry.secrets[0].consumers;
    assert!(consumers.iter().any(|it| it.gone_time.is_some()));
    let section = page.split("\n## `schedule`\n").nth(1).expect("a section");
    let sentence = section.split(". Any other text").next().expect("a sentence");
    let schedules: Vec<&str> = sentence.split('`').skip(1).step_by(2).collect();
    assert!(schedules.len() > 10, "{schedules:?}");
    for schedule in schedules {
        let consumer = Consumer { schedule: Some(schedule.into()), ..consumers[0].clone() };
        assert!(consumer.interval_seconds().is_some(), "{schedule}");
    }
}
