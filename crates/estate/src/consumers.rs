//! Who uses which secret, in which rhythm, and how each takes a rotation.

use crate::clock::{DAY, HOUR, Micros, SECOND};
use crate::config::{EstateConfig, LogSource};
use crate::names::{AWS_AGENTS, HTTP_AGENTS, WORKLOADS};
use crate::plan::{Fate, Kind, Secret};
use crate::rng::Rng;
use crate::truth::{Row, StateTruth};
use crate::write::ip_text;

/// The names of the two environments.
pub(crate) const ENVIRONMENTS: [&str; 2] = ["prod", "staging"];

/// A workload of the asset list, alone in its network of sixteen addresses.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) environment: usize,
    pub(crate) network: u32,
}

/// How a consumer takes the rotation of its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    OldOnly,
    Both,
    Switched,
    /// Switches after the cutoff.
    Straggler,
    Reverted,
    /// Its attempts with the new version are refused.
    FailingNew,
    NewOnly,
    Dormant,
    /// Switches in time, while a session of the old version lives on past the cutoff.
    SessionTail,
    /// Never learns that its version is revoked.
    RetiredUse,
    /// Uses a version that was retired before the logs begin.
    Ancient,
}

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OldOnly => "old_only",
            Self::Both => "both",
            Self::Switched => "switched",
            Self::Straggler => "straggler",
            Self::Reverted => "reverted",
            Self::FailingNew => "failing_new",
            Self::NewOnly => "new_only",
            Self::Dormant => "dormant",
            Self::SessionTail => "session_tail",
            Self::RetiredUse => "retired_use",
            Self::Ancient => "ancient_use",
        }
    }

    /// Told by many runs: not for a weekly or monthly rhythm.
    fn needs_runs(self) -> bool {
        !matches!(self, Self::OldOnly | Self::Switched | Self::NewOnly | Self::Ancient)
    }
}

const PLANNED: [Scenario; 7] = [
    Scenario::Switched,
    Scenario::Both,
    Scenario::OldOnly,
    Scenario::Reverted,
    Scenario::FailingNew,
    Scenario::Dormant,
    Scenario::NewOnly,
];
const CUT_OFF: [Scenario; 4] =
    [Scenario::OldOnly, Scenario::SessionTail, Scenario::Switched, Scenario::FailingNew];
const REVOKED: [Scenario; 4] =
    [Scenario::RetiredUse, Scenario::Switched, Scenario::Straggler, Scenario::SessionTail];

/// How often a consumer runs, and how many calls a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rhythm {
    /// As often as the wanted number of events asks for.
    Busy,
    Hourly,
    SixHourly,
    Daily,
    Weekly,
    Monthly,
}

impl Rhythm {
    fn interval(self) -> Micros {
        match self {
            Self::Busy => 10 * 60 * SECOND,
            Self::Hourly => HOUR,
            Self::SixHourly => 6 * HOUR,
            Self::Daily => DAY,
            Self::Weekly => 7 * DAY,
            Self::Monthly => 30 * DAY,
        }
    }

    fn burst(self) -> u32 {
        match self {
            Self::Busy | Self::Hourly | Self::SixHourly => 1,
            Self::Daily => 2,
            Self::Weekly => 5,
            Self::Monthly => 8,
        }
    }

    fn instances(self) -> u32 {
        match self {
            Self::Busy | Self::Hourly => 3,
            Self::SixHourly => 2,
            _ => 1,
        }
    }

    /// What the registry says of it, where there is a word.
    fn schedule(self) -> Option<&'static str> {
        match self {
            Self::Busy | Self::SixHourly => None,
            Self::Hourly => Some("hourly"),
            Self::Daily => Some("daily"),
            Self::Weekly => Some("weekly"),
            Self::Monthly => Some("monthly"),
        }
    }
}

/// What a consumer presents during a phase; the numbers are versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Quiet,
    Use(usize),
    Alternate(usize, usize),
    /// Tries the new one, is refused, and falls back.
    Try {
        new: usize,
        old: usize,
    },
}

