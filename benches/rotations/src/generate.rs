//! Rotations from a seed: consumers with their rhythms, copies and plans, and what logs show of it.

use crate::label;
use crate::plan::Plan;
use crate::random::Random;
use crate::rhythm::{DAY, HOUR, Rhythm};
use crate::rotation::{Declared, Exchange, Rotation, Source, Unresolved, Use};

/// How long the rotation is watched once the new version is there.
const AFTER: i64 = 240 * DAY;

/// What is wrong with the logs of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Nothing but delays and clocks that differ.
    None,
    /// Spans of which nothing arrives.
    Holes,
    /// Some events that issue sessions are lost, or no log says how long sessions last.
    Sessions,
    /// Something that no method can know.
    Unknowable(&'static str),
}

const UNKNOWABLE: [(f64, &str); 6] = [
    (1.0, "first_run_after"),
    (1.0, "yearly_job"),
    (1.0, "undetected_hole"),
    (1.0, "hidden_in_busier_copy"),
    (1.0, "wrongly_declared_gone"),
    (1.0, "later_than_stated"),
];

/// How the copies of a consumer are named in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Each by its own address for good.
    Stable,
    /// All by new ones at each deployment.
    Deployments,
    /// Each lives for days.
    Pods,
    /// A new one for each run.
    Runs,
    /// Behind an address that it shares with other consumers.
    Shared,
}

/// One consumer as it truly is.
pub(crate) struct Truly {
    pub(crate) number: u32,
    pub(crate) rhythm: Rhythm,
    pub(crate) plan: Plan,
    pub(crate) copies: u32,
    /// How long it was there before the new version was, in seconds.
    pub(crate) history: i64,
    /// Whether it took days off.
    pub(crate) rests: bool,
    /// Whether its copies are new ones with the new version.
    pub(crate) is_restarted: bool,
    pub(crate) naming: Naming,
}

/// One request as it truly was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) time: i64,
    pub(crate) consumer: u32,
    pub(crate) copy: u32,
    pub(crate) process: u32,
    pub(crate) source: u8,
    pub(crate) version: i8,
    pub(crate) is_rejected: bool,
    pub(crate) is_derived: bool,
    /// Whether a session was obtained by it, or which of the consumer's it presents.
    session: Option<u32>,
    is_shown: bool,
}

struct Builder {
    random: Random,
    trouble: Trouble,
    rotation: Rotation,
    skews: Vec<i64>,
    /// Until when events that issue sessions are lost.
    lost_until: i64,
    processes: u32,
    shared: u32,
    sessions: Vec<Session>,
    requests: Vec<Request>,
}

struct Session {
    seconds: i64,
    is_endless: bool,
    is_lost: bool,
}

/// The rotation of this number.
pub fn rotation(seed: u64, number: u64) -> Rotation {
    let mut random = Random::new(seed, number);
    let unknowable = Trouble::Unknowable(random.pick(&UNKNOWABLE));
    let trouble = random.pick(&[
        (0.58, Trouble::None),
        (0.22, Trouble::Holes),
        (0.12, Trouble::Sessions),
        (0.08, unknowable),
    ]);
    let history = DAY * random.pick(&[(0.1, 35), (0.35, 60), (0.4, 90), (0.15, 200)]);
    let rotation = Rotation {
        id: number,
        start_time: history + random.whole(0, DAY),
        end_time: history + AFTER,
        ..Rotation::default()
    };
    // The log that issues them is read at last, or never.
    let days = random.pick(&[(0.6, random.clone().whole(-20, 40)), (0.4, AFTER / DAY)]);
    let lost_until = rotation.start_time + days * DAY;
    let mut builder = Builder {
        random,
        trouble,
        rotation,
        skews: Vec::new(),
        lost_until,
        processes: 1,
        shared: 0,
        sessions: Vec::new(),
        requests: Vec::new(),
    };
    builder.sources();
    let count = 1 + (builder.random.exponential(3.5) as u32).min(29);
    let truly: Vec<Truly> = (0..count).map(|it| builder.consumer(it)).collect();
    builder.rotation.consumer_count = count;
    builder.mislead(&truly);
    builder.write_log();
    builder.rotation.truth.is_complete = trouble == Trouble::None;
    label::label(&mut builder.rotation, &truly, &builder.requests, &mut builder.random);
    let truth = &mut builder.rotation.truth;
    if truly.iter().any(|it| it.plan.goes_back_late()) {
        truth.unknowable = Some("goes_back_later".to_owned());
    }
    if label::has_first_run(&builder.requests, count, builder.rotation.start_time) {
        truth.unknowable = Some("first_run_after".to_owned());
    }
    if let Trouble::Unknowable(what) = trouble {
        truth.unknowable = Some(what.to_owned());
    }
    builder.rotation
}

