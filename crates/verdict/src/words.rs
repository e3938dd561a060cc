//! Reasons in words, and what to do about each. docs/verdicts.md has the same.

use lastuse_model::time::format_second;

use crate::consumer::ConsumerAnswer;
use crate::evidence::{Consumer, Evidence};
use crate::judge::{Answer, Reason};
use crate::soak::{Method, Soak};

/// Every code of a reason, with what to do about it.
pub const CODES: [(&str, &str); 23] = [
    ("uses_old", "deploy the new version to it"),
    ("no_newer_version", "publish one"),
    ("uses_both", "find the part that still has the old one"),
    ("process_uses_old", "restart those copies, or wait"),
    ("reverted", "find out why; deploy again"),
    ("failing_new", "correct the value it was given"),
    ("dormant", "find out whether it is gone, and say so in the registry (`gone_time`)"),
    ("gone_but_used", "correct the declaration"),
    ("soak_not_over", "wait"),
    ("tail_not_passed", "wait, or revoke it as well"),
    ("tail_unknown", "find out its lifetime, or wait for the floor of rare jobs"),
    ("rhythm_unknown", "declare its `schedule` in the registry, or wait"),
    ("coverage_behind", "read newer logs"),
    ("coverage_hole", "fill the hole, or wait: the soak counts from its end"),
    ("declared_never_seen", "find out whether it runs, and where its logs are"),
    ("nobody_seen", "read older logs, or wait"),
    ("never_seen", "check its identifier, or read a log that shows the secret"),
    ("no_source_shows_it", "read a log that does"),
    ("no_identifier", "add one"),
    ("ambiguous_identifier", "give its `scope` in the registry as the logs have it"),
    ("forwarded_use", "read the logs of who called the service, or wait"),
    ("principal_only", "read a log that names it, or wait"),
    ("unresolved_sessions", "read the logs in which sessions are issued, or wait"),
];

impl Reason {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        CODES.iter().find(|it| it.0 == self.code).map_or("", |it| it.1)
    }

    /// What it says of whom, with instants as screens show them.
    pub fn text(&self, evidence: &Evidence, answer: &Answer) -> String {
        let declared = self.declared.and_then(|it| evidence.declared.get(it));
        let who = match (self.consumer.and_then(|it| evidence.consumers.get(it)), declared) {
            (Some(consumer), _) => consumer.to_string(),
            (None, Some(it)) => name(Some(&it.workload), it.environment.as_deref()),
            (None, None) => String::new(),
        };
        match self.consumer.and_then(|it| answer.consumers.get(it)) {
            Some(consumer) => of_consumer(self.code, &who, consumer, evidence),
            None => of_version(self.code, &who, evidence),
        }
    }
}

impl std::fmt::Display for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&name(self.workload.as_deref(), self.environment.as_deref()))
    }
}

fn name(workload: Option<&str>, environment: Option<&str>) -> String {
    let workload = workload.unwrap_or("an unknown consumer");
    environment.map_or_else(|| workload.to_owned(), |it| format!("{workload} ({it})"))
}

fn at(time: Option<i64>) -> String {
    time.map_or_else(|| "an unknown time".to_owned(), format_second)
}

