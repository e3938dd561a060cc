//! Who acts when: each actor knows its next moment, and does one thing at it.

use crate::clock::{DAY, MINUTE, Micros, SECOND};
use crate::config::EstateError;
use crate::consumers::{Consumer, Mode};
use crate::journeys::Journey;
use crate::logs::cloudtrail_admin::KeyChange;
use crate::logs::{
    Call, Presented, Refusal, Session, Voice, World, cloudtrail_admin, github, http, sshd, vault,
};
use crate::plan::{Kind, Secret, grace};
use crate::rng::Rng;
use crate::truth::Outcome;

/// Somebody who leaves events in the logs.
pub(crate) enum Actor {
    Consumer(Box<ConsumerActor>),
    Background(Background),
    Steward(Steward),
    Reader(Reader),
    Traveller(Box<Journey>),
}

impl Actor {
    /// When it acts for the first time.
    pub(crate) fn first(&self, start: Micros) -> Option<Micros> {
        match self {
            Self::Consumer(it) => Some(it.first()),
            Self::Background(it) => Some(start + it.interval / 2),
            Self::Steward(it) => it.chores.last().map(|it| it.time),
            Self::Reader(it) => Some(start + it.rng.clone().between(0, DAY)),
            Self::Traveller(it) => it.first(),
        }
    }

    /// Acts, and says when it will act again.
    pub(crate) fn act(
        &mut self,
        world: &mut World,
        now: Micros,
    ) -> Result<Option<Micros>, EstateError> {
        match self {
            Self::Consumer(it) => it.act(world, now),
            Self::Background(it) => it.act(world, now).map(Some),
            Self::Steward(it) => it.act(world, now),
            Self::Reader(it) => it.act(world, now).map(Some),
            Self::Traveller(it) => it.act(world, now),
        }
    }
}

/// A consumer at work.
pub(crate) struct ConsumerActor {
    pub(crate) plan: Consumer,
    pub(crate) voice: Voice,
    pub(crate) rng: Rng,
    /// The rows of the truth, by version.
    pub(crate) rows: Vec<usize>,
    /// Revocation of each version, and how long the backend takes to heed it; none if it never does.
    pub(crate) refused_from: Vec<Option<Micros>>,
    sessions: Vec<Session>,
    run: usize,
    calls_left: u32,
    /// Has tried the new version in this run, in vain.
    fell_back: bool,
    turn: bool,
}

/// What a consumer does after a call.
enum Then {
    /// Goes on with the same run so soon.
    Again(Micros),
    CallDone,
    RunDone,
}

impl ConsumerActor {
    pub(crate) fn new(
        plan: &Consumer,
        secret: &Secret,
        voice: Voice,
        rows: Vec<usize>,
        rng: Rng,
    ) -> Self {
        let refused_from = secret
            .versions
            .iter()
            .map(|it| {
                it.revoked.filter(|_| secret.enforced).map(|revoked| revoked + grace(secret.kind))
            })
            .collect();
        Self {
            calls_left: plan.burst(),
            plan: plan.clone(),
            voice,
            rng,
            rows,
            refused_from,
            sessions: Vec::new(),
            run: 0,
            fell_back: false,
            turn: false,
        }
    }

    fn first(&self) -> Micros {
        self.plan.first_run
    }

    fn act(&mut self, world: &mut World, now: Micros) -> Result<Option<Micros>, EstateError> {
        if let Some(extra) = self.plan.extras.pop_if(|it| it.time <= now)
            && extra.drop_session
        {
            self.sessions.clear();
        }
        let (mode, next_phase) = self.plan.mode(now);
        let next = if mode == Mode::Quiet {
            let Some(next_phase) = next_phase else {
                return Ok(None);
            };
            next_phase + self.rng.between(0, self.plan.interval.min(DAY))
        } else {
            let then = self.step(world, now, mode)?;
            self.schedule(now, then)
        };
        // A call at an appointed time goes before the rhythm.
        Ok(Some(self.plan.extras.last().map_or(next, |it| it.time.min(next))))
    }

