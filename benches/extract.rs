//! How fast records become columns of named fields, per source.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastuse_benches::{extract, logs, normalizer};
use lastuse_estate::LogSource;

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("extract");
    group.sample_size(10);
    for source in LogSource::ALL {
        let logs = logs(source, 50_000);
        let fields = normalizer(&logs).fields().to_vec();
        group.throughput(Throughput::Bytes(logs.bytes.len() as u64));
        group.bench_function(source.name(), |it| it.iter(|| extract(&logs, &fields, |_| {})));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
