//! Delimited text: headers, quotes, line feeds in quotes, and what breaks them.

use super::*;

const CSV: &str = r#"
[[format]]
kind = "delimited"
fold_case = true
[fields]
who = ["user.name", "['User Name']"]
"#;

fn csv(text: &str) -> Got {
    check_all_ways(&source(CSV), &["a", "who", "b"], text.as_bytes(), &How::default())
}

fn row(values: &[&str]) -> Row {
    values.iter().map(|it| (!it.is_empty()).then(|| (*it).to_owned())).collect()
}

#[test]
fn the_first_line_names_the_columns_and_is_no_record() {
    for header in ["A,other,User Name,b", "\"a\",\"x\",\"user.name\",\"B\"\r", "\n\na,,USER.NAME,b"]
    {
        let got = csv(&format!("{header}\n1,x,ann,\n2,,\"bob, the \"\"2nd\"\"\",y\r\n\n3,,,"));
        let expected =
            [row(&["1", "ann", ""]), row(&["2", "bob, the \"2nd\"", "y"]), row(&["3", "", ""])];
        assert_eq!((got.rows.as_slice(), got.numbers), (&expected[..], vec![1, 2, 3]), "{header}");
    }
    assert_eq!(csv("a,b\n").rows.len(), 0);
    assert_eq!(csv("a,b").rows.len(), 0);
}

#[test]
fn a_field_in_quotes_may_hold_line_feeds() {
    let got = csv("a,user.name,b\n\"1\n\n,\"\"x\",\"ann\r\n\",\"\"\n2,bob,z\n");
    assert_eq!(got.rows, [row(&["1\n\n,\"x", "ann\r\n", ""]), row(&["2", "bob", "z"])]);
    assert!(got.rejects.is_empty());
}

#[test]
fn a_quote_that_is_not_closed_costs_its_line() {
    for bad in ["2,\"ann,y", "2,\"ann\"x,y", "2,ann", "2,ann,y,z"] {
        let got = csv(&format!("a,user.name,b\n1,x,y\n{bad}\n3,x,y\n4,x,y"));
        assert_eq!(got.first(), ["1", "3", "4"], "{bad}");
        assert_eq!((got.rejects.len(), got.rejects[0].0, got.rejects[0].1), (1, 2, 20), "{bad}");
    }
    let got = csv("a,b\n1,\"x\n2,y\n3,\"z\n4,w\n");
    assert_eq!((got.first(), got.rejects.len()), (vec!["2", "4"], 2));
}

#[test]
fn a_quote_within_a_field_is_text() {
    assert_eq!(csv("a,b\nx\"y\",z\n").rows, [row(&["x\"y\"", "", "z"])]);
}

#[test]
fn columns_may_be_named_by_the_source() {
    let toml = "[[format]]\nkind = \"delimited\"\nseparator = \"\\t\"\ncolumns = [\"x\", \"y\"]\n";
    let got =
        check_all_ways(&source(toml), &["y"], b"1\t2\n3\t\"4\t\"\tmore\n5\n", &How::default());
    assert_eq!((got.first(), got.rejects.len()), (vec!["2", "4\t"], 1));
    assert!(source(toml).check_fields(&fields(&["z"])).is_err());
}

#[test]
fn a_first_line_that_comes_again_is_no_record() {
    let got = csv("a,user.name,b\n1,x,y\n\"a\",user.name,b\n2,x,y\n");
    assert_eq!((got.first(), got.rejects.len()), (vec!["1", "2"], 0));
    assert_eq!(got.numbers, [1, 2]);
}

#[test]
fn a_reading_that_goes_on_without_the_first_line_rejects_what_it_cannot_name() {
    let resume = Resume { offset: 6, record_number: 1, in_array: false };
    let how = How { resume, without_head: true, ..How::default() };
    let got = read(&source(CSV), &["a"], b"a,b\n1\n2,x\n", &how);
    assert_eq!(got.reasons(), ["the first line, which names the columns, cannot be read"]);
}

#[test]
fn a_null_of_a_database_is_no_value() {
    let got = csv("a,user.name,b\n\\N,\"\\N\",\\Nx\n");
    assert_eq!(got.rows, [row(&["", "\\N", "\\Nx"])]);
}

#[test]
fn an_unfinished_record_of_a_growing_file_is_held_back() {
    let source = source(CSV);
    let names = ["a", "who", "b"];
    let whole = "a,user.name,b\n1,\"x\ny\",z\n2,\"\"\"q\"\"\",\n";
    for cut in 0..whole.len() {
        let first = read(&source, &names, &whole.as_bytes()[..cut], &How::growing());
        assert!(first.rejects.is_empty(), "cut at {cut}");
        let how = How { resume: first.end, ..How::growing() };
        let second = read(&source, &names, whole.as_bytes(), &how);
        let rows = [first.rows, second.rows].concat();
        assert_eq!(rows, [row(&["1", "x\ny", "z"]), row(&["2", "\"q\"", ""])], "cut at {cut}");
    }
}

#[test]
fn a_last_record_without_an_end_is_read_once_nothing_more_came() {
    let source = source(CSV);
    let read = |text: &str, resting| {
        read(&source, &["a"], text.as_bytes(), &How { resting, ..How::growing() })
    };
    assert_eq!(
        (read("a,b\n1,x", false).held_back, read("a,b\n1,x", true).first()),
        (true, vec!["1"])
    );
    // One that lacks fields is waited for; a quote that stays open is given up.
    assert!(read("a,b\n1", true).held_back);
    let got = read("a,b\n1,\"x\n2,y\n", true);
    assert_eq!((got.first(), got.rejects.len(), got.held_back), (vec!["2"], 1, false));
}

#[test]
fn a_long_record_is_passed_over_in_bounded_memory() {
    let mut how = How::chunks(1000);
    how.limits.max_record_bytes = 5000;
    for length in [4_000, 4_992, 4_999, 6_000, 100_000] {
        for quote in ["", "\""] {
            let long = format!("9,{quote}{}{quote}", "x".repeat(length));
            let text = format!("a,b\n1,x\n{long}\n2,x\n3,x");
            let got = read(&source(CSV), &["a"], text.as_bytes(), &how);
            let short: Vec<_> = got.first().into_iter().filter(|it| *it != "9").collect();
            assert_eq!(short, ["1", "2", "3"], "{length}");
            let expected = vec!["longer than 5000 bytes"; usize::from(long.len() > 5000)];
            assert_eq!(got.reasons(), expected, "{length}");
        }
    }
}

#[test]
fn hostile_quotes_do_not_cost_more_than_their_size() {
    let text = format!("a,b\n{}", "\"\n".repeat(100_001));
    let got = read(&source(CSV), &["a"], text.as_bytes(), &How::default());
    assert!(got.rows.is_empty() && got.rejects.len() > 10_000, "{}", got.rejects.len());
}
