//! How fast a source's SQL turns extracted fields into events.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastuse_benches::{extract, logs, normalizer};
use lastuse_estate::LogSource;

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("normalize");
    group.sample_size(10);
    for source in LogSource::ALL {
        let logs = logs(source, 50_000);
        let normalizer = normalizer(&logs);
        let mut chunks = Vec::new();
        let records =
            extract(&logs, normalizer.fields(), |arrays, rows| chunks.push((arrays, rows)));
        group.throughput(Throughput::Elements(records));
        group.bench_function(source.name(), |it| {
            it.iter(|| {
                for (arrays, rows) in &chunks {
                    normalizer.normalize(arrays.clone(), *rows).expect("rows");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