impl Builder {
    fn sources(&mut self) {
        let random = &mut self.random;
        for _ in 0..random.pick(&[(0.6, 1), (0.3, 2), (0.1, 3)]) {
            let mut source = Source {
                lag_seconds: random.whole(300, 900),
                delay_seconds: random.pick(&[
                    (0.3, 0),
                    (0.3, 300),
                    (0.2, 900),
                    (0.1, 6 * HOUR),
                    (0.1, DAY),
                ]),
                holes: Vec::new(),
            };
            if self.trouble == Trouble::Holes {
                let mut at = self.rotation.start_time - random.whole(0, 30 * DAY);
                for _ in 0..random.whole(1, 4) {
                    let length = random.whole(2 * HOUR, 5 * DAY);
                    source.holes.push((at, at + length));
                    at += length + random.whole(DAY, 30 * DAY);
                }
            }
            self.rotation.sources.push(source);
            self.skews.push(random.whole(-120, 121));
        }
    }

    fn consumer(&mut self, number: u32) -> Truly {
        let random = &mut self.random;
        let rhythm = random.pick(&[
            (0.06, Rhythm::Minutes),
            (0.2, Rhythm::Hourly),
            (0.14, Rhythm::Office),
            (0.17, Rhythm::Nightly),
            (0.1, Rhythm::Weeknights),
            (0.09, Rhythm::Weekly),
            (0.05, Rhythm::Monthly),
            (0.02, Rhythm::Quarterly),
            (0.08, Rhythm::Random),
            (0.03, Rhythm::Seldom),
            (0.06, Rhythm::Bursts),
        ]);
        let is_quick = rhythm.cycle() <= 4 * DAY;
        let copies = if is_quick && random.happens(0.5) { random.whole(2, 6) as u32 } else { 1 };
        let (start, is_new) = (self.rotation.start_time, random.happens(0.05));
        // Some came only weeks ago.
        let history = if is_new { random.whole(10 * DAY, start) } else { start };
        let plan = Plan::choose(random, start, self.rotation.end_time, rhythm, copies);
        let naming = naming(random, rhythm, copies);
        let truly = Truly {
            number,
            naming,
            rhythm,
            copies,
            history,
            rests: rhythm.cycle() > HOUR * 36 && is_quick && random.happens(0.05),
            is_restarted: matches!(plan, Plan::Switch { .. }) && random.happens(0.3),
            plan,
        };
        self.declare(&truly);
        self.requests_of(&truly);
        truly
    }

    fn declare(&mut self, truly: &Truly) {
        let interval = match truly.rhythm {
            Rhythm::Monthly => Some(31 * DAY as u64),
            Rhythm::Quarterly => Some(92 * DAY as u64),
            Rhythm::Weekly => Some(7 * DAY as u64),
            _ => None,
        };
        let interval_seconds = interval.filter(|_| self.random.happens(0.3));
        let gone_time = match truly.plan {
            Plan::Gone { at, is_declared: true } => Some(at),
            _ => None,
        };
        let time = gone_time.map_or(0, |it| it + self.random.whole(HOUR, 5 * DAY));
        if interval_seconds.is_some() || gone_time.is_some() {
            let consumer = truly.number;
            self.rotation.declared.push(Declared { consumer, time, interval_seconds, gone_time });
        }
    }

