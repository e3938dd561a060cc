//! The answers equal the truth of the estate, whatever the seed and however its logs arrive.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use common::truth::{assert_counts, assert_true};
use common::{Estate, Random, add_counts, copy_folder, folder, ingest, total};
use flate2::Compression;
use flate2::write::GzEncoder;
use lastuse_estate::{EstateConfig, deliver_part, files};

fn estate(seed: u64) -> Estate {
    Estate::new(&EstateConfig::demo().with_seed(seed))
}

fn answers_are_true(seed: u64) {
    println!("seed {seed}");
    let (estate, data) = (estate(seed), folder());
    estate.import(data.path());
    let counts = ingest(data.path(), [estate.logs()]);
    assert_counts(&estate.truth, &counts);
    assert_true(&estate, data.path());
}

#[test]
fn the_answers_are_true_of_seeds_1_to_5() {
    (1..=5).for_each(answers_are_true);
}

#[test]
fn the_answers_are_true_of_seeds_6_to_10() {
    (6..=10).for_each(answers_are_true);
}

#[test]
fn the_order_of_files_and_records_changes_no_answer() {
    for (seed, shuffle) in [(1, true), (2, false)] {
        println!("seed {seed}");
        let config = EstateConfig { shuffle, ..EstateConfig::demo() };
        let (estate, data) = (Estate::new(&config.with_seed(seed)), folder());
        let mut paths = estate.files();
        Random::new(seed).shuffle(&mut paths);
        let counts = ingest(data.path(), &paths);
        assert_counts(&estate.truth, &counts);
        // The registry may as well come last.
        estate.import(data.path());
        assert_true(&estate, data.path());
    }
}

#[test]
fn a_file_given_twice_under_another_name_counts_once() {
    let (estate, data) = (estate(3), folder());
    let copy = estate.root().join("copy");
    copy_folder(&estate.logs(), &copy);
    estate.import(data.path());
    let counts = ingest(data.path(), [estate.logs(), copy.clone()]);
    assert_counts(&estate.truth, &counts);
    assert_true(&estate, data.path());
    // And once more, later, under a third name.
    let third = estate.root().join("third");
    fs::rename(copy, &third).expect("renames");
    let again = ingest(data.path(), [third, estate.logs()]);
    assert_eq!(total(&again).records, 0);
    assert_true(&estate, data.path());
}

#[test]
fn a_file_given_twice_in_two_runs_counts_once() {
    let (estate, data) = (estate(4), folder());
    let copy = estate.root().join("copy");
    copy_folder(&estate.logs(), &copy);
    estate.import(data.path());
    let counts = ingest(data.path(), [copy]);
    assert_counts(&estate.truth, &counts);
    let again = ingest(data.path(), [estate.logs()]);
    assert_eq!(total(&again).records, 0);
    assert_true(&estate, data.path());
}

#[test]
fn one_file_per_run_gives_the_same_answers() {
    let config =
        EstateConfig { file_hours: 480, records_per_file: 100_000, ..EstateConfig::demo() };
    let (estate, data) = (Estate::new(&config.with_seed(5)), folder());
    estate.import(data.path());
    let mut paths = estate.files();
    Random::new(5).shuffle(&mut paths);
    println!("{} files", paths.len());
    let mut counts = BTreeMap::new();
    for path in paths {
        add_counts(&mut counts, &ingest(data.path(), [path]));
    }
    assert_counts(&estate.truth, &counts);
    assert_true(&estate, data.path());
}

#[test]
fn files_that_grow_between_runs_are_read_once() {
    for seed in [6, 7] {
        println!("seed {seed}");
        let (estate, data) = (estate(seed), folder());
        estate.import(data.path());
        let grown = estate.root().join("grown");
        let mut counts = BTreeMap::new();
        for share in [0.13, 0.5, 0.501, 0.87, 1.0] {
            deliver_part(&estate.logs(), &grown, share).expect("copies");
            let run = common::run(common::lastuse(data.path()).arg("ingest").arg(&grown)).exits(0);
            add_counts(&mut counts, &common::counts(&run.stdout));
        }
        assert_counts(&estate.truth, &counts);
        assert_true(&estate, data.path());
    }
}

#[test]
fn records_delivered_again_count_once() {
    let config = EstateConfig { duplicates: 0.6, late: 0.1, ..EstateConfig::demo() };
    let (estate, data) = (Estate::new(&config.with_seed(8)), folder());
    estate.import(data.path());
    let counts = ingest(data.path(), [estate.logs()]);
    assert!(total(&counts).duplicates * 3 > total(&counts).accepted);
    assert_counts(&estate.truth, &counts);
    assert_true(&estate, data.path());
}

#[test]
fn rotated_and_compressed_files_are_the_same_files() {
    let (estate, data) = (estate(9), folder());
    estate.import(data.path());
    let grown = estate.root().join("grown");
    // Half of each plain file is read before it is rotated.
    deliver_part(&estate.logs(), &grown, 0.5).expect("copies");
    let mut counts = ingest(data.path(), [&grown]);
    deliver_part(&estate.logs(), &grown, 1.0).expect("copies");
    rotate(&grown);
    add_counts(&mut counts, &ingest(data.path(), [&grown]));
    assert_counts(&estate.truth, &counts);
    assert_true(&estate, data.path());
}

#[test]
fn files_rotated_and_compressed_after_they_were_read_bring_nothing_new() {
    let (estate, data) = (estate(10), folder());
    estate.import(data.path());
    let counts = ingest(data.path(), [estate.logs()]);
    assert_counts(&estate.truth, &counts);
    rotate(&estate.logs());
    let again = ingest(data.path(), [estate.logs()]);
    assert_eq!(total(&again).records, 0, "{again:?}");
    assert_true(&estate, data.path());
}

/// Renames plain files as rotation does and compresses them: in turn with gzip in one
/// member, gzip in several, and zstd.
fn rotate(logs: &Path) {
    let plain = files(logs).expect("lists");
    let plain = plain.iter().filter(|it| it.extension().is_none_or(|it| it != "gz"));
    for (number, path) in plain.enumerate() {
        let bytes = fs::read(path).expect("reads");
        let name = path.file_name().expect("a name").to_string_lossy();
        let (ending, packed) = match number % 3 {
            0 => ("1.gz", gzip(&[&bytes])),
            1 => {
                let (a, b) = bytes.split_at(bytes.len() / 3);
                ("2.gz", gzip(&[a, b]))
            }
            _ => ("1.zst", zstd::bulk::compress(&bytes, 3).expect("compresses")),
        };
        let target = path.with_file_name(format!("{name}.{ending}"));
        fs::write(&target, packed).expect("writes");
        // Packers keep the time, by which lines without a year are dated.
        let modified = fs::metadata(path).and_then(|it| it.modified()).expect("a time");
        let file = fs::File::options().write(true).open(&target).expect("opens");
        file.set_modified(modified).expect("sets its time");
        fs::remove_file(path).expect("removes");
    }
}

fn gzip(members: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        let mut encoder = GzEncoder::new(&mut out, Compression::fast());
        encoder.write_all(member).expect("compresses");
        encoder.finish().expect("compresses");
    }
    out
}
