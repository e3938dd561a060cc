//! A traveller on its route: uses what it holds, exchanges it for the next, and so on to the end.

use crate::clock::{HOUR, Micros, SECOND};
use crate::config::{EstateError, LogSource};
use crate::estate::Sinks;
use crate::logs::native::{self, Credential, Request};
use crate::logs::{Heard, Session, World};
use crate::rng::Rng;
use crate::routes::{Traveller, identifier};
use crate::truth::{Issue, Outcome};

/// How long a session lives.
const LIFETIME: Micros = HOUR;

/// One who takes the same route again and again.
pub(crate) struct Journey {
    plan: Traveller,
    sinks: Sinks,
    /// By version; under the workload's name and its service account's.
    rows: [[usize; 2]; 2],
    rng: Rng,
    /// A run on the edge of the cutoff, whose sessions outlast it.
    edge: Option<Micros>,
}

/// What is presented, and what the truth has to know of it.
struct Held {
    credential: Credential,
    /// None for the secret itself.
    session: Option<Session>,
}

impl Journey {
    pub(crate) fn new(plan: &Traveller, sinks: Sinks, rows: [[usize; 2]; 2], rng: Rng) -> Self {
        let edge = Some(plan.cutoff - 20 * SECOND);
        Self { plan: plan.clone(), sinks, rows, rng, edge }
    }

    pub(crate) fn first(&self) -> Option<Micros> {
        Some(self.plan.first_run)
    }

    /// Takes the whole route, which is a matter of minutes, and says when it will do so again.
    pub(crate) fn act(
        &mut self,
        world: &mut World,
        now: Micros,
    ) -> Result<Option<Micros>, EstateError> {
        if now + HOUR >= world.end {
            return Ok(None);
        }
        self.edge = self.edge.filter(|it| *it > now);
        self.run(world, now - now.rem_euclid(SECOND))?;
        let interval = self.plan.interval;
        let next = now + self.rng.between(interval / 2, interval * 3 / 2);
        Ok(Some(self.edge.map_or(next, |it| it.min(next))))
    }

    fn run(&mut self, world: &mut World, start: Micros) -> Result<(), EstateError> {
        let route = self.plan.route;
        let version = usize::from(start >= self.plan.switch);
        let id = self.plan.versions[version].clone();
        let root = Credential { kind: route.kind, id, account: 0, depth: 0, issued: start };
        let mut held = Held { credential: root, session: None };
        let mut time = self.uses(world, start, version, &held, route.uses)?;
        let mut first = None;
        for (hop, depth) in route.hops.iter().zip(1..) {
            time += self.rng.between(1, 6) * SECOND;
            let issued = Credential {
                kind: hop.kind,
                id: identifier(hop.kind, depth, &mut self.rng),
                account: hop.account,
                depth,
                issued: time,
            };
            held = self.exchange(world, time, version, &held, (hop.by, issued))?;
            first = first.or_else(|| Some((hop.by, held.credential.clone())));
            time = self.uses(world, time, version, &held, hop.uses)?;
        }
        if let (true, Some(first)) = (route.is_loop, first) {
            self.exchange(world, time + SECOND, version, &held, first)?;
        }
        Ok(())
    }

    /// Uses what it holds some times in each of the logs; the time of the last use.
    fn uses(
        &mut self,
        world: &mut World,
        mut time: Micros,
        version: usize,
        held: &Held,
        logs: &[LogSource],
    ) -> Result<Micros, EstateError> {
        for log in logs {
            for _ in 0..1 + self.rng.below(3) {
                time += self.rng.between(1, 15) * SECOND;
                let outcome = match self.rng.below(30) {
                    0 => Outcome::Denied,
                    1 if native::names_refused(*log) => Outcome::Rejected,
                    _ => Outcome::Success,
                };
                let request = Self::request(&self.plan, time, &held.credential, outcome, None);
                let Some(sink) = self.sinks.of(*log, held.credential.account) else { continue };
                let delivered = native::write(world, sink, *log, &mut self.rng, &request)?;
                if delivered && native::names(*log, &held.credential) {
                    let row = self.row(version, *log, &held.credential);
                    let exchanged = native::obtains_unnamed(*log, time);
                    self.tell(world, row, &Heard::new(time, outcome, true), held, exchanged);
                }
            }
        }
        Ok(time)
    }

    /// Obtains a session with what it holds.
    fn exchange(
        &mut self,
        world: &mut World,
        time: Micros,
        version: usize,
        held: &Held,
        (log, issued): (LogSource, Credential),
    ) -> Result<Held, EstateError> {
        let request =
            Self::request(&self.plan, time, &held.credential, Outcome::Success, Some(&issued));
        let kept = !self.rng.chance(world.missing_exchanges);
        let delivered = match self.sinks.of(log, held.credential.account).filter(|_| kept) {
            Some(sink) => native::write(world, sink, log, &mut self.rng, &request)?,
            None => false,
        };
        let named = native::names(log, &held.credential);
        let row = self.row(version, log, &held.credential);
        if delivered && named {
            self.tell(world, row, &Heard::new(time, Outcome::Success, true), held, true);
        }
        let parent = held.session.as_ref();
        world.truth.exchange(
            self.rows[version][0],
            Issue {
                parent: parent.map(|it| it.id.clone()),
                child: issued.id.clone(),
                kind: issued.kind,
                depth: held.credential.depth + 1,
                issued: time,
                expires: time + LIFETIME,
                delivered,
                named,
            },
        );
        let session = Session {
            version,
            depth: issued.depth,
            issued: time,
            root_issued: parent.map_or(time, |it| it.root_issued),
            traced: delivered && named && parent.is_none_or(|it| it.traced),
            expires: time + LIFETIME,
            id: issued.id.clone(),
            identity: Vec::new(),
        };
        Ok(Held { credential: issued, session: Some(session) })
    }

    fn tell(&self, world: &mut World, row: usize, heard: &Heard, held: &Held, exchanged: bool) {
        match &held.session {
            Some(session) => world.truth.derived(row, heard, session),
            None => world.truth.direct(row, heard.time, heard.outcome, 1, exchanged),
        }
    }

    /// A Kubernetes token names its service account; all else is known by the traveller's own name or address.
    fn row(&self, version: usize, log: LogSource, by: &Credential) -> usize {
        let account = log == LogSource::Kubernetes && by.kind == "kubernetes_credential_id";
        self.rows[version][usize::from(account)]
    }

    fn request<'a>(
        who: &'a Traveller,
        time: Micros,
        by: &'a Credential,
        outcome: Outcome,
        issued: Option<&'a Credential>,
    ) -> Request<'a> {
        Request { time, by, outcome, issued, lifetime: LIFETIME, who }
    }
}