    fn schedule(&mut self, now: Micros, then: Then) -> Micros {
        match then {
            Then::Again(soon) => return now + soon,
            Then::CallDone if self.calls_left > 1 => {
                self.calls_left -= 1;
                return now + self.rng.between(SECOND, 40 * SECOND);
            }
            Then::CallDone | Then::RunDone => {}
        }
        self.calls_left = self.plan.burst();
        self.fell_back = false;
        self.run += 1;
        let interval = self.plan.interval;
        let usual = self.rng.between(interval * 3 / 4, interval * 5 / 4);
        now + (if self.rng.chance(0.02) { usual + interval / 2 } else { usual }).max(1)
    }

    /// One request: with a session where it needs one, and for one where it has none.
    fn step(&mut self, world: &mut World, now: Micros, mode: Mode) -> Result<Then, EstateError> {
        let Some(plan) = self.plan.sessions else {
            return self.direct(world, now, mode, false);
        };
        if let Some(expired) = self.sessions.iter().position(|it| it.expires <= now + SECOND) {
            let session = self.sessions.remove(expired);
            // Now and then it notices only when the backend tells it. A refused session is no use of its parent.
            if matches!(self.voice, Voice::CloudTrail(_))
                && session.expires <= now
                && self.rng.chance(0.05)
            {
                self.derived(world, now, &session, Some(Refusal::Expired))?;
            }
            return Ok(Then::Again(self.rng.between(SECOND, 3 * SECOND)));
        }
        let Some(session) = self.sessions.last().cloned() else {
            return self.direct(world, now, mode, true);
        };
        if plan.two_hops && session.depth == 1 {
            return self.chain(world, now, &session);
        }
        self.derived(world, now, &session, None)?;
        Ok(Then::CallDone)
    }

    /// Presents a version itself, to do its work or to obtain a session.
    fn direct(
        &mut self,
        world: &mut World,
        now: Micros,
        mode: Mode,
        exchange: bool,
    ) -> Result<Then, EstateError> {
        let (version, wrong) = match mode {
            Mode::Quiet => return Ok(Then::RunDone),
            Mode::Use(version) => (version, false),
            Mode::Alternate(a, b) => {
                self.turn = !self.turn;
                (if self.turn { b } else { a }, false)
            }
            Mode::Try { new, .. } if !self.fell_back => (new, true),
            Mode::Try { old, .. } => (old, false),
        };
        let refusal = if wrong {
            Some(Refusal::Wrong)
        } else {
            self.refused_from[version].filter(|it| now >= *it).map(|_| Refusal::Revoked)
        };
        let call = Call { time: now, instance: self.run, by: Presented::Version(version), refusal };
        let (heard, session) = if exchange {
            self.voice.exchange(world, &call)?
        } else {
            (self.voice.call(world, &call)?, None)
        };
        let row = self.rows[version];
        if heard.delivered {
            world.truth.direct(row, heard.time, heard.outcome, 1, session.is_some());
        }
        if let Some((time, count)) = heard.repeated {
            world.truth.direct(row, time, heard.outcome, count, false);
        }
        if wrong {
            self.fell_back = true;
            return Ok(Then::Again(3 * SECOND));
        }
        let Some(session) = session else {
            return Ok(if exchange || heard.outcome == Outcome::Rejected {
                Then::RunDone
            } else {
                Then::CallDone
            });
        };
        world.truth.exchange(row, self.voice.issue(None, &session, heard.delivered));
        self.sessions.push(Session { traced: heard.delivered, ..session });
        Ok(Then::Again(self.rng.between(SECOND, 3 * SECOND)))
    }