/// A call at a given instant, whatever the rhythm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra {
    pub(crate) time: Micros,
    /// Obtain a new session for it.
    pub(crate) drop_session: bool,
}

/// How a consumer obtains sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sessions {
    pub(crate) lifetime: Micros,
    /// A session obtains a second one, of another role, for an hour.
    pub(crate) two_hops: bool,
    /// The session is named after the workload; else the name is generated and the role says who it is.
    pub(crate) named: bool,
}

/// One consumer of one secret.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) secret: usize,
    /// The log that shows it.
    pub(crate) source: LogSource,
    /// None for a shadow.
    pub(crate) workload: Option<usize>,
    /// The workload's name, for a shadow the fallback name.
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
    pub(crate) rhythm: Rhythm,
    pub(crate) interval: Micros,
    pub(crate) first_run: Micros,
    pub(crate) phases: Vec<(Micros, Mode)>,
    /// Latest first.
    pub(crate) extras: Vec<Extra>,
    pub(crate) sessions: Option<Sessions>,
    pub(crate) addresses: Vec<String>,
    pub(crate) agent: String,
    /// Tells consumers apart where a choice is to be made.
    pub(crate) variant: usize,
}

impl Consumer {
    pub(crate) fn burst(&self) -> u32 {
        self.rhythm.burst()
    }

    /// The schedule that the registry declares; none if the estate was too small for the rhythm.
    pub(crate) fn schedule(&self) -> Option<&'static str> {
        if self.interval == self.rhythm.interval() { self.rhythm.schedule() } else { None }
    }

    /// What is played at `time`, and when the next phase begins.
    pub(crate) fn mode(&self, time: Micros) -> (Mode, Option<Micros>) {
        let next =
            self.phases.iter().position(|(from, _)| *from > time).unwrap_or(self.phases.len());
        let mode = next.checked_sub(1).map_or(Mode::Quiet, |it| self.phases[it].1);
        (mode, self.phases.get(next).map(|it| it.0))
    }

    /// The time during which it is not quiet.
    fn active_span(&self, end: Micros) -> Micros {
        let ends = self.phases.iter().skip(1).map(|it| it.0).chain([end]);
        self.phases
            .iter()
            .zip(ends)
            .filter(|(phase, _)| phase.1 != Mode::Quiet)
            .map(|(phase, end)| end - phase.0)
            .sum()
    }

    /// About how many events it will leave.
    fn expected(&self, end: Micros) -> f64 {
        let span = self.active_span(end) as f64;
        let runs = span / self.interval as f64;
        let calls = runs * f64::from(self.burst());
        let tries = if self.scenario == Scenario::FailingNew { runs * 0.6 } else { 0.0 };
        calls + self.exchange_count(span, runs) + if self.sessions.is_none() { tries } else { 0.0 }
    }

    fn exchange_count(&self, span: f64, runs: f64) -> f64 {
        let Some(sessions) = self.sessions else {
            return 0.0;
        };
        let refused = if self.scenario == Scenario::FailingNew { 1.6 } else { 1.0 };
        let first = runs.min(span / sessions.lifetime as f64) * refused;
        first + if sessions.two_hops { runs.min(span / HOUR as f64) } else { 0.0 }
    }

    /// The state that the facts show, if they show one beyond doubt.
    pub(crate) fn state(&self, secret: &Secret, rows: &[&Row], end: Micros) -> Option<StateTruth> {
        if secret.old_version() == secret.new_version() || self.rhythm == Rhythm::Monthly {
            return None;
        }
        let (old, new) = (rows[secret.old_version()], rows[secret.new_version()]);
        let recent = |time: Option<Micros>| time.is_some_and(|it| end - it <= 4 * self.pace());
        let quiet = |time: Option<Micros>| time.is_some_and(|it| end - it > 10 * self.pace());
        let state = match self.scenario {
            Scenario::OldOnly if new.attempt_count() == 0 && recent(old.last_used()) => "old_only",
            Scenario::NewOnly if old.attempt_count() == 0 && recent(new.last_used()) => "new_only",
            Scenario::Both if recent(old.last_used()) && recent(new.last_used()) => "both",
            Scenario::Switched | Scenario::Straggler | Scenario::SessionTail
                if old.use_count() > 0 && recent(new.last_used()) && !recent(old.last_used()) =>
            {
                "switched"
            }
            Scenario::Reverted
                if new.use_count() > 0 && quiet(new.last_used()) && recent(old.last_used()) =>
            {
                "reverted"
            }
            Scenario::FailingNew
                if new.use_count() == 0
                    && new.rejected_count() > 0
                    && recent(new.last_rejected())
                    && recent(old.last_used()) =>
            {
                "failing_new"
            }
            Scenario::Dormant if new.attempt_count() == 0 && quiet(old.last_used()) => "dormant",
            _ => return None,
        };
        Some(StateTruth {
            secret_id: secret.id.clone(),
            workload: self.name.clone(),
            scenario: self.scenario.name().to_owned(),
            state: state.to_owned(),
            old_version: secret.versions[secret.old_version()].name.clone(),
            new_version: secret.versions[secret.new_version()].name.clone(),
        })
    }

    /// The time within which the consumer shows itself; with sessions, within which it logs in.
    fn pace(&self) -> Micros {
        self.interval.max(self.sessions.map_or(0, |it| it.lifetime)).max(HOUR)
    }
}

