//! Compaction: fewer files, the same rows.

mod common;

use common::{DAY, commit_until, dump_all, rows};
use lastuse_store::{Compaction, Store, Table};

#[tokio::test]
async fn compaction_changes_files_and_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    commit_until(&store, 20).await;
    let before = dump_all(&store).await;
    let old = store.active_files(Table::Usage).await.unwrap();
    let mut writer = store.begin().await.unwrap();
    let done = store.compact(&writer).await.unwrap();
    assert!(done.removed_file_count > 100 && done.added_file_count < 12, "{done:?}");
    assert_eq!(dump_all(&store).await, before);
    assert_eq!(store.active_files(Table::Events).await.unwrap().len(), 2);
    assert_eq!(store.active_files(Table::Usage).await.unwrap().len(), 1);
    assert_eq!(store.compact(&writer).await.unwrap(), Compaction::default());

    // The writer goes on, and so does the next one.
    let parts = common::batch_parts(&writer);
    assert_eq!(writer.commit(parts).await.unwrap(), 21);
    drop(writer);
    commit_until(&store, 22).await;
    assert_eq!(store.active_files(Table::Events).await.unwrap().len(), 6);
    assert!(old.iter().all(|it| it.path.exists()), "readers may still hold the old files");
}

#[tokio::test]
async fn merged_events_stay_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut writer = store.begin().await.unwrap();
    let mut parts = Vec::new();
    for file in 0..9_u64 {
        let mut keys: Vec<(String, String)> = (0..20_000_u64)
            .map(|it| {
                let mixed = (it + file * 20_000).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                (format!("c{:03}", mixed % 300), format!("{:09}", mixed / 300 % 86_400_000))
            })
            .collect();
        keys.sort();
        let uids: Vec<&str> = keys.iter().map(|it| it.0.as_str()).collect();
        let times: Vec<&str> = keys.iter().map(|it| it.1.as_str()).collect();
        let batch = rows(Table::Events, &[("credential_uid", &uids), ("event_time", &times)]);
        parts.push(writer.write_events(DAY, &batch).unwrap());
    }
    writer.commit(parts).await.unwrap();
    let before = dump_all(&store).await;
    store.compact(&writer).await.unwrap();
    assert_eq!(dump_all(&store).await, before);
    let files = store.active_files(Table::Events).await.unwrap();
    assert_eq!((files.len(), files[0].row_count), (1, 180_000));
    let mut last = (String::new(), i64::MIN);
    for batch in store.read(&files, Table::Events, &["credential_uid", "event_time"]) {
        let batch = batch.unwrap();
        let uids = arrow::array::AsArray::as_string::<i32>(batch.column(0)).clone();
        let times =
            arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampMicrosecondType>(
                batch.column(1),
            )
            .clone();
        for (uid, time) in uids.iter().zip(times.iter()) {
            let next = (uid.unwrap().to_string(), time.unwrap());
            assert!(last <= next);
            last = next;
        }
    }
}
