//! The whole way of a record: files in, committed tables out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lastuse_estate::{EstateConfig, LogSource, generate};
use lastuse_ingest::{Ingest, catalog, discover};
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;
use lastuse_store::Store;

fn ingest(logs: &Path, data: &Path, threads: usize) -> u64 {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let store = runtime.block_on(Store::open(data)).expect("a store");
    let catalog = catalog::load(&[]).expect("the built-in sources");
    let key = FingerprintKey::from_bytes(&[7; 32]);
    let stop = AtomicBool::new(false);
    let ingest = Ingest {
        store: &store,
        key: Arc::new(key.clone()),
        redactor: Arc::new(Redactor::new(key, [])),
        catalog: &catalog,
        source: None,
        scope: None,
        digest_keys: None,
        threads,
        runtime: runtime.handle().clone(),
        stop: &stop,
        progress: &|_| {},
    };
    let inputs = discover(&[logs.to_owned()], data).inputs;
    ingest.run(&inputs).expect("an ingest").total().accepted
}

fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = EstateConfig::bench(100_000).with_sources(&[LogSource::CloudTrail]);
    generate(&config, folder.path()).expect("an estate");
    let logs = folder.path().join("logs");
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10);
    group.throughput(Throughput::Elements(100_000));
    for threads in [1, 2] {
        group.bench_function(format!("cloudtrail, {threads} threads"), |it| {
            it.iter_batched(
                || tempfile::tempdir().expect("a temporary folder"),
                |data| ingest(&logs, data.path(), threads),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