/// Lays out the consumers of every secret.
pub(crate) fn plan(
    config: &EstateConfig,
    window: (Micros, Micros),
    secrets: &[Secret],
    rng: &Rng,
) -> (Vec<Workload>, Vec<Consumer>) {
    let mut planner = Planner::new(config, window, secrets, rng);
    for index in 0..secrets.len() {
        planner.declared(index);
        planner.shadows(index);
    }
    (planner.workloads, planner.consumers)
}

struct Planner<'a> {
    config: &'a EstateConfig,
    window: (Micros, Micros),
    secrets: &'a [Secret],
    rng: &'a Rng,
    workloads: Vec<Workload>,
    consumers: Vec<Consumer>,
    /// Workloads of the asset list in each environment.
    pool: usize,
    /// How many scenarios of each fate have been dealt.
    dealt: [usize; 3],
    shadow_count: u32,
    leaked: bool,
}

impl<'a> Planner<'a> {
    fn new(
        config: &'a EstateConfig,
        window: (Micros, Micros),
        secrets: &'a [Secret],
        rng: &'a Rng,
    ) -> Self {
        let wanted = config.consumers_per_secret as usize;
        let pool = wanted.max(config.secrets as usize * wanted / 2);
        let mut workloads = Vec::with_capacity(2 * pool);
        for (environment, suffix) in ["", "-staging"].into_iter().enumerate() {
            for number in 0..pool {
                let series = number / WORKLOADS.len();
                let series = if series == 0 { String::new() } else { format!("-{}", series + 1) };
                let name = format!("{}{series}{suffix}", WORKLOADS[number % WORKLOADS.len()]);
                let network = 0x0a10_0000 + (workloads.len() as u32) * 16;
                workloads.push(Workload { name, environment, network });
            }
        }
        Self {
            config,
            window,
            secrets,
            rng,
            workloads,
            consumers: Vec::new(),
            pool,
            dealt: [0; 3],
            shadow_count: 0,
            leaked: false,
        }
    }