    fn requests_of(&mut self, truly: &Truly) {
        let start = self.rotation.start_time;
        let from = match truly.plan {
            Plan::NewOnly { at } => at,
            _ => start - truly.history,
        };
        let off = start + self.random.whole(-60 * DAY, 60 * DAY);
        let off = off..off + self.random.whole(3 * DAY, 10 * DAY);
        // An earlier version was used for a part of the past.
        let before =
            if self.random.happens(0.3) { self.random.whole(0, start - 10 * DAY) } else { 0 };
        let sources = self.rotation.sources.len() as i64;
        let old_source = self.random.whole(0, sources) as u8;
        let new_source =
            if self.random.happens(0.5) { old_source } else { self.random.whole(0, sources) as u8 };
        let session = self.session(truly);
        let mut seen = self.addresses(truly, from);
        for copy in 0..truly.copies {
            let mut uses = truly.rhythm.uses(from, self.rotation.end_time, &mut self.random);
            uses.retain(|it| !(truly.rests && off.contains(it)));
            let mut kept_new = i64::MIN / 2;
            for (turn, time) in uses.into_iter().enumerate() {
                for (version, is_rejected) in truly.plan.attempts(copy, time, turn) {
                    // Nothing looks at most of what comes long after the switch.
                    let late = time > truly.plan.last_change() + 20 * DAY;
                    if version == 1 && late && time < kept_new + DAY {
                        continue;
                    }
                    kept_new = if version == 1 { time } else { kept_new };
                    let process = seen.at(self, copy, time, version == 1 && truly.is_restarted);
                    let version = if version == 0 && time < before { -1 } else { version };
                    let request = Request {
                        time,
                        consumer: truly.number,
                        copy,
                        process,
                        source: if version == 1 { new_source } else { old_source },
                        version,
                        is_rejected,
                        is_derived: false,
                        session: None,
                        is_shown: true,
                    };
                    self.request(request, session);
                }
            }
        }
    }

    /// Some obtain sessions with the credential and work with those: how long one lasts.
    fn session(&mut self, truly: &Truly) -> Option<i64> {
        let chance = if self.trouble == Trouble::Sessions { 0.5 } else { 0.12 };
        let can = truly.rhythm != Rhythm::Minutes && self.random.happens(chance);
        can.then(|| self.random.pick(&[(0.6, HOUR), (0.4, 12 * HOUR)]))
    }

    /// One request, and what is done with the session that it obtains, if it does.
    fn request(&mut self, request: Request, session: Option<i64>) {
        let mut request = request;
        if let Some(seconds) = session.filter(|_| !request.is_rejected) {
            let is_troubled = self.trouble == Trouble::Sessions;
            let is_lost =
                is_troubled && request.time < self.lost_until && self.random.happens(0.15);
            let is_endless = is_troubled && self.random.happens(0.02);
            let number = self.sessions.len() as u32;
            self.sessions.push(Session { seconds, is_endless, is_lost });
            request.session = Some(number);
            let count = if seconds > HOUR { 2 } else { 1 };
            for _ in 0..count {
                let time = request.time + self.random.whole(1, seconds);
                self.requests.push(Request { time, is_derived: true, ..request });
            }
        }
        self.requests.push(request);
    }

    fn addresses(&mut self, truly: &Truly, from: i64) -> Addresses {
        let naming = truly.naming;
        if naming == Naming::Shared && self.shared == 0 {
            self.processes += 1;
            self.shared = self.processes;
        }
        let current = (0..truly.copies).map(|_| (0, i64::MIN)).collect();
        let mut deployed = vec![from];
        while deployed.last().is_some_and(|it| *it < self.rotation.end_time) {
            let next =
                deployed[deployed.len() - 1] + self.random.exponential(9.0 * DAY as f64) as i64;
            deployed.push(next + HOUR);
        }
        Addresses { naming, current, deployed }
    }

    /// What no method can know.
    fn mislead(&mut self, truly: &[Truly]) {
        let Trouble::Unknowable(what) = self.trouble else { return };
        let start = self.rotation.start_time;
        let late = start + self.random.whole(20 * DAY, 60 * DAY);
        let consumer = self.random.whole(0, truly.len() as i64) as u32;
        let template = Request {
            time: late,
            consumer,
            copy: u32::MAX,
            process: 0,
            source: 0,
            version: 0,
            is_rejected: false,
            is_derived: false,
            session: None,
            is_shown: true,
        };
        // The copy that was last at work.
        let busy = |time: i64| {
            let own = self.requests.iter().filter(|it| it.consumer == consumer && it.time <= time);
            own.max_by_key(|it| it.time).map_or(1, |it| it.process)
        };
        match what {
            "first_run_after" => self.requests.push(Request { process: 1, ..template }),
            "yearly_job" => {
                let times = [late - 365 * DAY, late];
                self.requests.extend(times.map(|time| Request { time, process: 1, ..template }));
            }
            "undetected_hole" => {
                let times = (0..10).map(|it| start + it * 7 * DAY);
                let hidden =
                    times.map(|time| Request { time, process: 1, is_shown: false, ..template });
                self.requests.extend(hidden);
            }
            "hidden_in_busier_copy" => {
                let times = (-3..3).map(|it| late + it * 30 * DAY);
                let runs = times.map(|time| Request { time, process: busy(time), ..template });
                let runs: Vec<Request> = runs.collect();
                self.requests.extend(runs);
            }
            "wrongly_declared_gone" => {
                let (time, gone_time) = (start, Some(start));
                let one = Declared { consumer, time, interval_seconds: None, gone_time };
                self.rotation.declared.push(one);
                let process = busy(late);
                self.requests.push(Request { process, ..template });
            }
            _ => {
                // Its events come a month late.
                let times = (-12..8).map(|it| late + it * 7 * DAY);
                let copy = u32::MAX - 1;
                self.requests.extend(times.map(|time| Request {
                    time,
                    process: 1,
                    copy,
                    ..template
                }));
            }
        }
        self.requests.retain(|it| it.time >= 0);
    }

