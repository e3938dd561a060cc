//! Parquet is read like the same records in JSON, whoever wrote it and however it is packed;
//! what is no good Parquet costs itself at most.

mod common;

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::json::ReaderBuilder;
use common::{Random, call, counts, folder, lastuse, measure, run, sql, total};
use lastuse_sources::Limits;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use serde_json::{Map, Value, json};

/// The most memory that an ingest of anything here may hold, in KiB.
const MOST_KIB: u64 = 512 * 1024;

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int32, true)
}

fn object(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(Fields::from(fields)), true)
}

fn list(name: &str, element: DataType) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("element", element, true))), true)
}

fn map(name: &str, value: DataType) -> Field {
    let pair = vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)];
    let pair = Field::new("key_value", DataType::Struct(Fields::from(pair)), false);
    Field::new(name, DataType::Map(Arc::new(pair), false), true)
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The columns of CloudTrail events in Security Lake (OCSF 1.1), `time` as it is given.
fn security_lake(time: DataType) -> Schema {
    let account = || object("account", vec![text("uid")]);
    let user = object(
        "user",
        vec![
            text("type"),
            text("name"),
            text("uid_alt"),
            text("uid"),
            account(),
            text("credential_uid"),
        ],
    );
    let session = object(
        "session",
        vec![Field::new("created_time_dt", instant(), true), text("issuer"), text("uid")],
    );
    let resource = Fields::from(vec![text("uid"), object("owner", vec![account()]), text("type")]);
    Schema::new(vec![
        object(
            "metadata",
            vec![
                object(
                    "product",
                    vec![
                        text("version"),
                        text("name"),
                        text("vendor_name"),
                        object("feature", vec![text("name")]),
                    ],
                ),
                text("event_code"),
                text("uid"),
                list("profiles", DataType::Utf8),
                text("version"),
            ],
        ),
        Field::new("time", time, true),
        Field::new("time_dt", instant(), true),
        object("cloud", vec![text("region"), text("provider"), account()]),
        object(
            "api",
            vec![
                object("response", vec![text("error"), text("message"), text("data")]),
                text("operation"),
                text("version"),
                object("service", vec![text("name")]),
                object("request", vec![text("data"), text("uid")]),
            ],
        ),
        object("actor", vec![user, session, text("invoked_by")]),
        object("user", vec![text("uid"), text("name"), text("credential_uid")]),
        object("http_request", vec![text("user_agent")]),
        object("src_endpoint", vec![text("uid"), text("ip"), text("domain")]),
        list("resources", DataType::Struct(resource)),
        text("class_name"),
        number("class_uid"),
        number("category_uid"),
        number("activity_id"),
        Field::new("type_uid", DataType::Int64, true),
        number("severity_id"),
        text("status"),
        number("status_id"),
        Field::new("is_mfa", DataType::Boolean, true),
        map("unmapped", DataType::Utf8),
    ])
}

/// Made-up requests of CloudTrail as Security Lake maps them.
fn records(count: usize) -> Vec<Value> {
    (0..count).map(record).collect()
}