    fn declared(&mut self, index: usize) {
        let secret = &self.secrets[index];
        // Metadata of the login names the workload, and there is one per role or service account.
        let count =
            if secret.kind.only_logs_in() { 1 } else { self.config.consumers_per_secret as usize };
        for number in 0..count {
            let workload = if secret.kind == Kind::ServiceJwt {
                let name = format!("{}/{}", secret.owner, WORKLOADS[index % WORKLOADS.len()]);
                let name = if index < WORKLOADS.len() { name } else { format!("{name}-{index}") };
                let network = 0x0a10_0000 + (self.workloads.len() as u32) * 16;
                self.workloads.push(Workload { name, environment: secret.environment, network });
                self.workloads.len() - 1
            } else {
                let place =
                    (index * self.config.consumers_per_secret as usize + number) % self.pool;
                secret.environment * self.pool + place
            };
            let scenario = self.deal(secret);
            self.add(index, number, Some(workload), scenario, secret.kind.source());
        }
    }

    /// Consumers that nobody declared: one for every third secret, one for each long retired version, and one that took a token elsewhere.
    fn shadows(&mut self, index: usize) {
        let secret = &self.secrets[index];
        let source = secret.kind.source();
        // Vault does not say who presented a revoked token, so the shadow would change its name.
        let nameless = source == LogSource::Vault
            && (secret.kind.only_logs_in() || secret.fate == Fate::Revoked);
        if index % 3 == 1 && !nameless {
            self.add(index, 100, None, Scenario::OldOnly, source);
        }
        if secret.has_ancient {
            self.add(index, 101, None, Scenario::Ancient, source);
        }
        if secret.kind == Kind::GitHubToken
            && !self.leaked
            && self.config.sources.contains(&LogSource::Http)
        {
            self.leaked = true;
            self.add(index, 102, None, Scenario::OldOnly, LogSource::Http);
        }
    }

    fn deal(&mut self, secret: &Secret) -> Scenario {
        let (place, list): (usize, &[Scenario]) = match secret.fate {
            Fate::Single => return Scenario::OldOnly,
            Fate::Planned => (0, &PLANNED),
            Fate::CutOff => (1, &CUT_OFF),
            Fate::Revoked => (2, &REVOKED),
        };
        let scenario = list[self.dealt[place] % list.len()];
        self.dealt[place] += 1;
        let sessions = secret.kind == Kind::AwsKey || secret.kind.only_logs_in();
        if scenario == Scenario::SessionTail && !sessions { Scenario::Straggler } else { scenario }
    }

    fn add(
        &mut self,
        index: usize,
        number: usize,
        workload: Option<usize>,
        scenario: Scenario,
        source: LogSource,
    ) {
        let secret = &self.secrets[index];
        let mut rng = self.rng.fork("consumer", (index * 1_000 + number) as u64);
        let rhythm = self.rhythm(scenario, workload.is_some(), &mut rng);
        let interval = rhythm.interval();
        let (start, end) = self.window;
        let first_run = start + rng.between(0, interval.min(12 * DAY).min((end - start) / 5));
        let sessions = workload.and_then(|_| sessions(secret, index, number, scenario));
        let phases = phases(secret, scenario, self.window, first_run, rhythm, &mut rng);
        let (name, addresses, agent) = match workload {
            Some(workload) => {
                let workload = &self.workloads[workload];
                let addresses =
                    (1..=rhythm.instances()).map(|it| ip_text(workload.network + it)).collect();
                (workload.name.clone(), addresses, agent(source, &mut rng))
            }
            None => self.shadow_identity(secret, source),
        };
        self.consumers.push(Consumer {
            secret: index,
            source,
            workload,
            name,
            scenario,
            rhythm,
            interval,
            first_run,
            phases,
            extras: extras(secret, scenario, workload.is_some()),
            sessions,
            addresses,
            agent,
            variant: index + number,
        });
    }

    fn rhythm(&self, scenario: Scenario, declared: bool, rng: &mut Rng) -> Rhythm {
        use Rhythm::{Busy, Daily, Hourly, Monthly, SixHourly, Weekly};
        if !declared {
            return *rng.pick(&[Daily, SixHourly]);
        }
        // One at least must be able to take up what the others leave.
        if self.consumers.is_empty() || rng.chance(self.config.busy) {
            return Busy;
        }
        if scenario.needs_runs() || self.config.days < 45 {
            return *rng
                .pick(&[Daily, SixHourly, Daily, Hourly, SixHourly, Daily, SixHourly, Daily]);
        }
        *rng.pick(&[Daily, SixHourly, Weekly, Daily, Hourly, Monthly, SixHourly, Weekly])
    }

