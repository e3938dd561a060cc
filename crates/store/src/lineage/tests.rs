//! Tests of lineage: chains, trees and loops of exchanges.

use super::*;

use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::util::display::array_value_to_string;

/// Exchanges as (parent, child, grant, issued, expires).
fn exchanges(rows: &[(&str, &str, &str, i64, i64)]) -> RecordBatch {
    let text = |of: fn(&(&str, &str, &str, i64, i64)) -> String| -> Arc<dyn Array> {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let time = |of: fn(&(&str, &str, &str, i64, i64)) -> i64| -> Arc<dyn Array> {
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(of));
        Arc::new(times.with_timezone("UTC"))
    };
    RecordBatch::try_from_iter_with_nullable([
        ("parent_credential_uid", text(|it| it.0.to_string()), true),
        ("child_credential_uid", text(|it| it.1.to_string()), true),
        ("grant_type", text(|it| it.2.to_string()), true),
        ("issued_time", time(|it| it.3), true),
        ("expires_time", time(|it| it.4), true),
        ("link_strength", text(|_| "id_id".to_string()), true),
        ("principal", text(|it| format!("by-{}", it.0)), true),
    ])
    .unwrap()
}

/// (credential, ancestor, depth, path, root_principal, issued, root issued,
/// expires) of every row.
fn table(graph: &Graph, credentials: &[u32]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in graph.rows(credentials) {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|it| match it.data_type() {
                    _ if it.is_null(row) => "-".to_string(),
                    arrow::datatypes::DataType::Timestamp(..) => {
                        it.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
                    }
                    _ => array_value_to_string(it, row).unwrap(),
                })
                .collect();
            lines.push(cells.join(" "));
        }
    }
    lines
}

fn all(graph: &Graph) -> Vec<String> {
    table(graph, &graph.children())
}