    /// Presents a session to obtain another one.
    fn chain(
        &mut self,
        world: &mut World,
        now: Micros,
        parent: &Session,
    ) -> Result<Then, EstateError> {
        let call =
            Call { time: now, instance: self.run, by: Presented::Session(parent), refusal: None };
        let (heard, session) = self.voice.exchange(world, &call)?;
        let row = self.rows[parent.version];
        if heard.delivered {
            world.truth.derived(row, &heard, parent);
        }
        let Some(session) = session else {
            return Ok(Then::RunDone);
        };
        world.truth.exchange(row, self.voice.issue(Some(parent), &session, heard.delivered));
        let (root_issued, traced) = (parent.root_issued, parent.traced && heard.delivered);
        self.sessions.push(Session { root_issued, traced, ..session });
        Ok(Then::Again(self.rng.between(SECOND, 3 * SECOND)))
    }

    fn derived(
        &mut self,
        world: &mut World,
        now: Micros,
        session: &Session,
        refusal: Option<Refusal>,
    ) -> Result<(), EstateError> {
        let call = Call { time: now, instance: self.run, by: Presented::Session(session), refusal };
        let heard = self.voice.call(world, &call)?;
        if heard.delivered {
            world.truth.derived(self.rows[session.version], &heard, session);
        }
        Ok(())
    }
}

/// Traffic that has nothing to do with the registry.
pub(crate) struct Background {
    pub(crate) rng: Rng,
    pub(crate) interval: Micros,
    pub(crate) log: BackgroundLog,
    /// The first sink of that log.
    pub(crate) sink: usize,
}

/// Whose traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackgroundLog {
    CloudTrail,
    Vault,
    GitHub,
    Sshd,
    Http,
}

impl Background {
    fn act(&mut self, world: &mut World, now: Micros) -> Result<Micros, EstateError> {
        let (sink, rng) = (self.sink, &mut self.rng);
        match self.log {
            BackgroundLog::CloudTrail => {
                let which = rng.below(4) as usize;
                let place = (crate::names::ACCOUNTS[which / 2], crate::names::REGIONS[which % 2]);
                cloudtrail_admin::stranger(world, sink + which, rng, now, place)?;
            }
            BackgroundLog::Vault => vault::stranger(world, sink, rng, now)?,
            BackgroundLog::GitHub => github::browser(world, sink, rng, now)?,
            BackgroundLog::Sshd => sshd::stranger(world, sink, rng, now)?,
            BackgroundLog::Http => http::stranger(world, sink, rng, now)?,
        }
        Ok(now + self.rng.between(self.interval / 2, self.interval * 3 / 2).max(1))
    }
}

/// A workload that reads a key from Vault once a day: the current version, whichever it then uses.
pub(crate) struct Reader {
    pub(crate) rng: Rng,
    pub(crate) sink: usize,
    pub(crate) workload: String,
    pub(crate) address: String,
    pub(crate) secret: String,
    /// When each version became current.
    pub(crate) active: Vec<Micros>,
}

impl Reader {
    fn act(&mut self, world: &mut World, now: Micros) -> Result<Micros, EstateError> {
        if now + 2 * SECOND < world.end {
            let version = self.active.iter().filter(|it| **it <= now).count().max(1);
            vault::workload_reads(
                world,
                self.sink,
                &mut self.rng,
                now,
                (&self.workload, &self.address, &self.secret, version),
            )?;
        }
        Ok(now + self.rng.between(DAY - 30 * MINUTE, DAY + 30 * MINUTE))
    }
}

/// Those who make, publish and revoke secret versions.
pub(crate) struct Steward {
    pub(crate) rng: Rng,
    /// Latest first.
    pub(crate) chores: Vec<Chore>,
}

/// One change, and where it is logged.
pub(crate) struct Chore {
    pub(crate) time: Micros,
    pub(crate) sink: usize,
    pub(crate) what: What,
}

