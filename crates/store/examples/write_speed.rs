//! Measures `Writer::write_events`: rows per second and bytes per event, with
//! and without the provider's ids, over made-up events of one day.
//!
//!     cargo run -p lastuse-store --example write_speed -- [ROWS] [CREDENTIALS]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use lastuse_store::{Store, Table};

/// A small generator, so that every run measures the same rows.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn fingerprint(of: u64) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut numbers = Numbers(of);
    let text: String = (0..52).map(|_| LETTERS[numbers.below(32) as usize] as char).collect();
    format!("lu1_{text}")
}

/// Keys and values of one text column.
fn dictionary(keys: Vec<Option<i32>>, values: Vec<String>) -> ArrayRef {
    let values = Arc::new(StringArray::from(values));
    Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::from(keys), values))
}

struct Event {
    credential: u64,
    time: i64,
    noise: u64,
}

fn column(
    name: &str,
    events: &[Event],
    credentials: u64,
    numbers: &mut Numbers,
) -> Option<ArrayRef> {
    let pick = |bound: u64, of: &dyn Fn(&Event) -> u64, text: &dyn Fn(u64) -> String| {
        let keys = events.iter().map(|it| Some((of(it) % bound) as i32)).collect();
        dictionary(keys, (0..bound).map(text).collect())
    };
    let constant = |text: &str| pick(1, &|_| 0, &|_| text.to_string());
    // Most requests of a credential look alike; some vary.
    let few = |spread: u64| {
        move |it: &Event| it.credential * 7 + (it.noise % 100 / 60) * (it.noise >> 8) % spread
    };
    Some(match name {
        "source" => constant("aws_cloudtrail"),
        "source_scope" | "account" => {
            pick(10, &|it| it.credential, &|it| format!("{:012}", it * 111_111))
        }
        "native_uid" => Arc::new(StringArray::from_iter_values(events.iter().map(|_| {
            let (a, b) = (numbers.next(), numbers.next());
            format!(
                "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                a >> 32,
                a & 0xffff,
                b & 0xfff,
                b >> 48,
                b >> 16 & 0xffff_ffff_ffff
            )
        }))),
        "event_time" => Arc::new(
            TimestampMicrosecondArray::from_iter_values(events.iter().map(|it| it.time))
                .with_timezone("UTC"),
        ),
        "time_quality" => constant("exact"),
        "category" => constant("upstream"),
        "action" => pick(220, &few(6), &|it| format!("DescribeThing{it}")),
        "outcome" => pick(2, &|it| u64::from(it.noise % 100 == 0), &|it| {
            ["success", "denied"][it as usize].to_string()
        }),
        "credential_uid" => pick(credentials, &|it| it.credential, &fingerprint),
        "id_kind" => constant("aws_access_key_id"),
        "attribution" => constant("exact"),
        "principal" => pick(credentials, &|it| it.credential, &|it| {
            format!("arn:aws:iam::{:012}:user/service-{it}", it % 10 * 111_111)
        }),
        "workload" => pick(400, &|it| it.credential, &|it| format!("prod/deployment-{it}")),
        "workload_evidence" => constant("kubernetes"),
        "instance" => pick(4_000, &|it| it.credential % 1_000 * 4 + it.noise % 4, &|it| {
            format!("deployment-{it}-7f9c")
        }),
        "source_ip" => {
            pick(5_000, &few(3), &|it| format!("10.{}.{}.{}", it % 7, it / 256, it % 256))
        }
        "user_agent" => pick(300, &few(2), &|it| {
            format!("aws-sdk-go-v2/1.{it} os/linux lang/go#1.22 md/GOARCH#amd64 api/ec2#1.{it}")
        }),
        "user_agent_product" => constant("aws-sdk-go-v2"),
        "region" => pick(4, &|it| it.credential, &|it| format!("eu-west-{it}")),
        "environment" => constant("prod"),
        "service" => pick(40, &few(6), &|it| format!("service{it}.amazonaws.com")),
        "resource" => pick(20_000, &few(20), &|it| {
            format!("arn:aws:ec2:eu-west-1:000000000000:instance/i-{it:017x}")
        }),
        "file_uid" => pick(288, &|it| it.time.unsigned_abs() / 300_000_000 % 288, &fingerprint),
        "record_number" => Arc::new(Int64Array::from_iter_values(
            events.iter().map(|it| (it.noise >> 20) as i64 % 4_000),
        )),
        "event_count" => Arc::new(Int64Array::from_iter_values(events.iter().map(|_| 1))),
        _ => return None,
    })
}