    /// Name, address and user agent of a shadow: each comes from a network of its own, outside of the asset list.
    fn shadow_identity(
        &mut self,
        secret: &Secret,
        source: LogSource,
    ) -> (String, Vec<String>, String) {
        let number = self.shadow_count;
        self.shadow_count += 1;
        let network: u32 = match number {
            0 => 0xcb00_7100,
            1 => 0xc633_6400,
            2 => 0xc000_0200,
            // 198.18.0.0/15, set aside for benchmarks; beyond it, a range that no registry has given out to users.
            3..515 => 0xc612_0000 + (number - 3) * 256,
            _ => 0xf000_0000 + number * 256,
        };
        let second = number as usize % 2;
        let (principal, agent, product) = match source {
            LogSource::CloudTrail => {
                let arn = format!("arn:aws:iam::{}:user/{}", secret.account(), secret.principal);
                (Some(arn), AWS_AGENTS[second], Some(["aws-cli", "Boto3"][second]))
            }
            LogSource::GitHub => (Some(secret.principal.clone()), "git/2.43.0", Some("git")),
            LogSource::Http => (
                None,
                ["curl/8.5.0", "python-requests/2.31.0"][second],
                Some(["curl", "python-requests"][second]),
            ),
            _ => (Some(secret.principal.clone()), "", None),
        };
        let network_name = format!("{}/24", ip_text(network));
        let parts = [principal, product.map(str::to_owned), Some(network_name)];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" / ");
        (name, vec![ip_text(network + 17)], agent.to_owned())
    }
}

fn agent(source: LogSource, rng: &mut Rng) -> String {
    match source {
        LogSource::CloudTrail => (*rng.pick(&AWS_AGENTS)).to_owned(),
        LogSource::Http => (*rng.pick(&HTTP_AGENTS)).to_owned(),
        LogSource::GitHub => {
            (*rng.pick(&["git/2.43.0", "git/2.39.2", "octokit.js/3.1.2", "Go-http-client/2.0"]))
                .to_owned()
        }
        _ => String::new(),
    }
}

fn sessions(secret: &Secret, index: usize, number: usize, scenario: Scenario) -> Option<Sessions> {
    let wanted = secret.kind.only_logs_in()
        || (secret.kind == Kind::AwsKey && (number % 3 != 2 || scenario == Scenario::SessionTail));
    let hours =
        if scenario == Scenario::SessionTail { 12 } else { [1, 4, 12][(index + number) % 3] };
    let two_hops = secret.kind == Kind::AwsKey && (index + number) % 4 == 1;
    wanted.then(|| Sessions {
        lifetime: hours * HOUR,
        two_hops,
        named: two_hops || (index + number).is_multiple_of(2),
    })
}

fn phases(
    secret: &Secret,
    scenario: Scenario,
    (start, end): (Micros, Micros),
    first_run: Micros,
    rhythm: Rhythm,
    rng: &mut Rng,
) -> Vec<(Micros, Mode)> {
    let span = end - start;
    let share = |of: i64| span / 1000 * of;
    let (old, new) = (secret.old_version(), secret.new_version());
    let published = secret.versions[new].active;
    let cutoff = secret.versions[old].cutoff.unwrap_or(end);
    let switch = |at: Micros, mode: Mode| vec![(start, Mode::Use(old)), (at, mode)];
    match scenario {
        _ if old == new && scenario != Scenario::Ancient => vec![(start, Mode::Use(old))],
        Scenario::OldOnly | Scenario::RetiredUse => vec![(start, Mode::Use(old))],
        Scenario::Ancient => vec![(start, Mode::Use(0))],
        Scenario::Both => switch(published + share(50), Mode::Alternate(old, new)),
        Scenario::Switched if rhythm == Rhythm::Monthly => {
            switch(published.max(first_run + 15 * DAY), Mode::Use(new))
        }
        Scenario::Switched => switch(published + share(rng.between(30, 120)), Mode::Use(new)),
        Scenario::Straggler => switch(cutoff + share(60), Mode::Use(new)),
        Scenario::SessionTail => switch(cutoff - 300 * SECOND, Mode::Use(new)),
        Scenario::FailingNew => switch(published + share(50), Mode::Try { new, old }),
        Scenario::Dormant => switch(published + share(20), Mode::Quiet),
        Scenario::Reverted => {
            let mut phases = switch(published + share(50), Mode::Use(new));
            phases.push((published + share(200), Mode::Use(old)));
            phases
        }
        Scenario::NewOnly => vec![(start, Mode::Quiet), (published + share(30), Mode::Use(new))],
    }
}