/// What a steward does.
pub(crate) enum What {
    Key { account: &'static str, user: String, key: String, change: KeyChange },
    SecretsManager { account: &'static str, region: &'static str, name: String },
    GitHub { actor: String, action: &'static str },
    KeyValue { id: String, version: usize },
    SecretId { role: String, secret: String, destroyed: bool },
    Token { token: String, revoked: bool },
}

impl Steward {
    fn act(&mut self, world: &mut World, _now: Micros) -> Result<Option<Micros>, EstateError> {
        let Some(chore) = self.chores.pop() else {
            return Ok(None);
        };
        let Chore { time, sink, what } = chore;
        let rng = &mut self.rng;
        match &what {
            What::Key { account, user, key, change } => {
                cloudtrail_admin::key_change(world, sink, rng, time, (account, user, key), *change)?
            }
            What::SecretsManager { account, region, name } => {
                cloudtrail_admin::secret_rotated(world, sink, rng, time, (account, region, name))?;
            }
            What::GitHub { actor, action } => {
                github::lifecycle(world, sink, rng, time, actor, action)?
            }
            What::KeyValue { id, version } => {
                vault::change(world, sink, rng, time, &vault::Change::KeyValue(id, *version))?
            }
            What::SecretId { role, secret, destroyed: false } => {
                vault::change(world, sink, rng, time, &vault::Change::SecretId(role, secret))?;
            }
            What::SecretId { role, secret, destroyed: true } => {
                vault::change(
                    world,
                    sink,
                    rng,
                    time,
                    &vault::Change::SecretIdDestroyed(role, secret),
                )?;
            }
            What::Token { token, revoked: false } => {
                vault::change(world, sink, rng, time, &vault::Change::Token(token))?
            }
            What::Token { token, revoked: true } => {
                vault::change(world, sink, rng, time, &vault::Change::TokenRevoked(token))?
            }
        }
        Ok(self.chores.last().map(|it| it.time))
    }
}

/// The changes that the logs show of one secret's versions, in any order.
pub(crate) fn chores(
    secret: &Secret,
    sinks: &crate::estate::Sinks,
    (start, end): (Micros, Micros),
) -> Vec<Chore> {
    let mut chores = Vec::new();
    for (number, version) in secret.versions.iter().enumerate() {
        let revoked = version.revoked.unwrap_or(end);
        let mut add = |time: Micros, sink: Option<usize>, what: What| {
            if let (true, Some(sink)) = ((start..end - MINUTE * 2).contains(&time), sink) {
                chores.push(Chore { time, sink, what });
            }
        };
        match secret.kind {
            Kind::AwsKey => {
                let key = |change| What::Key {
                    account: secret.account(),
                    user: secret.principal.clone(),
                    key: version.logged.clone(),
                    change,
                };
                let sink = sinks.cloudtrail.map(|it| it + secret.environment * 2);
                add(version.active, sink, key(KeyChange::Created));
                add(revoked, sink, key(KeyChange::Inactive));
                add(revoked + 2 * DAY, sink, key(KeyChange::Deleted));
            }
            Kind::HttpKey => {
                add(
                    version.active,
                    sinks.vault,
                    What::KeyValue { id: secret.id.clone(), version: number + 1 },
                );
            }
            Kind::GitHubToken => {
                let token = |action| What::GitHub { actor: secret.principal.clone(), action };
                add(version.active, sinks.github, token("personal_access_token.access_granted"));
                add(revoked, sinks.github, token("personal_access_token.access_revoked"));
            }
            Kind::AppRole => {
                let id = |destroyed| What::SecretId {
                    role: secret.owner.to_owned(),
                    secret: version.logged.clone(),
                    destroyed,
                };
                add(version.active, sinks.vault, id(false));
                add(revoked, sinks.vault, id(true));
            }
            Kind::VaultToken => {
                add(
                    version.active,
                    sinks.vault,
                    What::Token { token: version.logged.clone(), revoked: false },
                );
                add(
                    revoked,
                    sinks.vault,
                    What::Token { token: version.logged.clone(), revoked: true },
                );
            }
            Kind::SshKey | Kind::VaultRawToken | Kind::ServiceJwt => {}
        }
    }
    chores
}
