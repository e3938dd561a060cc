//! One secret as the page shows it: what is old and what is new, and who needs attention first.

use super::model::{Consumer, Page, SecretPage, Version};
use super::scale::Scale;
use super::words::{LABEL, shown};

/// What a version is in this rotation. Each has a colour and a height of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Before the one asked about.
    Older,
    /// The one asked about.
    Old,
    /// The next one.
    New,
    /// After that.
    Newer,
}

impl Role {
    /// Every role, as the legend lists them.
    pub const ALL: [Role; 4] = [Role::Old, Role::New, Role::Newer, Role::Older];

    /// Pixels that its marks are high: what a grey print tells it by.
    pub fn height(self) -> u32 {
        match self {
            Role::Old => 8,
            Role::New => 6,
            Role::Newer | Role::Older => 4,
        }
    }

    /// The class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Role::Older => "vp",
            Role::Old => "vo",
            Role::New => "vn",
            Role::Newer => "vm",
        }
    }
}

/// Where a consumer stands, in the order of the attention it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    FailingNew,
    Reverted,
    OldOnly,
    Both,
    Dormant,
    /// A state that this page does not know.
    Other,
    /// Seen, but only ever refused.
    Refused,
    /// Used only versions that nobody asked about.
    NotJudged,
    Switched,
    Settled,
    NewOnly,
}

impl Standing {
    /// Every standing, in order.
    pub const ALL: [Standing; 11] = [
        Standing::FailingNew,
        Standing::Reverted,
        Standing::OldOnly,
        Standing::Both,
        Standing::Dormant,
        Standing::Other,
        Standing::Refused,
        Standing::NotJudged,
        Standing::Switched,
        Standing::Settled,
        Standing::NewOnly,
    ];

    fn of(consumer: &Consumer, is_asked: bool) -> Self {
        match consumer.state.as_deref().filter(|_| is_asked) {
            Some("failing_new") => Standing::FailingNew,
            Some("reverted") => Standing::Reverted,
            Some("old_only") => Standing::OldOnly,
            Some("both") => Standing::Both,
            Some("dormant") => Standing::Dormant,
            Some("switched") => Standing::Switched,
            Some("settled") => Standing::Settled,
            Some("new_only") => Standing::NewOnly,
            Some(_) => Standing::Other,
            None if consumer.uses.iter().any(|it| it.use_count + it.derived_use_count > 0) => {
                Standing::NotJudged
            }
            None => Standing::Refused,
        }
    }

    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Standing::FailingNew => "failing new",
            Standing::Reverted => "reverted",
            Standing::OldOnly => "old only",
            Standing::Both => "both",
            Standing::Dormant => "dormant",
            Standing::Other => "other state",
            Standing::Refused => "refused only",
            Standing::NotJudged => "not judged",
            Standing::Switched => "switched",
            Standing::Settled => "settled",
            Standing::NewOnly => "new only",
        }
    }

    /// What it means, for the glossary.
    pub fn meaning(self) -> &'static str {
        match self {
            Standing::FailingNew => "its attempts with the new version are rejected",
            Standing::Reverted => "after using the new version it went back to the old one",
            Standing::OldOnly => "uses the old version, never used a newer one",
            Standing::Both => {
                "uses both within its own rhythm, or some of its copies still use the old one"
            }
            Standing::Dormant => {
                "used the old version, and is quiet on both for longer than its rhythm explains"
            }
            Standing::Other => "a state that this page has no word for",
            Standing::Refused => "presented a version and was only ever refused",
            Standing::NotJudged => "used only versions that were not asked about",
            Standing::Switched => {
                "uses the new version, is quiet on the old one, and the soak is not over"
            }
            Standing::Settled => "switched, and the soak is over in observed time",
            Standing::NewOnly => "only ever used the new version",
        }
    }

    /// The class in the style sheet: who must act, who waits, who is done.
    pub fn class(self) -> &'static str {
        match self {
            Standing::Switched => "wait",
            Standing::Settled | Standing::NewOnly => "done",
            Standing::NotJudged => "idle",
            _ => "act",
        }
    }
}

/// One secret and what follows from it for drawing.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub secret: &'a SecretPage,
    /// Its place in the page, which makes ids unique.
    pub index: usize,
    /// Where each consumer stands; same order as `secret.consumers`.
    pub standings: Vec<Standing>,
    /// Rows of `secret.consumers`, those that need attention first.
    pub order: Vec<usize>,
    /// The version that may be revoked or not.
    pub asked: Option<usize>,
    pub scale: Scale,
}

impl<'a> View<'a> {
    /// `slots_max` bounds the detail of each lane.
    pub fn new(page: &Page, secret: &'a SecretPage, index: usize, slots_max: u32) -> Self {
        let asked = secret.asked.filter(|it| *it < secret.versions.len());
        let standings = secret.consumers.iter().map(|it| Standing::of(it, asked.is_some()));
        let standings: Vec<Standing> = standings.collect();
        let mut order: Vec<usize> = (0..secret.consumers.len()).collect();
        order.sort_by_cached_key(|it| {
            let consumer = &secret.consumers[*it];
            let is_late = consumer.flags.iter().any(|flag| flag == "straggler");
            (standings[*it], !is_production(consumer), !is_late, name(consumer), *it)
        });
        Self {
            secret,
            index,
            standings,
            order,
            asked,
            scale: Scale::new(page.start_time, page.as_of_time, &expected(secret), slots_max),
        }
    }

    /// The version asked about.
    pub fn old(&self) -> Option<&'a Version> {
        self.asked.map(|it| &self.secret.versions[it])
    }

    /// What a version is in this rotation.
    pub fn role(&self, version: usize) -> Role {
        // Where nothing is to be revoked, the last version is the new one.
        let last = self.secret.versions.len().saturating_sub(1);
        let is_after = match self.asked {
            Some(asked) => version as i64 - asked as i64,
            None => version as i64 - last as i64 + 1,
        };
        match is_after {
            ..0 => Role::Older,
            0 => Role::Old,
            1 => Role::New,
            _ => Role::Newer,
        }
    }

    /// The rows of `secret.consumers` that stand there, in the order shown.
    pub fn count(&self, standing: Standing) -> usize {
        self.standings.iter().filter(|it| **it == standing).count()
    }

    /// The consumers that `is_such` is true of.
    pub fn count_if(&self, is_such: impl Fn(&Consumer) -> bool) -> usize {
        self.secret.consumers.iter().filter(|it| is_such(it)).count()
    }
}

/// Instants after the report's own that a lane may show.
fn expected(secret: &SecretPage) -> Vec<i64> {
    let mut times: Vec<i64> = Vec::new();
    for it in &secret.versions {
        times.extend(it.cutoff_time.into_iter().chain(it.revoked_time));
        if let Some(verdict) = &it.verdict {
            times.extend(verdict.soak_until_time.into_iter().chain(verdict.wait_until_time));
        }
    }
    times.extend(secret.consumers.iter().filter_map(|it| it.soak.as_ref()?.until_time));
    times
}

/// Whether an outage of it is one of production.
pub(super) fn is_production(consumer: &Consumer) -> bool {
    let name = consumer.environment.as_deref().unwrap_or("");
    ["prod", "production", "prd", "live"].iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// What a consumer is called, safe for HTML.
pub(super) fn name(consumer: &Consumer) -> String {
    let principal = consumer.principals.first().map(String::as_str);
    let name = consumer.workload.as_deref().or(principal).filter(|it| !it.is_empty());
    name.map_or_else(|| "unknown consumer".to_owned(), |it| shown(it, LABEL))
}
