//! Batches: what is committed is read back, once, and nothing else is.

mod common;

use std::sync::Arc;

use arrow::array::{DictionaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use common::{DAY, DAY_TIME, batch_parts, commit_until, dump, dump_all, rows};
use lastuse_store::{Store, StoreError, Table};

#[tokio::test]
async fn what_was_committed_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("new/store")).await.unwrap();
    assert_eq!(store.active_files(Table::Events).await.unwrap(), []);
    assert_eq!(store.version(Table::Events).await, None);
    let mut writer = store.begin().await.unwrap();
    let parts = batch_parts(&writer);
    assert_eq!(dump(&store, Table::Events).await.len(), 0, "parts alone do not count");
    assert_eq!(writer.commit(parts).await.unwrap(), 1);
    assert_eq!(writer.batch(), 2);

    let other = Store::open(store.root()).await.unwrap();
    let files = other.active_files(Table::Events).await.unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].event_date, Some(DAY));
    assert_eq!(files[0].row_count, 3);
    assert_eq!(files[0].size_bytes, std::fs::metadata(&files[0].path).unwrap().len());
    assert_eq!(files[0].min_event_time, Some(DAY_TIME));
    assert_eq!(files[0].max_event_time, Some(DAY_TIME + 2000));
    assert!(files[0].path.is_absolute());
    assert!(files[0].path.to_str().unwrap().contains("event_date=2026-03-01"));
    assert_eq!(dump(&other, Table::Events).await.len(), 6);
    assert_eq!(dump(&other, Table::Usage).await.len(), 2);
    assert_eq!(dump(&other, Table::Rejects).await.len(), 0);
}

#[tokio::test]
async fn columns_are_read_in_the_order_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    commit_until(&store, 1).await;
    let files = store.active_files(Table::Events).await.unwrap();
    let names = ["event_date", "event_time", "source", "stage"];
    let batch = store.read(&files, Table::Events, &names).next().unwrap().unwrap();
    let schema = batch.schema();
    let found: Vec<&str> = schema.fields().iter().map(|it| it.name().as_str()).collect();
    assert_eq!(found, names);
    assert_eq!(batch.column(1).data_type(), &lastuse_store::instant());
    let error = store.read(&files, Table::Events, &["nothing"]).next().unwrap().unwrap_err();
    assert!(matches!(error, StoreError::WrongColumns { .. }), "{error}");
}

#[tokio::test]
async fn text_may_come_as_dictionaries() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let plain = rows(
        Table::Events,
        &[("event_time", &["1", "2"]), ("credential_uid", &["a", "b"]), ("action", &["x", "-"])],
    );
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in plain.schema().fields().iter().zip(plain.columns()) {
        match column.as_any().downcast_ref::<StringArray>() {
            Some(text) => {
                let values: DictionaryArray<Int32Type> = text.iter().collect();
                let kind =
                    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                fields.push(Field::new(field.name(), kind, true));
                columns.push(Arc::new(values) as _);
            }
            None => {
                fields.push(field.as_ref().clone());
                columns.push(Arc::clone(column));
            }
        }
    }
    let packed = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut writer = store.begin().await.unwrap();
    let part = writer.write_events(DAY, &packed).unwrap();
    writer.commit(vec![part]).await.unwrap();
    let files = store.active_files(Table::Events).await.unwrap();
    let back = store.read(&files, Table::Events, &[]).next().unwrap().unwrap();
    assert_eq!(back, plain);
}

#[tokio::test]
async fn rows_of_another_shape_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let writer = store.begin().await.unwrap();
    let usage = rows(Table::Usage, &[("credential_uid", &["a"])]);
    let refused = |result: Result<_, StoreError>| result.unwrap_err().to_string();
    assert_eq!(
        refused(writer.write_part(Table::Coverage, &usage)),
        "rows for `coverage` have the wrong columns: `source`"
    );
    assert!(refused(writer.write_part(Table::Lineage, &usage)).contains("lineage"));
    assert!(refused(writer.write_part(Table::Events, &usage)).contains("events"));
    assert!(refused(writer.write_events(i32::MAX, &usage)).contains("years 1 to 9999"));
}

#[tokio::test]
async fn a_second_ingest_is_told_that_one_is_running() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let writer = store.begin().await.unwrap();
    let error = store.begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(writer);
    store.begin().await.unwrap();
}