fn named(graph: &Graph, change: &Change) -> Vec<String> {
    match change {
        Change::Append(children) => children.iter().map(|it| graph.name(*it).into()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_ancestor_has_a_row() {
    let mut graph = Graph::default();
    let change = graph
        .add(&[exchanges(&[
            ("key", "role", "assume", 10, 100),
            ("role", "session", "chain", 20, 90),
        ])])
        .unwrap();
    assert_eq!(named(&graph, &change), ["role", "session"]);
    assert_eq!(
        all(&graph),
        [
            "role key 1 key by-key 10 10 100",
            "session role 1 role by-role 20 20 90",
            "session key 2 key>role by-key 20 10 90",
        ]
    );
}

#[test]
fn new_children_of_known_credentials_are_appended() {
    let mut graph = Graph::default();
    graph.add(&[exchanges(&[("a", "b", "g", 1, 9)])]).unwrap();
    let change = graph
        .add(&[exchanges(&[("b", "c", "g", 2, 9), ("c", "d", "g", 3, 9), ("a", "e", "g", 2, 9)])])
        .unwrap();
    assert_eq!(named(&graph, &change), ["c", "d", "e"]);
}

#[test]
fn a_late_parent_reaches_the_descendants() {
    let mut graph = Graph::default();
    graph.add(&[exchanges(&[("b", "c", "g", 2, 9)])]).unwrap();
    let change = graph.add(&[exchanges(&[("a", "b", "g", 1, 9)])]).unwrap();
    assert_eq!(change, Change::Rebuild);
    assert!(all(&graph).contains(&"c a 2 a>b by-a 2 1 9".to_string()));
}

#[test]
fn a_second_parent_rewrites_the_child() {
    let mut graph = Graph::default();
    graph.add(&[exchanges(&[("a", "c", "g", 2, 9)])]).unwrap();
    let change = graph.add(&[exchanges(&[("b", "c", "g", 1, 12)])]).unwrap();
    assert_eq!(change, Change::Rebuild);
    assert_eq!(all(&graph), ["c b 1 b by-b 1 1 12", "c a 1 a by-a 2 2 12"]);
}

#[test]
fn the_same_exchange_again_changes_nothing() {
    let mut graph = Graph::default();
    let again = exchanges(&[("a", "b", "g", 1, 9)]);
    graph.add(std::slice::from_ref(&again)).unwrap();
    assert_eq!(graph.add(&[again]).unwrap(), Change::None);
    let longer = exchanges(&[("a", "b", "g", 5, 20)]);
    assert_eq!(graph.add(&[longer]).unwrap(), Change::Rebuild);
    assert_eq!(all(&graph), ["b a 1 a by-a 1 1 20"]);
}

#[test]
fn loops_end() {
    let mut graph = Graph::default();
    graph
        .add(&[exchanges(&[
            ("a", "b", "g", 1, 9),
            ("b", "c", "g", 2, 9),
            ("c", "a", "g", 3, 9),
            ("d", "d", "g", 3, 9),
        ])])
        .unwrap();
    assert_eq!(
        all(&graph),
        [
            "a c 1 c by-c 3 3 9",
            "a b 2 b>c by-b 3 2 9",
            "b a 1 a by-a 1 1 9",
            "b c 2 c>a by-c 1 3 9",
            "c b 1 b by-b 2 2 9",
            "c a 2 a>b by-a 2 1 9",
        ]
    );
}

#[test]
fn a_guessed_link_makes_no_lineage() {
    let rows = exchanges(&[("a", "b", "g", 1, 9)]);
    let guess = StringArray::from(vec!["principal_time"]);
    let mut columns = rows.columns().to_vec();
    columns[5] = Arc::new(guess);
    let rows = RecordBatch::try_new(rows.schema(), columns).unwrap();
    let mut graph = Graph::default();
    assert_eq!(graph.add(&[rows]).unwrap(), Change::None);
}

#[test]
fn a_long_chain_of_refreshes_keeps_its_origin() {
    let names: Vec<String> = (0..3_000).map(|it| format!("t{it:05}")).collect();
    let mut rows = vec![("secret", names[0].as_str(), "login", 0, 9)];
    rows.extend(names.windows(2).map(|it| (it[0].as_str(), it[1].as_str(), "refresh", 1, 9)));
    let mut graph = Graph::default();
    graph.add(&[exchanges(&rows)]).unwrap();
    let last = graph.id("t02999");
    let found = table(&graph, &[last]);
    assert_eq!(found.len(), 18, "16 near ones, the first token and the secret");
    assert!(found[16].starts_with("t02999 t00000 2999 t00000>…>t02995>t02996>"));
    assert!(found[17].starts_with("t02999 secret 3000 secret>…>t02995>"));
}

#[test]
fn lineage_that_is_cut_short_says_so() {
    let names: Vec<String> = (0..1_100).map(|it| format!("p{it:05}")).collect();
    let rows: Vec<_> = names.iter().map(|it| (it.as_str(), "child", "g", 1, 9)).collect();
    let mut graph = Graph::default();
    graph.add(&[exchanges(&rows)]).unwrap();
    let found = all(&graph);
    assert_eq!(found.len(), MAX_ROWS + 1);
    assert_eq!(found[MAX_ROWS], "child - 1100 - - - - 9");
}

#[test]
fn a_long_loop_ends_and_its_origin_is_found() {
    let names: Vec<String> = (0..100).map(|it| format!("n{it:02}")).collect();
    let mut rows: Vec<_> = (0..100)
        .map(|it| (names[it].as_str(), names[(it + 1) % 100].as_str(), "g", 1, 9))
        .collect();
    let mut graph = Graph::default();
    graph.add(&[exchanges(&rows)]).unwrap();
    let of_50 = graph.id("n50");
    assert!(table(&graph, &[of_50]).len() >= 16);

    rows.push(("origin", "n00", "login", 0, 9));
    let mut graph = Graph::default();
    graph.add(&[exchanges(&rows)]).unwrap();
    for name in ["n00", "n50", "n99"] {
        let id = graph.id(name);
        let found = table(&graph, &[id]);
        assert!(found.iter().any(|it| it.contains(" origin ")), "{name}");
    }
}