    /// What the logs show of the requests.
    fn write_log(&mut self) {
        self.requests.sort_by_key(|it| it.time);
        let requests = std::mem::take(&mut self.requests);
        for it in &requests {
            let source = &self.rotation.sources[it.source as usize];
            let (lag, delay) = (source.lag_seconds, source.delay_seconds);
            let in_hole = source.holes.iter().any(|hole| (hole.0..hole.1).contains(&it.time));
            if in_hole && it.version == 0 && it.time > self.rotation.start_time && !it.is_rejected {
                self.rotation.truth.hidden_uses.push((it.consumer, it.time));
            }
            let session = it.session.map(|number| &self.sessions[number as usize]);
            let is_lost = session.is_some_and(|it| it.is_lost);
            if !it.is_shown || in_hole || (is_lost && !it.is_derived) {
                continue;
            }
            let time = it.time + self.skews[it.source as usize];
            let month = if it.copy == u32::MAX - 1 { 30 * DAY } else { 0 };
            let extra = if delay > 0 { self.random.whole(0, delay) } else { 0 };
            let arrival_time = it.time + lag + extra + month;
            if is_lost {
                self.rotation.unresolved.push(Unresolved { time, arrival_time });
                continue;
            }
            if let Some(session) = session.filter(|_| !it.is_derived && it.version == 0) {
                let expires_time = (!session.is_endless).then_some(time + session.seconds);
                self.rotation.exchanges.push(Exchange { time, arrival_time, expires_time });
            }
            self.rotation.log.push(Use {
                time,
                arrival_time,
                consumer: it.consumer,
                process: it.process,
                source: it.source,
                version: it.version,
                is_rejected: it.is_rejected,
                is_derived: it.is_derived,
            });
        }
        self.rotation.log.sort_by_key(|it| it.time);
        self.requests = requests;
    }
}

fn naming(random: &mut Random, rhythm: Rhythm, copies: u32) -> Naming {
    if rhythm.cycle() > 4 * DAY {
        return random.pick(&[(0.6, Naming::Stable), (0.3, Naming::Runs), (0.1, Naming::Shared)]);
    }
    // A run of its own for each copy and night tells no copy from another.
    let runs = if copies == 1 && rhythm.cycle() > DAY { 0.1 } else { 0.0 };
    random.pick(&[
        (0.5, Naming::Stable),
        (0.2, Naming::Deployments),
        (0.2, Naming::Pods),
        (runs, Naming::Runs),
        (0.1, Naming::Shared),
    ])
}

/// By what names the copies of one consumer go, as time passes.
struct Addresses {
    naming: Naming,
    /// For each copy its name, and until when it has it.
    current: Vec<(u32, i64)>,
    deployed: Vec<i64>,
}

impl Addresses {
    fn at(&mut self, builder: &mut Builder, copy: u32, time: i64, is_restarted: bool) -> u32 {
        if self.naming == Naming::Shared {
            return builder.shared;
        }
        let (name, until) = self.current[copy as usize];
        // A copy that was restarted for the new version has another name from then on.
        let restarts = is_restarted && until < i64::MAX / 2 && self.naming == Naming::Stable;
        if time < until && !restarts {
            return name;
        }
        builder.processes += 1;
        let until = match self.naming {
            Naming::Stable if restarts => i64::MAX,
            Naming::Stable | Naming::Shared => i64::MAX / 2 - 1,
            Naming::Runs => time + 1,
            Naming::Pods => time + builder.random.exponential(3.0 * DAY as f64) as i64 + HOUR,
            Naming::Deployments => {
                self.deployed.iter().copied().find(|it| *it > time).unwrap_or(i64::MAX / 4)
            }
        };
        self.current[copy as usize] = (builder.processes, until);
        builder.processes
    }
}
