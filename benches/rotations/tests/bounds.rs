//! The bounds that README.md states, on fewer rotations; and that the benchmark is what it says.

use lastuse_rotations::methods::{OURS, answers, first_pass, passes};
use lastuse_rotations::rotation::{Answer, Rotation};
use lastuse_rotations::score::{equal_calendar, mark, score, table};
use lastuse_rotations::view::View;
use lastuse_rotations::{generate, run};
use lastuse_verdict::Policy;

const HOUR: i64 = 3600;

#[test]
fn the_verdict_holds_its_bounds() {
    let lines = run(7, 150);
    let it = score(&lines, OURS);
    let shown = table(&lines);
    // More mistakes than a risk of one per cent explains.
    assert!(it.risk.low <= 0.01, "{shown}");
    assert_eq!(it.hidden.count, 0, "{shown}");
    let at_least = |part: (usize, usize), share: f64| part.0 as f64 >= share * part.1 as f64;
    assert!(at_least(it.decisive, 0.95), "{shown}");
    assert!(at_least(it.states, 0.99), "{shown}");
    assert!(it.replay_recall >= 0.99, "{shown}");
    let (_, waited) = equal_calendar(&lines, it.risk.count);
    assert!(it.wait_days.0 <= 0.5 * waited.0, "{shown}");
    // The benchmark tells methods apart: a week of silence errs often.
    assert!(score(&lines, "7 days").risk.low > 0.01, "{shown}");
}

/// Every hour in turn, without any thought of when the gate could open.
fn asked_every_hour(view: &View<'_>, policy: &Policy) -> Option<i64> {
    let rotation = view.rotation;
    let first = (rotation.start_time + HOUR - 1) / HOUR;
    (first..)
        .map(|it| it * HOUR)
        .take_while(|it| *it < rotation.end_time)
        .find(|it| passes(view, policy, *it))
}

#[test]
fn the_gate_opens_at_the_hour_at_which_it_would_if_it_were_asked_every_hour() {
    let policy = Policy::default();
    let mut compared = 0;
    for number in 0..80 {
        let rotation = generate::rotation(8, number);
        if rotation.log.len() > 400 {
            continue;
        }
        let view = View::new(&rotation);
        assert_eq!(first_pass(&view, &policy), asked_every_hour(&view, &policy), "{number}");
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} are small enough");
}

#[test]
fn a_rotation_and_its_answers_are_the_same_when_they_were_written_and_read() {
    for number in 0..5 {
        let rotation = generate::rotation(9, number);
        let line = serde_json::to_string(&rotation).unwrap();
        assert_eq!(line, serde_json::to_string(&generate::rotation(9, number)).unwrap());
        let read: Rotation = serde_json::from_str(&line).unwrap();
        let said = answers(&read);
        assert_eq!(said, answers(&rotation));
        let again: Vec<Answer> = said
            .iter()
            .map(|it| serde_json::from_str(&serde_json::to_string(it).unwrap()).unwrap())
            .collect();
        let lines = [mark(&read, &again)];
        assert_eq!(table(&lines), table(&[mark(&rotation, &said)]));
    }
}

#[test]
fn the_interval_of_a_share_is_that_of_clopper_and_pearson() {
    use lastuse_rotations::score::Risk;
    // R: binom.test(3, 100)$conf.int
    let it = Risk::of(3, 100);
    assert!(
        (it.low - 0.006_229_972).abs() < 1e-6 && (it.high - 0.085_176_05).abs() < 1e-6,
        "{it:?}"
    );
    let none = Risk::of(0, 100);
    assert!(none.low == 0.0 && (none.high - 0.036_216_69).abs() < 1e-6, "{none:?}");
}