fn record(number: usize) -> Value {
    let millis = 1_772_355_600_000i64 + number as i64 * 1_717;
    let mut record = json!({
        "metadata": {
            "product": {"version": "1.09", "name": "CloudTrail", "vendor_name": "AWS",
                "feature": {"name": "Management, Data, and Insights"}},
            "event_code": "AwsApiCall", "uid": format!("0c5f0000-0002-4000-8000-{number:012}"),
            "profiles": ["cloud", "datetime"], "version": "1.1.0"},
        "time": millis,
        "cloud": {"region": "eu-west-1", "provider": "AWS", "account": {"uid": "123456789012"}},
        "api": {"operation": "GetObject", "service": {"name": "s3.amazonaws.com"},
            "request": {"uid": "r"}},
        "actor": {
            "user": {"type": "IAMUser", "name": "deploy", "account": {"uid": "123456789012"},
                "uid": "arn:aws:iam::123456789012:user/deploy",
                "credential_uid": format!("AKIALASTUSEOCSF{:05}", number % 7)},
            "session": {}},
        "http_request": {"user_agent": format!("Boto3/1.34.{}", number % 3)},
        "src_endpoint": {"ip": format!("198.51.100.{}", number % 200)},
        "resources": [
            {"uid": format!("arn:aws:s3:::shop-{}/2026/{number}.json", number % 5),
                "owner": {"account": {"uid": "123456789012"}}, "type": "AWS::S3::Object"},
            {"uid": "arn:aws:s3:::shop", "type": "AWS::S3::Bucket"}],
        "class_name": "API Activity", "class_uid": 6003, "category_uid": 6, "activity_id": 2,
        "type_uid": 600302, "severity_id": 1, "status": "Success", "status_id": 1,
        "unmapped": {"eventType": "AwsApiCall", "recipientAccountId": "123456789012"},
    });
    match number % 5 {
        1 => {
            record["class_name"] = json!("Authentication");
            record["class_uid"] = json!(3002);
            record["category_uid"] = json!(3);
            record["api"]["operation"] = json!("AssumeRole");
            record["api"]["service"]["name"] = json!("sts.amazonaws.com");
            record["is_mfa"] = json!(false);
            record["unmapped"]["responseElements.credentials.accessKeyId"] =
                json!(format!("ASIALASTUSEOCSF{number:05}"));
            record["unmapped"]["responseElements.credentials.expiration"] =
                json!("Mar 1, 2026, 10:00:05 AM");
            record["resources"] = json!([]);
        }
        2 => {
            record["status_id"] = json!(2);
            record["status"] = json!("Failure");
            record["api"]["response"] = json!({"error": "AccessDenied", "message": "no \"way\"\n"});
        }
        3 => {
            record["actor"]["invoked_by"] = json!("lambda.amazonaws.com");
            record["actor"]["session"] =
                json!({"created_time_dt": "2026-03-01T08:00:00Z", "issuer": "arn"});
            record.as_object_mut().expect("an object").remove("resources");
        }
        _ => {}
    }
    record
}

fn ndjson(records: &[Value]) -> Vec<u8> {
    records.iter().flat_map(|it| format!("{it}\n").into_bytes()).collect()
}

fn batch(schema: &Schema, records: &[Value]) -> RecordBatch {
    let builder = ReaderBuilder::new(Arc::new(schema.clone())).with_batch_size(records.len());
    let mut decoder = builder.build_decoder().expect("a schema that JSON can have");
    decoder.serialize(records).expect("records of the schema");
    decoder.flush().expect("a batch").expect("rows")
}

fn write(schema: &Schema, records: &[Value], properties: WriterPropertiesBuilder) -> Vec<u8> {
    let batch = batch(schema, records);
    let mut out = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut out, batch.schema(), Some(properties.build())).expect("a writer");
    writer.write(&batch).expect("writes");
    writer.close().expect("closes");
    out
}

/// How Parquet may be written: name and properties.
fn ways() -> Vec<(&'static str, WriterPropertiesBuilder)> {
    let small = || {
        WriterProperties::builder()
            .set_max_row_group_row_count(Some(150))
            .set_data_page_row_count_limit(40)
            .set_write_batch_size(10)
    };
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let gzip = Compression::GZIP(GzipLevel::default());
    vec![
        ("as its writer likes", WriterProperties::builder()),
        ("zstd", small().set_compression(zstd)),
        ("gzip", small().set_compression(gzip)),
        ("snappy", small().set_compression(Compression::SNAPPY)),
        ("plain", small().set_dictionary_enabled(false)),
        ("version 2", small().set_writer_version(WriterVersion::PARQUET_2_0).set_compression(zstd)),
        (
            "version 2 without dictionaries",
            small()
                .set_writer_version(WriterVersion::PARQUET_2_0)
                .set_dictionary_enabled(false)
                .set_compression(Compression::SNAPPY),
        ),
        (
            "dictionaries that are given up",
            small().set_dictionary_page_size_limit(200).set_compression(gzip),
        ),
    ]
}

