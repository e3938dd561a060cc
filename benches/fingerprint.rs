//! How fast credentials are fingerprinted and free text is redacted.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;

const AGENT: &str = "aws-cli/2.15.30 Python/3.11.8 Linux/6.1.79 exe/x86_64.amzn.2023 prompt/off \
    command/s3.cp md/installer#exe";

fn bench(criterion: &mut Criterion) {
    let key = FingerprintKey::from_bytes(&[7; 32]);
    let mut group = criterion.benchmark_group("fingerprint");
    group.throughput(Throughput::Elements(1));
    group.bench_function("identifier", |it| {
        it.iter(|| key.identifier("aws_access_key_id", "", "AKIAQHGF2UR2IPJXJDSY"));
    });
    group.bench_function("secret of 40 bytes", |it| it.iter(|| key.secret(&[b'x'; 40])));
    group.finish();

    let redactor = Redactor::new(key, []);
    let mut group = criterion.benchmark_group("redact");
    group.throughput(Throughput::Bytes(AGENT.len() as u64));
    group.bench_function("clean user agent", |it| it.iter(|| redactor.redact(AGENT).len()));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