fn events(rows: u64, credentials: u64, provider_ids: bool) -> RecordBatch {
    let mut numbers = Numbers(42);
    let day = 1_772_323_200_000_000_i64;
    let mut events: Vec<Event> = (0..rows)
        .map(|_| {
            // A few credentials make most of the traffic.
            let share = numbers.below(1_000_000) as f64 / 1e6;
            Event {
                credential: (share.powi(3) * credentials as f64) as u64,
                time: day + numbers.below(86_400_000) as i64 * 1000,
                noise: numbers.next(),
            }
        })
        .collect();
    let names: Vec<String> = (0..credentials).map(fingerprint).collect();
    events.sort_by(|a, b| {
        (&names[a.credential as usize], a.time).cmp(&(&names[b.credential as usize], b.time))
    });
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for field in Table::Events.schema().fields() {
        let made = match field.name().as_str() {
            "native_uid" if !provider_ids => None,
            name => column(name, &events, credentials, &mut numbers),
        };
        let made = made.unwrap_or_else(|| match field.data_type() {
            DataType::Utf8 => dictionary(vec![None; events.len()], Vec::new()),
            other => new_null_array(other, events.len()),
        });
        fields.push(Field::new(field.name(), made.data_type().clone(), true));
        columns.push(made);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns fit their schema")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |it| it.parse())?;
    let credentials: u64 = arguments.next().map_or(Ok(2_000), |it| it.parse())?;
    for provider_ids in [true, false] {
        let batch = events(rows, credentials, provider_ids);
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path()).await?;
        let mut writer = store.begin().await?;
        let start = Instant::now();
        let part = writer.write_events(20_513, &batch)?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "provider ids {provider_ids}: {rows} rows in {seconds:.2} s ({:.0}/s), {:.2} bytes per event",
            rows as f64 / seconds,
            part.size_bytes() as f64 / rows as f64,
        );
        let start = Instant::now();
        writer.commit(vec![part]).await?;
        println!("  commit: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
        let files = store.active_files(Table::Events).await?;
        columns(&files[0].path, rows)?;
    }
    small_batches().await
}

/// Times what every run pays: opening, beginning, and committing few rows.
async fn small_batches() -> Result<(), Box<dyn std::error::Error>> {
    const BATCHES: u32 = 39;
    let folder = tempfile::tempdir()?;
    let batch = events(100, 10, true);
    let mut writer = Store::open(folder.path()).await?.begin().await?;
    let start = Instant::now();
    for _ in 0..BATCHES {
        let mut parts = vec![writer.write_events(20_513, &batch)?];
        for table in Table::ALL {
            if !matches!(table, Table::Events | Table::Lineage) {
                let schema = table.schema();
                let nulls = schema.fields().iter().map(|it| new_null_array(it.data_type(), 1));
                let row = RecordBatch::try_new(schema.clone(), nulls.collect())?;
                parts.push(writer.write_part(table, &row)?);
            }
        }
        writer.commit(parts).await?;
    }
    drop(writer);
    println!("small batch of nine tables: {:.0} ms", milliseconds(start) / f64::from(BATCHES));
    let start = Instant::now();
    let store = Store::open(folder.path()).await?;
    println!("open: {:.1} ms", milliseconds(start));
    let start = Instant::now();
    let writer = store.begin().await?;
    println!("begin after {BATCHES} batches: {:.1} ms", milliseconds(start));
    let start = Instant::now();
    let files = store.active_files(Table::Events).await?.len();
    println!("active files of events ({files}): {:.1} ms", milliseconds(start));
    let start = Instant::now();
    store.compact(&writer).await?;
    println!("compact: {:.0} ms", milliseconds(start));
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Prints which columns take the bytes.
fn columns(path: &std::path::Path, rows: u64) -> Result<(), Box<dyn std::error::Error>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    let reader = SerializedFileReader::new(std::fs::File::open(path)?)?;
    let mut sizes = std::collections::BTreeMap::<String, i64>::new();
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            let size =
                column.compressed_size() + i64::from(column.bloom_filter_length().unwrap_or(0));
            *sizes.entry(column.column_path().string()).or_default() += size;
        }
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|it| -it.1);
    for (name, size) in sizes.iter().take(10) {
        println!("  {name}: {:.2}", *size as f64 / rows as f64);
    }
    Ok(())
}
