//! How fast each source's records become columns: its fixtures, each repeated to some megabytes,
//! beside CloudTrail's in one run. Prints a table; the last column is the ratio.
//!
//! Fixtures of a source that only stand once in a file (a document around its records) are left
//! out, and a source that has no others is listed without a figure.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastuse_benches::{Logs, extract, files, normalizer};
use lastuse_ingest::catalog;
use lastuse_sources::{Catalog, Sample};

/// What a fixture is repeated to.
const BYTES: usize = 4 << 20;
/// For how long each is read.
const TIME: Duration = Duration::from_millis(500);
/// The source that the others are compared with.
const REFERENCE: &str = "aws_cloudtrail";

fn main() {
    let catalog = catalog::load(&[]).expect("the built-in sources");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let mut speeds: Vec<(String, Option<f64>)> = Vec::new();
    for source in catalog.iter() {
        let cases: Vec<Logs> = files(&root.join(&source.name))
            .iter()
            .filter(|it| it.file_stem().is_some_and(|it| it == "input"))
            .filter_map(|it| repeated(it, &catalog))
            .filter(|it| it.source.name == source.name)
            .collect();
        let (bytes, time) = cases.iter().map(read).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        let speed = (!cases.is_empty()).then(|| bytes / time / 1e6);
        speeds.push((source.name.clone(), speed));
    }
    let reference = speeds.iter().find(|it| it.0 == REFERENCE).and_then(|it| it.1);
    let reference = reference.expect("CloudTrail has fixtures of lines");
    speeds.sort_by(|a, b| a.1.unwrap_or(0.0).total_cmp(&b.1.unwrap_or(0.0)));
    println!("source                      MB/s   of CloudTrail's");
    for (name, speed) in speeds {
        match speed {
            Some(it) => println!("{name:<24} {it:>7.0}   {:>5.2}", it / reference),
            None => println!("{name:<24}       -       -"),
        }
    }
}

/// The fixture many times over, if it gives as many records as that.
fn repeated(path: &Path, catalog: &Catalog) -> Option<Logs> {
    let mut once = std::fs::read(path).ok()?;
    if once.last() != Some(&b'\n') {
        once.push(b'\n');
    }
    let name = path.file_name()?.to_string_lossy().into_owned();
    let sample = Sample { bytes: &once[..once.len().min(65_536)], complete: true, name: &name };
    let (source, format) = catalog.detect(&sample).source?;
    let times = BYTES.div_ceil(once.len());
    let of = |bytes: Vec<u8>| Logs { bytes, source: Arc::clone(&source), format };
    let (one, many) = (of(once.clone()), of(once.repeat(times)));
    let fields = normalizer(&one).fields().to_vec();
    let count = |logs: &Logs| std::panic::catch_unwind(|| extract(logs, &fields, |_| {})).ok();
    let is_repeatable = count(&one)? > 0 && count(&many)? == times as u64 * count(&one)?;
    is_repeatable.then_some(many)
}

/// Bytes that were read, and the seconds that it took.
fn read(logs: &Logs) -> (f64, f64) {
    let fields = normalizer(logs).fields().to_vec();
    let start = Instant::now();
    let mut times = 0;
    while start.elapsed() < TIME {
        extract(logs, &fields, |_| {});
        times += 1;
    }
    ((times * logs.bytes.len()) as f64, start.elapsed().as_secs_f64())
}