#[tokio::test]
async fn a_stale_writer_commits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut slow = store.begin().await.unwrap();
    // A lock that does not work, as on some network folders.
    std::fs::remove_file(folder.path().join("ingest.lock")).unwrap();
    let mut fast = store.begin().await.unwrap();
    let parts = batch_parts(&fast);
    fast.commit(parts).await.unwrap();
    let before = dump_all(&store).await;

    let parts = batch_parts(&slow);
    let error = slow.commit(parts).await.unwrap_err();
    assert!(matches!(error, StoreError::Stale { batch: 1, recorded: 1, .. }), "{error}");
    assert_eq!(dump_all(&store).await, before);
}

#[tokio::test]
async fn parts_that_no_commit_names_are_removed_by_the_next_ingest() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    commit_until(&store, 1).await;
    let before = files_on_disk(folder.path());
    let writer = store.begin().await.unwrap();
    batch_parts(&writer);
    assert!(files_on_disk(folder.path()).len() > before.len());
    drop(writer);
    let foreign = folder.path().join("tables/usage/part-of-another-tool.parquet");
    std::fs::write(&foreign, "left alone").unwrap();
    store.begin().await.unwrap();
    std::fs::remove_file(&foreign).unwrap();
    assert_eq!(files_on_disk(folder.path()), before);
}

#[tokio::test]
async fn a_lost_part_stops_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut writer = store.begin().await.unwrap();
    let parts = batch_parts(&writer);
    let lost = files_on_disk(&folder.path().join("tables/coverage")).remove(0);
    std::fs::remove_file(lost).unwrap();
    let error = writer.commit(parts).await.unwrap_err();
    assert!(matches!(error, StoreError::LostPart { .. }), "{error}");
    assert_eq!(store.version(Table::Events).await, None);
}

#[tokio::test]
async fn tables_survive_many_batches_and_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    commit_until(&store, 45).await;
    let log = folder.path().join("tables/events/_delta_log");
    assert!(log.join("00000000000000000039.checkpoint.parquet").exists());
    let files = store.active_files(Table::Events).await.unwrap();
    assert_eq!(files.len(), 90);
    assert!(files.iter().all(|it| it.row_count == 3 && it.event_date.is_some()));
    assert!(files.iter().all(|it| it.max_event_time.unwrap() % 86_400_000_000 == 2000));
    assert_eq!(dump(&store, Table::Events).await.len(), 270);
    let writer = Store::open(folder.path()).await.unwrap().begin().await.unwrap();
    assert_eq!(writer.batch(), 46);
}

#[tokio::test]
async fn a_batch_may_bring_no_events() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut writer = store.begin().await.unwrap();
    let none = rows(Table::Events, &[]);
    let empty = writer.write_events(DAY, &none).unwrap();
    assert_eq!(writer.commit(vec![empty]).await.unwrap(), 1);
    let rejects = rows(Table::Rejects, &[("reason", &["not JSON"])]);
    let part = writer.write_part(Table::Rejects, &rejects).unwrap();
    assert_eq!(writer.commit(vec![part]).await.unwrap(), 2);
    assert_eq!(dump(&store, Table::Events).await.len(), 0);
    assert_eq!(dump(&store, Table::Rejects).await.len(), 1);
}

#[tokio::test]
async fn no_text_of_a_row_stands_in_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut writer = store.begin().await.unwrap();
    let canary = "canary-in-a-text-column";
    let events = rows(
        Table::Events,
        &[("event_time", &["1"]), ("reason", &[canary]), ("principal", &[canary])],
    );
    let parts = vec![
        writer.write_events(DAY, &events).unwrap(),
        writer.write_part(Table::Usage, &rows(Table::Usage, &[("principal", &[canary])])).unwrap(),
    ];
    writer.commit(parts).await.unwrap();
    for path in files_on_disk(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(canary.len()).any(|it| it == canary.as_bytes());
        let is_log = path.to_str().unwrap().contains("_delta_log");
        assert!(!(found && is_log), "{}", path.display());
    }
}

#[tokio::test]
async fn the_registry_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.registry().unwrap(), None);
    store.put_registry("{\"secrets\":[1]}").unwrap();
    store.put_registry("{}").unwrap();
    assert_eq!(store.registry().unwrap().as_deref(), Some("{}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_can_be_written_from_several_threads() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut writer = store.begin().await.unwrap();
    let batch = rows(Table::Events, &[("event_time", &["1"]), ("credential_uid", &["a"])]);
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| writer.write_events(DAY, &batch).unwrap())).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    writer.commit(parts).await.unwrap();
    assert_eq!(dump(&store, Table::Events).await.len(), 8);
}

/// Every file below a folder, sorted.
fn files_on_disk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}
