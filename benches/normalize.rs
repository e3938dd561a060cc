//! How fast extracted fields become events with nothing raw in them: a source's SQL,
//! fingerprints and redaction, each once for every combination of values.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastuse_benches::{extract, logs, normalizer};
use lastuse_estate::LogSource;
use lastuse_ingest::protect::{InputFacts, Protector};
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;

fn bench(criterion: &mut Criterion) {
    let key = Arc::new(FingerprintKey::from_bytes(&[7; 32]));
    let mut group = criterion.benchmark_group("normalize");
    group.sample_size(10);
    for source in LogSource::ALL {
        let logs = logs(source, 50_000);
        let normalizer = normalizer(&logs);
        let facts = InputFacts {
            source: logs.source.name.clone(),
            category: logs.source.category.clone(),
            scope: String::new(),
            file_uid: "file".to_owned(),
        };
        let mut chunks = Vec::new();
        let records = extract(&logs, normalizer.fields(), |it| chunks.push(it));
        group.throughput(Throughput::Elements(records));
        group.bench_function(source.name(), |it| {
            it.iter(|| {
                let redactor = Arc::new(Redactor::new(key.as_ref().clone(), []));
                let mut protector = Protector::new(Arc::clone(&key), redactor, [1; 16], [2; 16]);
                for chunk in &chunks {
                    protector.protect(&normalizer, chunk.clone(), &facts).expect("rows");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