/// All events, without what names their file.
fn events(data: &Path) -> Vec<Value> {
    let mut rows = sql(data, "SELECT * FROM events ORDER BY native_uid");
    for row in &mut rows {
        let row = row.as_object_mut().expect("an object");
        ["event_uid", "file_uid"].iter().for_each(|it| drop(row.remove(*it)));
    }
    rows
}

#[test]
fn security_lakes_files_become_the_rows_of_the_same_records_in_json() {
    let records = records(400);
    let (logs, data) = (folder(), folder());
    let plain = logs.path().join("events.json");
    fs::write(&plain, ndjson(&records)).expect("writes");
    call(data.path(), [Path::new("ingest"), &plain]).exits(0);
    let wanted = events(data.path());
    assert_eq!(wanted.len(), 400);
    assert!(wanted.iter().any(|it| !it["issued_credential_uid"].is_null()));
    let key = data.path().join("fingerprint.key");
    for (way, properties) in ways() {
        let data = folder();
        fs::copy(&key, data.path().join("fingerprint.key")).expect("copies");
        let path = logs.path().join("events.parquet");
        let schema = security_lake(DataType::Int64);
        fs::write(&path, write(&schema, &records, properties)).expect("writes");
        let done = call(data.path(), [Path::new("ingest"), &path]).exits(0);
        let all = counts(&done.stdout);
        assert_eq!((all["ocsf"].accepted, all["ocsf"].rejected), (400, 0), "{way}: {done:?}");
        assert_eq!(events(data.path()), wanted, "{way}");
    }
}

#[test]
fn an_instant_that_is_a_timestamp_is_the_same_instant() {
    let records = records(20);
    let (logs, data) = (folder(), folder());
    let path = logs.path().join("events.parquet");
    let dated: Vec<Value> = records
        .iter()
        .cloned()
        .map(|mut it| {
            let time = it["time"].as_i64().expect("milliseconds");
            it["time"] =
                json!(jiff::Timestamp::from_millisecond(time).expect("a time").to_string());
            it
        })
        .collect();
    fs::write(&path, write(&security_lake(instant()), &dated, WriterProperties::builder()))
        .expect("writes");
    call(data.path(), [Path::new("ingest"), &path]).exits(0);
    let rows = sql(data.path(), "SELECT event_time FROM events ORDER BY event_time");
    assert_eq!((rows.len(), &rows[1]["event_time"]), (20, &json!("2026-03-01T09:00:01.717Z")));
}

#[test]
fn parquet_is_known_again_by_its_content() {
    let (logs, data) = (folder(), folder());
    let at = |name: &str| logs.path().join(name);
    let schema = security_lake(DataType::Int64);
    let bytes = write(&schema, &records(300), WriterProperties::builder());
    fs::write(at("one.parquet"), &bytes).expect("writes");
    call(data.path(), [Path::new("ingest"), logs.path()]).exits(0);
    fs::write(at("copy.gz.parquet"), &bytes).expect("writes");
    // The same rows in another file are the same log.
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let packed = WriterProperties::builder().set_compression(zstd);
    fs::write(at("packed.parquet"), write(&schema, &records(300), packed)).expect("writes");
    let again = call(data.path(), [Path::new("ingest"), logs.path()]).exits(0);
    assert!(again.stdout.contains("read before and the same: 3 files"), "{again:?}");
    assert!(counts(&again.stdout).is_empty());
}