/// Calls at the edges, where an off-by-one would show.
fn extras(secret: &Secret, scenario: Scenario, declared: bool) -> Vec<Extra> {
    let version = &secret.versions[secret.old_version()];
    let (Some(cutoff), Some(revoked), true) = (version.cutoff, version.revoked, declared) else {
        return Vec::new();
    };
    let at_cutoff = [
        Extra { time: cutoff, drop_session: true },
        Extra { time: cutoff - SECOND, drop_session: false },
    ];
    match scenario {
        Scenario::RetiredUse => {
            let mut extras = vec![
                Extra { time: revoked + 30 * SECOND, drop_session: true },
                Extra { time: revoked - SECOND, drop_session: false },
            ];
            extras.extend(at_cutoff);
            extras
        }
        Scenario::OldOnly | Scenario::Straggler => at_cutoff.to_vec(),
        Scenario::SessionTail => vec![
            Extra { time: cutoff + 120 * SECOND, drop_session: false },
            Extra { time: cutoff - 3_600 * SECOND, drop_session: true },
        ],
        _ => Vec::new(),
    }
}

/// Sets the pace of the busy consumers such that the estate has the wanted size, and says how much background each log gets.
pub(crate) fn spread(
    config: &EstateConfig,
    end: Micros,
    consumers: &mut [Consumer],
) -> Vec<(LogSource, u64)> {
    let wanted = config.events as f64 * 0.9;
    let slow = |consumers: &[Consumer]| -> f64 {
        consumers.iter().filter(|it| it.rhythm != Rhythm::Busy).map(|it| it.expected(end)).sum()
    };
    // Too small a number asks for slower hours.
    for _ in 0..6 {
        let excess = slow(consumers) / (wanted * 0.75);
        if excess <= 1.0 {
            break;
        }
        for consumer in consumers
            .iter_mut()
            .filter(|it| matches!(it.rhythm, Rhythm::Hourly | Rhythm::SixHourly))
        {
            consumer.interval = ((consumer.interval as f64 * excess * 1.1) as Micros).min(2 * DAY);
        }
    }
    let rest = (wanted - slow(consumers)).max(wanted * 0.02);
    let (mut low, mut high) = (1_000.0_f64, (40 * DAY) as f64);
    // Sessions make the count of events bend with the pace, so the pace is found by halving.
    for _ in 0..60 {
        let pace = (low * high).sqrt();
        let busy = consumers.iter_mut().filter(|it| it.rhythm == Rhythm::Busy);
        let count: f64 = busy
            .map(|it| {
                it.interval = pace as Micros;
                it.expected(end)
            })
            .sum();
        if count > rest { low = pace } else { high = pace }
    }
    let mut sources = config.sources.clone();
    sources.sort_unstable();
    sources.dedup();
    let share = |source: LogSource| -> u64 {
        let count: f64 =
            consumers.iter().filter(|it| it.source == source).map(|it| it.expected(end)).sum();
        (count / 9.0) as u64
    };
    sources.into_iter().map(|it| (it, share(it))).collect()
}