fn of_consumer(code: &str, who: &str, it: &ConsumerAnswer, evidence: &Evidence) -> String {
    let (old, new) = (at(it.old_used_time), at(it.new_used_time));
    match code {
        "uses_old" => format!("{who} never used a newer version; it used this one last at {old}"),
        "no_newer_version" => {
            format!("{who} uses this version, last at {old}, and there is no newer version yet")
        }
        "uses_both" => format!("{who} uses a newer version ({new}) and this one ({old})"),
        "process_uses_old" => {
            let places = it.open_processes.iter().filter_map(|at| evidence.processes.get(*at));
            let mut shown: Vec<&str> =
                places.map(|it| if it.is_empty() { "an unknown one" } else { it }).collect();
            let more = shown.len().saturating_sub(3);
            shown.truncate(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = shown.join(", ");
            format!("copies of {who} used this version and no newer one since: {shown}{more}")
        }
        "reverted" => {
            format!("{who} went back: it used a newer version until {new}, this one at {old}")
        }
        "failing_new" => {
            format!("{who} is refused with a newer version; it used this one at {old}")
        }
        "dormant" => format!(
            "{who} has been quiet on every version since {old}, and no use of a newer one shows that it has switched"
        ),
        "gone_but_used" => {
            format!(
                "{who} is declared gone since {}, and used this version at {old}",
                at(it.gone_time)
            )
        }
        "soak_not_over" => format!("{who} uses a newer version; {}", soaking(it, &old)),
        "rhythm_unknown" => format!(
            "{who} was seen too seldom to tell its rhythm; it used this version last at {old}"
        ),
        "coverage_behind" => format!(
            "the logs that show {who} do not reach {}, the end of its soak",
            at(it.until_time)
        ),
        "coverage_hole" => format!(
            "a hole in the logs until {} may hide uses by {who}, which used this version last at {old}",
            at(it.hole_end_time)
        ),
        other => format!("{who}: {other}"),
    }
}

fn soaking(it: &ConsumerAnswer, old: &str) -> String {
    let until = at(it.until_time);
    let how = it.soak.map(|it| format!(" ({})", it.words())).unwrap_or_default();
    format!("it used this one last at {old}, and its soak lasts until {until}{how}")
}

impl Soak {
    /// How it was reached.
    pub fn words(&self) -> String {
        let gaps = self.gap_count;
        let longest = self.longest_gap_seconds.map(length).unwrap_or_default();
        match self.method {
            Method::LongestGap => format!("the longest of {gaps} gaps, {longest}"),
            Method::TailModel => format!("the longest of {gaps} gaps, {longest}, extended"),
            Method::Schedule => "twice the interval of its declared schedule".to_owned(),
            Method::ShortHistory => "a week, as it was seen for less than two".to_owned(),
            Method::Floor => format!("the policy's floor; longest of {gaps} gaps {longest}"),
            Method::RareFloor => "the policy's floor for rare jobs".to_owned(),
        }
    }
}

/// A length of time in its largest fitting unit.
fn length(seconds: f64) -> String {
    match seconds {
        it if it >= 172_800.0 => format!("{:.1} d", it / 86_400.0),
        it if it >= 7_200.0 => format!("{:.1} h", it / 3_600.0),
        it if it >= 120.0 => format!("{:.0} min", it / 60.0),
        it => format!("{it:.0} s"),
    }
}

fn of_version(code: &str, who: &str, evidence: &Evidence) -> String {
    match code {
        "tail_not_passed" => format!(
            "a credential obtained with this version is valid until {}",
            at(evidence.tail_expires_time)
        ),
        "tail_unknown" => format!(
            "a credential was obtained with this version at {}, and no log says how long it is valid",
            at(evidence.endless_issued_time)
        ),
        "declared_never_seen" => {
            format!(
                "the registry names {who}, and no log showed it with this version or a newer one"
            )
        }
        "nobody_seen" => {
            "nobody was seen, and the logs are too short to say that nobody is there".to_owned()
        }
        "never_seen" => {
            "no log ever showed this secret, or those who use its other versions presented a \
             credential that the registry does not know, so that nothing confirms its identifier"
                .to_owned()
        }
        "no_source_shows_it" => {
            "no log that was read names credentials of the kinds this version is known by"
                .to_owned()
        }
        "no_identifier" => {
            "the registry gives no identifier by which a log could name this version".to_owned()
        }
        "ambiguous_identifier" => format!(
            "logs show this version's identifier in scopes of which the registry names none: {}",
            evidence.ambiguous_identifiers.join("; ")
        ),
        "forwarded_use" => format!(
            "a service made calls on behalf of who presented it until {}, and no log shows who that was",
            at(evidence.forwarded_used_time)
        ),
        "principal_only" => format!(
            "its principal was seen until {} in logs that do not name the credential",
            at(evidence.principal_used_time)
        ),
        "unresolved_sessions" => format!(
            "a session was used until {} of which no log says what it was obtained with",
            at(evidence.unresolved_used_time)
        ),
        other => other.to_owned(),
    }
}