#[test]
fn sources_test_shows_what_a_parquet_file_would_become() {
    let (logs, data) = (folder(), folder());
    let path = logs.path().join("events.parquet");
    let schema = security_lake(DataType::Int64);
    fs::write(&path, write(&schema, &records(30), WriterProperties::builder())).expect("writes");
    let path = path.to_str().expect("a path in UTF-8");
    let shown = call(data.path(), ["sources", "test", path]).exits(0).stdout;
    assert!(shown.contains("source: ocsf"), "{shown}");
    assert!(shown.contains("records looked at: 30 (rows 30, skipped 0, rejected 0)"), "{shown}");
    fs::write(path, b"PAR1 is all that is left").expect("writes");
    let failed = call(data.path(), ["sources", "test", path]).exits(1).stderr;
    assert!(failed.contains("the Parquet data ends early"), "{failed}");
}

#[test]
fn a_damaged_page_is_one_reject_and_the_whole_file_is_read_on_later() {
    let (logs, data) = (folder(), folder());
    let path = logs.path().join("events.parquet");
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let rows =
        WriterProperties::builder().set_max_row_group_row_count(Some(100)).set_compression(zstd);
    let whole = write(&security_lake(DataType::Int64), &records(1_000), rows);
    fs::write(&path, &whole).expect("writes");
    let file = fs::File::open(&path).expect("opens");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let group = builder.metadata().row_group(5);
    let mut damaged = whole.clone();
    for column in group.columns() {
        let start = column.data_page_offset() as usize;
        damaged[start + 10..start + 20].fill(0xff);
    }
    fs::write(&path, &damaged).expect("writes");
    let first = call(data.path(), [Path::new("ingest"), &path]).exits(0);
    let got = total(&counts(&first.stdout));
    assert_eq!((got.accepted, got.rejected), (500, 1));
    let reasons = sql(data.path(), "SELECT reason FROM rejects");
    assert_eq!(reasons[0]["reason"], "the Parquet data is corrupt");
    fs::write(&path, &whole).expect("writes");
    let then = call(data.path(), [Path::new("ingest"), &path]).exits(0);
    let rest = total(&counts(&then.stdout));
    assert_eq!((got.accepted + rest.accepted, rest.duplicates, rest.rejected), (1_000, 0, 0));
    assert_eq!(events(data.path()).len(), 1_000);
}

#[test]
fn parquet_through_a_pipe_is_refused_with_what_to_do() {
    let (logs, data) = (folder(), folder());
    let path = logs.path().join("events.parquet");
    let schema = security_lake(DataType::Int64);
    let bytes = write(&schema, &records(30), WriterProperties::builder());
    fs::write(&path, &bytes).expect("writes");
    let mut command = lastuse(data.path());
    let file = fs::File::open(&path).expect("opens");
    let refused = run(command.args(["ingest", "-"]).stdin(Stdio::from(file))).exits(1);
    assert!(refused.stderr.contains("name the file itself"), "{refused:?}");
    let packed = logs.path().join("events.parquet.zst");
    fs::write(&packed, zstd::encode_all(&bytes[..], 1).expect("packs")).expect("writes");
    let refused = call(data.path(), [Path::new("ingest"), &packed]).exits(1);
    assert!(refused.stderr.contains("Parquet inside of zstd: decompress it"), "{refused:?}");
}

/// What a Parquet file becomes, and the fault that ends it.
fn lines(bytes: Vec<u8>) -> (Vec<Value>, Option<String>) {
    let limits = Limits { ratio_grace_bytes: 4 << 20, ..Limits::default() };
    let mut decoder = match lastuse_sources::parquet(Cursor::new(bytes), &limits) {
        Ok(decoder) => decoder,
        Err(fault) => return (Vec::new(), Some(fault.to_string())),
    };
    let mut out = Vec::new();
    let fault = decoder.read_to_end(&mut out).err().map(|it| it.to_string());
    let text = String::from_utf8_lossy(&out);
    let values = text.lines().map(|it| serde_json::from_str(it).expect("a line of JSON"));
    (values.collect(), fault)
}

