//! A run killed at any point, and run again: as if nothing had happened.

#![cfg(debug_assertions)] // The points to be killed at are not in optimized builds.

mod common;

use std::path::Path;
use std::process::Command;

use common::{commit_until, dump, dump_all};
use lastuse_store::{Store, StoreError, Table};

/// Batches that a run commits: the third recomputes lineage.
const LAST: u64 = 3;

/// What the killed process runs; on its own it does nothing.
#[tokio::test]
async fn child() {
    let Ok(folder) = std::env::var("LASTUSE_TEST_FOLDER") else {
        return;
    };
    let store = Store::open(Path::new(&folder)).await.unwrap();
    if std::env::var("LASTUSE_TEST_COMPACT").is_ok() {
        let writer = store.begin().await.unwrap();
        store.compact(&writer).await.unwrap();
    } else {
        commit_until(&store, LAST).await;
    }
}

fn run(folder: &Path, crash_at: Option<&str>) -> bool {
    run_child(folder, crash_at, false)
}

fn run_child(folder: &Path, crash_at: Option<&str>, compact: bool) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--test-threads=1"])
        .env("LASTUSE_TEST_FOLDER", folder)
        .env_remove("LASTUSE_CRASH_AT");
    if compact {
        command.env("LASTUSE_TEST_COMPACT", "1");
    }
    if let Some(point) = crash_at {
        command.env("LASTUSE_CRASH_AT", point);
    }
    command.output().unwrap().status.success()
}

async fn expected() -> Vec<(&'static str, Vec<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    commit_until(&store, LAST).await;
    dump_all(&store).await
}

#[tokio::test]
async fn a_killed_run_can_be_run_again() {
    let expected = expected().await;
    let mut points = Vec::new();
    for batch in 1..=LAST {
        for point in ["parts_written", "events_commit", "events_committed"] {
            points.push(format!("{point}:{batch}"));
        }
    }
    // Seven commits follow that of `events` in each batch.
    points.extend((1..=7 * LAST).map(|it| format!("derived_committed:{it}")));
    for point in points {
        let folder = tempfile::tempdir().unwrap();
        assert!(!run(folder.path(), Some(&point)), "{point} was not reached");
        assert!(run(folder.path(), None), "{point}: the second run failed");
        let store = Store::open(folder.path()).await.unwrap();
        assert_eq!(dump_all(&store).await, expected, "{point}");
    }
}

#[tokio::test]
async fn a_run_killed_over_and_over_gets_there() {
    let expected = expected().await;
    let folder = tempfile::tempdir().unwrap();
    for point in ["events_committed:1", "derived_committed:1", "derived_committed:2"] {
        run(folder.path(), Some(point));
    }
    for _ in 0..8 {
        run(folder.path(), Some("derived_committed:4"));
    }
    assert!(run(folder.path(), None));
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(dump_all(&store).await, expected);
}

#[tokio::test]
async fn a_killed_compaction_changes_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    commit_until(&store, 17).await;
    let expected = dump_all(&store).await;
    for point in ["merged:1", "compacted:1", "merged:3", "compacted:3"] {
        assert!(!run_child(folder.path(), Some(point), true), "{point} was not reached");
        assert_eq!(dump_all(&store).await, expected, "{point}");
    }
    assert!(run_child(folder.path(), None, true));
    assert_eq!(dump_all(&store).await, expected);
    commit_until(&store, 18).await;
}

#[tokio::test]
async fn an_unfinished_batch_that_cannot_be_finished_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!run(folder.path(), Some("events_committed:1")));
    // In place of a folder without write access, which the superuser has everywhere.
    let lock = folder.path().join("ingest.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unfinished { .. }), "{error}");
}

#[tokio::test]
async fn opening_finishes_what_a_killed_run_decided() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!run(folder.path(), Some("events_committed:1")));
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(dump(&store, Table::Events).await.len(), 6);
    assert_eq!(dump(&store, Table::Usage).await.len(), 2);
    assert_eq!(dump(&store, Table::Lineage).await.len(), 1);
    assert_eq!(dump(&store, Table::Files).await.len(), 1);
}

#[tokio::test]
async fn a_reader_leaves_a_running_ingest_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!run(folder.path(), Some("events_committed:1")));
    let lock = std::fs::File::open(folder.path().join("ingest.lock")).unwrap();
    lock.try_lock().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(dump(&store, Table::Events).await.len(), 6);
    assert_eq!(dump(&store, Table::Usage).await.len(), 0);
}
