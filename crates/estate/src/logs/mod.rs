//! What the logs have in common: a consumer makes a call, the backend answers, a log writes it down in its own way.

pub(crate) mod actions;
pub(crate) mod cloudtrail;
pub(crate) mod cloudtrail_admin;
pub(crate) mod github;
pub(crate) mod http;
pub(crate) mod native;
pub(crate) mod sshd;
pub(crate) mod vault;

use crate::clock::Micros;
use crate::config::EstateError;
use crate::rng::Rng;
use crate::sink::Sink;
use crate::truth::{Issue, Outcome, Recorder};

/// What all actors write to.
pub(crate) struct World {
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) sinks: Vec<Sink>,
    pub(crate) truth: Recorder,
    /// Raw secrets that may turn up in places where none belongs, and in which share of the events they do.
    pub(crate) stray: Vec<String>,
    pub(crate) stray_share: f64,
    /// Share of the issuing events that are never delivered.
    pub(crate) missing_exchanges: f64,
}

impl World {
    /// A raw secret for a place where none belongs, seldom.
    pub(crate) fn stray(&mut self, rng: &mut Rng, sink: usize) -> Option<String> {
        if self.stray.is_empty() || !rng.chance(self.stray_share) {
            return None;
        }
        self.sinks[sink].strays += 1;
        Some(rng.pick(&self.stray).clone())
    }
}

/// What a request presents.
#[derive(Clone, Copy)]
pub(crate) enum Presented<'a> {
    /// A version of the secret itself.
    Version(usize),
    Session(&'a Session),
}

/// Why the backend refuses a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Revoked,
    /// The client was given a wrong value.
    Wrong,
    Expired,
}

/// A request as the consumer makes it.
pub(crate) struct Call<'a> {
    pub(crate) time: Micros,
    /// Which of the consumer's addresses it comes from.
    pub(crate) instance: usize,
    pub(crate) by: Presented<'a>,
    pub(crate) refusal: Option<Refusal>,
}

/// The request as the log shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// In the log's precision.
    pub(crate) time: Micros,
    pub(crate) outcome: Outcome,
    /// Whether the log ever arrives.
    pub(crate) delivered: bool,
    /// A second line that stands for so many more of the same.
    pub(crate) repeated: Option<(Micros, u64)>,
}

impl Heard {
    pub(crate) fn new(time: Micros, outcome: Outcome, delivered: bool) -> Self {
        Self { time, outcome, delivered, repeated: None }
    }
}

/// A session that a consumer holds.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Of which version of the secret it was obtained.
    pub(crate) version: usize,
    pub(crate) depth: u32,
    pub(crate) issued: Micros,
    /// When the version's own credential was exchanged, one or two hops ago.
    pub(crate) root_issued: Micros,
    /// Whether every exchange up to the version was delivered, and names what was presented.
    pub(crate) traced: bool,
    pub(crate) expires: Micros,
    /// As the log shows it.
    pub(crate) id: String,
    /// The log's account of who it is, ready to be copied into records.
    pub(crate) identity: Vec<u8>,
}

/// A consumer's way into one log.
pub(crate) enum Voice {
    CloudTrail(Box<cloudtrail::Caller>),
    Vault(Box<vault::Caller>),
    GitHub(Box<github::Caller>),
    Sshd(Box<sshd::Caller>),
    Http(Box<http::Caller>),
}

impl Voice {
    /// Uses what it presents.
    pub(crate) fn call(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<Heard, EstateError> {
        match self {
            Self::CloudTrail(it) => it.call(world, call),
            Self::Vault(it) => it.call(world, call),
            Self::GitHub(it) => it.call(world, call),
            Self::Sshd(it) => it.call(world, call),
            Self::Http(it) => it.call(world, call),
        }
    }

    /// Obtains a session with what it presents; none where the log knows no sessions.
    pub(crate) fn exchange(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<(Heard, Option<Session>), EstateError> {
        match self {
            Self::CloudTrail(it) => it.assume_role(world, call),
            Self::Vault(it) => it.log_in(world, call),
            Self::GitHub(_) | Self::Sshd(_) | Self::Http(_) => Ok((self.call(world, call)?, None)),
        }
    }

    /// How a session came about, for the truth.
    pub(crate) fn issue(&self, parent: Option<&Session>, it: &Session, delivered: bool) -> Issue {
        Issue {
            parent: parent.map(|it| it.id.clone()),
            child: it.id.clone(),
            kind: if matches!(self, Self::Vault(_)) { "vault_hmac" } else { "aws_access_key_id" },
            depth: it.depth,
            issued: it.issued,
            expires: it.expires,
            delivered,
            named: true,
        }
    }
}
