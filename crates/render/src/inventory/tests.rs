//! What the inventory shows people, and in which order.

use super::*;
use crate::testing::{batch, instants, nullable, numbers, text};
use arrow_array::{ArrayRef, BooleanArray};
use proptest::prelude::*;
use std::sync::Arc;

const AS_OF: &str = "2026-04-29T00:00:00Z";

fn shown(rows: &RecordBatch, options: &Options) -> String {
    let mut out = Vec::new();
    inventory(std::slice::from_ref(rows), AS_OF.parse().unwrap(), options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn at(width: usize) -> Options {
    Options { width: Some(width), ..Options::default() }
}

fn flags(values: &[bool]) -> ArrayRef {
    Arc::new(BooleanArray::from(values.to_vec()))
}

/// Two secrets, one of them rotated with a straggler, a broken and a shadow
/// consumer, and a key that nobody registered.
fn estate() -> RecordBatch {
    let role = "arn:aws:sts::111122223333:assumed-role/checkout/i-0abc";
    batch(vec![
        (
            "secret_id",
            nullable(&[
                "ci/deploy",
                "payments/stripe",
                "payments/stripe",
                "payments/stripe",
                "payments/stripe",
                "",
            ]),
        ),
        ("version", nullable(&["7", "1", "1", "1", "2", ""])),
        (
            "credential_uid",
            text(&[
                "lu1_aaaabbbbcccc",
                "lu1_ddddeeeeffff",
                "lu1_ddddeeeeffff",
                "lu1_ddddeeeeffff",
                "lu1_gggghhhhiiii",
                "lu1_jjjjkkkkllll",
            ]),
        ),
        (
            "id_kind",
            text(&[
                "ssh_public_key",
                "secret_value",
                "secret_value",
                "secret_value",
                "secret_value",
                "aws_access_key_id",
            ]),
        ),
        ("id_value", nullable(&["", "", "", "", "", "AKIAQEXAMPLE2345ABCD"])),
        (
            "workload",
            nullable(&["runner", "checkout", "invoicing-batch", "report", "checkout", ""]),
        ),
        (
            "principal",
            nullable(&[
                "deploy",
                role,
                "user/batch",
                "user/analyst",
                role,
                "arn:aws:iam::111122223333:user/christophe",
            ]),
        ),
        ("environment", nullable(&["ci", "prod", "prod", "", "prod", ""])),
        ("declared", flags(&[true, true, true, false, true, false])),
        (
            "last_used_time",
            instants(&[
                "2026-04-28T20:00:00Z",
                "2026-04-10T00:00:00Z",
                "2026-04-26T00:00:00Z",
                "2026-03-02T00:00:00Z",
                "2026-04-28T23:59:30Z",
                "2025-09-01T00:00:00Z",
            ]),
        ),
        ("derived_last_used_time", instants(&["", "2026-04-12T00:00:00Z", "", "", "", ""])),
        ("last_rejected_time", instants(&["", "", "", "2026-04-27T00:00:00Z", "", ""])),
        ("tail_expires_time", instants(&["", "2026-04-29T11:00:00Z", "", "", "", ""])),
        ("attempt_count", numbers(&[41, 12034, 9, 16, 300, 2])),
        ("use_count", numbers(&[41, 12034, 9, 4, 300, 2])),
        ("derived_use_count", numbers(&[0, 77, 0, 0, 0, 0])),
        ("rejected_count", numbers(&[0, 0, 0, 12, 0, 0])),
        (
            "state",
            nullable(&["old_only", "switched", "old_only", "dormant", "switched", "old_only"]),
        ),
        ("attribution", text(&["exact", "exact", "exact", "exact", "exact", "exact"])),
        (
            "cutoff_time",
            instants(&[
                "",
                "2026-04-20T00:00:00Z",
                "2026-04-20T00:00:00Z",
                "2026-04-20T00:00:00Z",
                "",
                "",
            ]),
        ),
        (
            "revoked_time",
            instants(&[
                "",
                "2026-05-01T00:00:00Z",
                "2026-05-01T00:00:00Z",
                "2026-05-01T00:00:00Z",
                "",
                "",
            ]),
        ),
    ])
}

#[test]
fn what_needs_attention_stands_first_at_120_columns() {
    insta::assert_snapshot!(shown(&estate(), &at(120)), @"
    2 secrets, 3 versions, 5 consumers and 1 credential outside the registry as of 2026-04-29T00:00:00Z
    ! 1 consumer used a version after its cutoff
    x 1 consumer rejected after its cutoff
    + 1 consumer not declared in the registry

        workload         env   principal                      last used    uses  derived  rejected  state
        ───────────────  ────  ────────────────────────────  ──────────  ──────  ───────  ────────  ────────

    payments/stripe  version 1  secret_value lu1_ddddeeee  cutoff 2026-04-20T00:00:00Z (9d ago)
      revoked 2026-05-01T00:00:00Z (in 2d)  sessions alive until 2026-04-29T11:00:00Z (in 11h)
    !   invoicing-batch  prod  user/batch                        3d ago       9        0         0  old_only
    x+  report           -     user/analyst                     58d ago       4        0        12  dormant
        checkout         prod  assumed-role/checkout/i-0abc     17d ago  12,034       77         0  switched

    payments/stripe  version 2  secret_value lu1_gggghhhh
        checkout         prod  assumed-role/checkout/i-0abc         now     300        0         0  switched

    ci/deploy  version 7  ssh_public_key lu1_aaaabbbb
        runner           ci    deploy                            4h ago      41        0         0  old_only

    Credentials that no registry entry explains

    aws_access_key_id AKIAQEXAMPLE2345ABCD
        -                -     user/christophe               2025-09-01       2        0         0  old_only
    ");
}

#[test]
fn principals_are_cut_and_facts_wrapped_at_80_columns() {
    insta::assert_snapshot!(shown(&estate(), &at(80)), @"
    2 secrets, 3 versions, 5 consumers and 1 credential outside the registry
      as of 2026-04-29T00:00:00Z
    ! 1 consumer used a version after its cutoff
    x 1 consumer rejected after its cutoff
    + 1 consumer not declared in the registry

        workload        env   principal        last used    uses  rejected  state
        ──────────────  ────  ──────────────  ──────────  ──────  ────────  ────────

    payments/stripe  version 1  secret_value lu1_ddddeeee
      cutoff 2026-04-20T00:00:00Z (9d ago)  revoked 2026-05-01T00:00:00Z (in 2d)
      sessions alive until 2026-04-29T11:00:00Z (in 11h)
    !   invoici…-batch  prod  user/batch          3d ago       9         0  old_only
    x+  report          -     user/analyst       58d ago       4        12  dormant
        checkout        prod  assumed…i-0abc     17d ago  12,034         0  switched

    payments/stripe  version 2  secret_value lu1_gggghhhh
        checkout        prod  assumed…i-0abc         now     300         0  switched

    ci/deploy  version 7  ssh_public_key lu1_aaaabbbb
        runner          ci    deploy              4h ago      41         0  old_only

    Credentials that no registry entry explains

    aws_access_key_id AKIAQEXAMPLE2345ABCD
        -               -     user/ch…stophe  2025-09-01       2         0  old_only

    1 column hidden: derived; widen the terminal or use --format json
    ");
}

#[test]
fn workload_last_use_and_state_stay_at_40_columns() {
    insta::assert_snapshot!(shown(&estate(), &at(40)), @"
    2 secrets, 3 versions, 5 consumers
      and 1 credential outside the registry
      as of 2026-04-29T00:00:00Z
    ! 1 consumer used a version after its
      cutoff
    x 1 consumer rejected after its cutoff
    + 1 consumer not declared in the
      registry

        workload         last used  state
        ──────────────  ──────────  ────────

    payments/stripe  version 1
      secret_value lu1_ddddeeee
      cutoff 2026-04-20T00:00:00Z (9d ago)
      revoked 2026-05-01T00:00:00Z (in 2d)
      sessions alive until
      2026-04-29T11:00:00Z (in 11h)
    !   invoici…-batch      3d ago  old_only
    x+  report             58d ago  dormant
        checkout           17d ago  switched

    payments/stripe  version 2
      secret_value lu1_gggghhhh
        checkout               now  switched

    ci/deploy  version 7
      ssh_public_key lu1_aaaabbbb
        runner              4h ago  old_only

    Credentials that no registry entry
      explains

    aws_access_key_id AKIAQEXAMPLE2345ABCD
        -               2025-09-01  old_only

    5 columns hidden: env, principal, uses,
    derived, rejected; widen the terminal or
    use --format json
    ");
}

#[test]
fn an_empty_inventory_says_as_of_when() {
    let nothing = shown(&estate().slice(0, 0), &at(80));
    assert_eq!(nothing, "0 secrets, 0 versions, 0 consumers as of 2026-04-29T00:00:00Z\n");
}

#[test]
fn a_version_nobody_presented_is_shown_without_calling_it_unused() {
    let rows = batch(vec![("secret_id", text(&["search/key"])), ("version", text(&["3"]))]);
    insta::assert_snapshot!(shown(&rows, &at(80)), @"
    1 secret, 1 version, 0 consumers as of 2026-04-29T00:00:00Z

        workload  env  principal  last used  uses  derived  rejected  state
        ────────  ───  ─────────  ─────────  ────  ───────  ────────  ─────

    search/key  version 3
        no attempt seen
    ");
}

#[test]
fn what_is_known_by_principal_only_is_no_use_after_the_cutoff() {
    let rows = batch(vec![
        ("secret_id", text(&["a"])),
        ("version", text(&["1"])),
        ("workload", text(&["w"])),
        ("attribution", text(&["principal"])),
        ("cutoff_time", instants(&["2026-04-01T00:00:00Z"])),
        ("last_used_time", instants(&["2026-04-02T00:00:00Z"])),
    ]);
    let shown = shown(&rows, &at(80));
    assert!(shown.contains("~ 1 consumer known by principal only"), "{shown}");
    assert!(!shown.contains('!'), "{shown}");
}

#[test]
fn versions_keep_the_order_of_the_report() {
    let rows = batch(vec![
        ("secret_id", text(&["a", "a"])),
        ("version", text(&["9", "10"])),
        ("workload", text(&["w", "w"])),
    ]);
    let shown = shown(&rows, &at(80));
    assert!(shown.find("version 9") < shown.find("version 10"));
}

#[test]
fn the_order_of_rows_does_not_change_the_order_of_secrets() {
    let first_line = |rows: &RecordBatch| {
        let shown = shown(rows, &Options::default());
        shown.lines().find(|it| it.contains("version 1 ")).map(str::to_owned)
    };
    let estate = estate();
    assert!(first_line(&estate).unwrap().starts_with("payments/stripe"));
    assert_eq!(first_line(&estate), first_line(&estate.slice(1, 5)));
}

#[test]
fn an_arn_is_shortened_to_what_tells_it_apart() {
    assert_eq!(crate::text::short_principal("arn:aws:iam::1:user/a:b"), "user/a:b");
    assert_eq!(crate::text::short_principal("a:b:c:d:e:f"), "a:b:c:d:e:f");
    assert_eq!(crate::text::short_principal("arn:aws:iam::1:"), "arn:aws:iam::1:");
}

#[test]
fn marks_and_states_are_coloured_only_on_request() {
    let options = Options { colour: true, ..Options::default() };
    let coloured = shown(&estate(), &options);
    assert!(coloured.contains("\u{1b}[31m!\u{1b}[0m"));
    assert!(coloured.contains("\u{1b}[33mold_only\u{1b}[0m"));
    assert!(!shown(&estate(), &Options::default()).contains('\u{1b}'));
}

proptest! {
    #[test]
    fn no_text_of_the_logs_steers_the_terminal(
        values in prop::collection::vec(any::<[String; 6]>(), 1..4),
        width in 0usize..130,
    ) {
        let names = ["secret_id", "version", "workload", "principal", "state", "id_value"];
        let columns = names.iter().enumerate().map(|(index, name)| {
            let column: Vec<&str> = values.iter().map(|it| it[index].as_str()).collect();
            (*name, nullable(&column))
        });
        let shown = shown(&batch(columns.collect()), &at(width));
        prop_assert!(shown.chars().all(|it| it == '\n' || !it.is_control()));
        for line in shown.lines() {
            prop_assert!(text::width(line) <= width, "{line:?}");
        }
    }
}

/// Two versions of one secret; who used the old one is in `states`, quiet from `quiet` on.
fn rotation(states: [&str; 2], quiet: &str) -> String {
    let rows = batch(vec![
        ("secret_id", text(&["a", "a", "a"])),
        ("version", text(&["1", "1", "2"])),
        ("workload", text(&["one", "two", "two"])),
        ("environment", text(&["staging", "prod", "prod"])),
        ("last_used_time", instants(&["2026-04-10T00:00:00Z", "2026-04-02T00:00:00Z", AS_OF])),
        ("soak_until_time", instants(&["2026-04-12T00:00:00Z", quiet, quiet])),
        ("use_count", numbers(&[1, 1, 1])),
        ("state", text(&[states[0], states[1], states[1]])),
    ]);
    shown(&rows, &at(100))
}

#[test]
fn the_earliest_cutoff_is_shown_once_all_have_switched() {
    let heading = |shown: &str, version: &str| {
        let start = format!("a  version {version}");
        shown.lines().find(|it| it.starts_with(&start)).expect("a heading").to_owned()
    };
    let all = rotation(["settled", "switched"], "2026-05-03T00:00:00Z");
    assert!(heading(&all, "1").ends_with("earliest cutoff 2026-05-03T00:00:00Z"), "{all}");
    assert!(!heading(&all, "2").contains("cutoff"), "{all}");
    let past = rotation(["settled", "settled"], "2026-04-03T00:00:00Z");
    assert!(heading(&past, "1").ends_with("earliest cutoff 2026-04-29T00:00:00Z"), "{past}");
    let some = rotation(["old_only", "settled"], "2026-04-03T00:00:00Z");
    assert!(heading(&some, "1").ends_with("1 of 2 consumers not switched"), "{some}");
}

#[test]
fn production_stands_before_what_else_there_is() {
    let shown = rotation(["settled", "settled"], "2026-04-03T00:00:00Z");
    let place = |name: &str| shown.find(&format!("    {name} ")).or_else(|| shown.find(name));
    assert!(place("two") < place("one"), "{shown}");
}