/// Columns of all kinds of nesting, and some types.
fn varied() -> Schema {
    let pair = DataType::Struct(Fields::from(vec![text("a"), list("b", DataType::Utf8)]));
    let inner = list("inner", DataType::Int64).data_type().clone();
    Schema::new(vec![
        Field::new("always", DataType::Int64, false),
        number("small"),
        Field::new("large", DataType::UInt64, true),
        Field::new("share", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        text("word"),
        list("numbers", DataType::Int32),
        list("lists", inner),
        list("pairs", pair.clone()),
        map("counts", DataType::Int64),
        map("named", pair),
        object("deep", vec![object("er", vec![text("x"), list("y", DataType::Boolean)])]),
    ])
}

/// A value of a type, often none.
fn random_value(random: &mut Random, kind: &DataType, nullable: bool) -> Value {
    if nullable && random.below(4) == 0 {
        return Value::Null;
    }
    let words = ["", "a", "same word", "é\u{1F511}\"\\\n", "a text that is longer than others"];
    match kind {
        DataType::Int32 => json!(random.next() as i32),
        DataType::Int64 => json!((random.next() as i64) >> random.below(60)),
        DataType::UInt64 => json!(random.next() >> random.below(60)),
        DataType::Float64 => json!(random.next() as i32 as f64 / 4.0),
        DataType::Boolean => json!(random.below(2) == 0),
        DataType::Utf8 => {
            let word = words[random.below(words.len() as u64) as usize];
            let tail =
                if random.below(3) == 0 { random.below(1_000).to_string() } else { String::new() };
            json!(format!("{word}{tail}"))
        }
        DataType::List(element) => {
            (0..random.below(4)).map(|_| random_value(random, element.data_type(), true)).collect()
        }
        DataType::Map(pair, _) => {
            let DataType::Struct(pair) = pair.data_type() else { panic!("no pair") };
            let keys = (0..random.below(4)).map(|it| format!("key {it}"));
            let keys: Vec<String> = keys.collect();
            let value = pair[1].data_type();
            Value::Object(
                keys.into_iter().map(|it| (it, random_value(random, value, true))).collect(),
            )
        }
        DataType::Struct(fields) => random_object(random, fields),
        other => panic!("{other} is not among the columns"),
    }
}

fn random_object(random: &mut Random, fields: &Fields) -> Value {
    let members = fields
        .iter()
        .map(|it| (it.name().clone(), random_value(random, it.data_type(), it.is_nullable())));
    Value::Object(members.collect())
}

/// The same without members that are null.
fn told(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|it| !it.1.is_null());
            Value::Object(kept.map(|(name, it)| (name, told(it))).collect::<Map<_, _>>())
        }
        Value::Array(list) => list.into_iter().map(told).collect(),
        other => other,
    }
}

#[test]
fn what_was_written_comes_back_whatever_its_nesting_and_encoding() {
    let mut random = Random::new(26);
    let schema = varied();
    let streams = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_encoding("share".into(), Encoding::BYTE_STREAM_SPLIT)
        .set_column_encoding("word".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_encoding("always".into(), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding("small".into(), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding("large".into(), Encoding::BYTE_STREAM_SPLIT);
    let prefixes = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(30)
        .set_column_encoding("word".into(), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding("flag".into(), Encoding::RLE);
    for (way, properties) in [ways(), vec![("streams", streams), ("prefixes", prefixes)]].concat() {
        for rows in [1, 7, 500] {
            let records: Vec<Value> =
                (0..rows).map(|_| random_object(&mut random, schema.fields())).collect();
            let (got, fault) = lines(write(&schema, &records, properties.clone()));
            assert_eq!(fault, None, "{way}");
            let wanted: Vec<Value> = records.into_iter().map(told).collect();
            assert_eq!(got.len(), wanted.len(), "{way}");
            for (got, wanted) in got.iter().zip(&wanted) {
                assert_eq!(got, wanted, "{way}");
            }
        }
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let mut random = Random::new(27);
    let schema = varied();
    let records: Vec<Value> =
        (0..60).map(|_| random_object(&mut random, schema.fields())).collect();
    let mut faults = 0;
    for (_, properties) in ways() {
        let whole = write(&schema, &records, properties);
        for _ in 0..250 {
            let mut damaged = whole.clone();
            for _ in 0..=random.below(3) {
                // Often in the footer, which says most.
                let from = if random.below(2) == 0 { 0 } else { damaged.len() * 4 / 5 };
                let at = from + random.below((damaged.len() - from) as u64) as usize;
                damaged[at] = random.next() as u8;
            }
            if random.below(8) == 0 {
                damaged.truncate(random.below(damaged.len() as u64) as usize);
            }
            faults += usize::from(lines(damaged).1.is_some());
        }
    }
    assert!(faults > 500, "{faults}");
}

#[test]
fn hostile_parquet_costs_itself_and_no_memory() {
    let (logs, data) = (folder(), folder());
    let put = |name: &str, bytes: &[u8]| fs::write(logs.path().join(name), bytes).expect("writes");
    let schema = security_lake(DataType::Int64);
    let whole = write(&schema, &records(200), WriterProperties::builder());
    put("a-good.parquet", &whole);
    put("cut.parquet", &whole[..whole.len() / 2]);
    put("magic.parquet", b"PAR1");
    let mut noise = b"PAR1".to_vec();
    let mut random = Random::new(28);
    noise.extend((0..100_000).map(|_| random.next() as u8));
    noise.extend(b"PAR1");
    put("noise.parquet", &noise);
    let mut claims = whole.clone();
    let end = claims.len() - 8;
    claims[end..end + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    put("claims.parquet", &claims);
    // A text of sixteen million characters that forty rows repeat: more than is allowed.
    let mut bomb = record(1_000);
    bomb["api"]["request"]["data"] = json!("x".repeat(15 << 20));
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let packed = WriterProperties::builder().set_compression(zstd);
    let rows = [vec![record(1_001)], vec![bomb; 40]].concat();
    put("bomb.parquet", &write(&schema, &rows, packed.clone()));
    let mut long = record(1_003);
    long["api"]["request"]["data"] = json!("y".repeat(17 << 20));
    let rows = vec![record(1_002), long, record(1_004)];
    put("long.parquet", &write(&schema, &rows, packed));
    let measured = measure(lastuse(data.path()).arg("ingest").arg(logs.path()));
    println!("{} MiB, {:?}: {:?}", measured.peak_kib / 1024, measured.took, measured.run);
    assert!(measured.peak_kib < MOST_KIB, "{} KiB", measured.peak_kib);
    let done = measured.run.exits(1);
    for (name, reason) in [
        ("cut", "the Parquet data ends early"),
        ("magic", "the Parquet data ends early"),
        ("noise", "the Parquet data is corrupt"),
        ("claims", "the Parquet data is corrupt"),
    ] {
        let line = done.stderr.lines().find(|it| it.contains(&format!("{name}.parquet")));
        assert!(
            line.is_some_and(|it| it.starts_with("error: ") && it.contains(reason)),
            "{done:?}"
        );
    }
    assert!(total(&counts(&done.stdout)).accepted >= 200, "{done:?}");
    let reasons = sql(data.path(), "SELECT reason FROM rejects ORDER BY reason");
    let reasons: Vec<_> = reasons.iter().map(|it| it["reason"].as_str()).collect();
    let (long, bomb) =
        ("longer than 16777216 bytes", "the input decodes to more than 2000 times its size");
    assert_eq!(reasons, [Some(long), Some(bomb)]);
    let after = sql(data.path(), "SELECT 1 FROM events WHERE native_uid LIKE '%000000001004'");
    assert_eq!(after.len(), 1, "the row behind one that is too long is read");
}
