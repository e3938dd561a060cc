//! Plays a plan: all actors in the order of time, into all logs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use crate::actors::{
    Actor, Background, BackgroundLog, Chore, ConsumerActor, Reader, Steward, What, chores,
};
use crate::clock::{HOUR, Micros};
use crate::config::{EstateConfig, EstateError, LogSource};
use crate::consumers::{Consumer, ENVIRONMENTS};
use crate::journeys::Journey;
use crate::logs::{Voice, World, cloudtrail, github, http, native, sshd, vault};
use crate::names::{ACCOUNTS, HOSTS, REGIONS};
use crate::plan::{Kind, Plan, Secret};
use crate::removals;
use crate::rng::Rng;
use crate::sink::{Layout, Sink};
use crate::truth::{Recorder, Row, Truth};

/// Where each log begins among the sinks; none for logs that are not written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sinks {
    /// One per account and region.
    pub(crate) cloudtrail: Option<usize>,
    /// The cluster that logs HMACs, then the one that logs raw.
    pub(crate) vault: Option<usize>,
    pub(crate) github: Option<usize>,
    /// One per host.
    pub(crate) sshd: Option<usize>,
    pub(crate) http: Option<usize>,
    /// Those of [`LogSource::FURTHER`].
    further: [Option<usize>; LogSource::FURTHER.len()],
}

impl Sinks {
    fn open(root: &Path, config: &EstateConfig, rng: &Rng) -> (Self, Vec<Sink>) {
        let mut sinks: Vec<Sink> = Vec::new();
        let mut places = Self::default();
        let lines = |folder: String, stem, ending, ids| Layout::Lines { folder, stem, ending, ids };
        let all = LogSource::ALL.into_iter().chain(LogSource::FURTHER);
        for source in all.filter(|it| config.sources.contains(it)) {
            let (place, layouts) = match source {
                LogSource::CloudTrail => {
                    let each = ACCOUNTS.into_iter().flat_map(|account| {
                        REGIONS.into_iter().map(move |region| (account, region))
                    });
                    let layout = |(account, region)| match config.cloudtrail_plain_ndjson {
                        false => Layout::CloudTrail { account, region },
                        true => Layout::CloudTrailLines { account, region },
                    };
                    (&mut places.cloudtrail, each.map(layout).collect::<Vec<_>>())
                }
                LogSource::Vault => {
                    let cluster =
                        |name: &str| lines(format!("vault/{name}"), "audit", ".log", true);
                    (&mut places.vault, vec![cluster("cluster-1"), cluster("cluster-2")])
                }
                LogSource::GitHub => (&mut places.github, vec![Layout::GitHub]),
                LogSource::Sshd => {
                    let host = |host: usize| match host {
                        2 => lines(format!("sshd/{}", HOSTS[host]), "journal", ".json", true),
                        _ => lines(format!("sshd/{}", HOSTS[host]), "auth.log", "", false),
                    };
                    (&mut places.sshd, (0..HOSTS.len()).map(host).collect())
                }
                LogSource::Http => {
                    (&mut places.http, vec![lines("gateway".to_owned(), "access", ".json", true)])
                }
                source => {
                    let place = LogSource::FURTHER.iter().position(|it| *it == source);
                    // Their records have no id of their own.
                    let ids = !matches!(source, LogSource::KeyVault | LogSource::Keycloak);
                    let ending = if source == LogSource::S3Access { "" } else { ".json" };
                    let layout = lines(source.name().to_owned(), "events", ending, ids);
                    (&mut places.further[place.unwrap_or_default()], vec![layout])
                }
            };
            *place = Some(sinks.len());
            for layout in layouts {
                let rng = rng.fork("sink", sinks.len() as u64);
                let name = (source.name(), scope(source, &layout));
                sinks.push(Sink::new(root, name, layout, config, rng));
            }
        }
        (places, sinks)
    }

    /// Where a traveller's requests to an account are logged; none if that log is not written.
    pub(crate) fn of(&self, source: LogSource, account: usize) -> Option<usize> {
        match source {
            LogSource::CloudTrail => self.cloudtrail.map(|it| it + account * REGIONS.len()),
            LogSource::Vault => self.vault,
            LogSource::GitHub => self.github,
            LogSource::Sshd => self.sshd,
            LogSource::Http => self.http,
            _ => {
                let place = LogSource::FURTHER.iter().position(|it| *it == source)?;
                self.further[place]
            }
        }
    }

    /// A consumer's way into its log; none if that log is not written.
    fn voice(&self, secret: &Secret, consumer: &Consumer, rng: Rng) -> Option<Voice> {
        Some(match consumer.source {
            LogSource::CloudTrail => {
                let sink = self.cloudtrail? + secret.environment * 2 + secret.region;
                Voice::CloudTrail(Box::new(cloudtrail::Caller::new(sink, secret, consumer, rng)))
            }
            LogSource::Vault => {
                let sink = self.vault? + usize::from(secret.kind == Kind::VaultRawToken);
                Voice::Vault(Box::new(vault::Caller::new(sink, secret, consumer, rng)))
            }
            LogSource::GitHub => {
                Voice::GitHub(Box::new(github::Caller::new(self.github?, secret, consumer, rng)))
            }
            LogSource::Sshd => {
                Voice::Sshd(Box::new(sshd::Caller::new(self.sshd?, secret, consumer, rng)))
            }
            LogSource::Http => {
                Voice::Http(Box::new(http::Caller::new(self.http?, secret, consumer, rng)))
            }
            _ => return None,
        })
    }

    fn background(&self, source: LogSource) -> Option<(usize, BackgroundLog)> {
        Some(match source {
            LogSource::CloudTrail => (self.cloudtrail?, BackgroundLog::CloudTrail),
            LogSource::Vault => (self.vault?, BackgroundLog::Vault),
            LogSource::GitHub => (self.github?, BackgroundLog::GitHub),
            LogSource::Sshd => (self.sshd?, BackgroundLog::Sshd),
            LogSource::Http => (self.http?, BackgroundLog::Http),
            _ => return None,
        })
    }
}

/// The scope of all records of a log, as its source names it; empty where it has none.
fn scope(source: LogSource, layout: &Layout) -> String {
    match layout {
        Layout::CloudTrail { account, .. } | Layout::CloudTrailLines { account, .. } => {
            (*account).to_owned()
        }
        Layout::Lines { folder, .. } if source == LogSource::Sshd => {
            folder.trim_start_matches("sshd/").to_owned()
        }
        _ => native::scope(source),
    }
}

/// Writes the logs of the plan below `root`, and returns what is true of them.
pub(crate) fn play(
    config: &EstateConfig,
    plan: &Plan,
    root: &Path,
    rng: &Rng,
) -> Result<Truth, EstateError> {
    let (places, mut sinks) = Sinks::open(root, config, rng);
    removals::choose(config.removed_spans, (plan.start, plan.end), &mut sinks, rng);
    let mut world = World {
        start: plan.start,
        end: plan.end,
        sinks,
        truth: Recorder::default(),
        stray: plan.recognisable(),
        stray_share: config.stray_secrets,
        missing_exchanges: config.missing_exchanges,
    };
    let mut actors = Vec::new();
    let mut consumers = Vec::new();
    for (index, consumer) in plan.consumers.iter().enumerate() {
        let secret = &plan.secrets[consumer.secret];
        let rng = rng.fork("actor", index as u64);
        let Some(voice) = places.voice(secret, consumer, rng.fork("voice", 0)) else {
            continue;
        };
        let rows = rows(&mut world.truth, secret, consumer, plan);
        consumers.push((consumer, rows.clone()));
        actors.push(Actor::Consumer(Box::new(ConsumerActor::new(
            consumer, secret, voice, rows, rng,
        ))));
    }
    for (index, traveller) in plan.travellers.iter().enumerate() {
        let rows = traveller.rows(&mut world.truth);
        let rng = rng.fork("traveller", index as u64);
        actors.push(Actor::Traveller(Box::new(Journey::new(traveller, places, rows, rng))));
    }
    others(plan, &places, rng, &mut actors);
    run(&mut world, actors)?;
    for sink in &mut world.sinks {
        sink.finish()?;
    }
    let states = consumers.iter().filter_map(|(consumer, rows)| {
        let rows: Vec<&Row> = rows.iter().map(|it| &world.truth.rows[*it]).collect();
        consumer.state(&plan.secrets[consumer.secret], &rows, plan.end)
    });
    let states = states.collect();
    let counts: Vec<_> = world.sinks.iter().map(|it| (it.source, it.counts)).collect();
    let removed = removals::truth(&world.sinks);
    Ok(world.truth.finish((plan.start, plan.end), &counts, states, removed))
}

fn rows(truth: &mut Recorder, secret: &Secret, consumer: &Consumer, plan: &Plan) -> Vec<usize> {
    let environment =
        consumer.workload.map(|it| ENVIRONMENTS[plan.workloads[it].environment].to_owned());
    let row = |version: &crate::plan::Version| {
        let mut row = Row::new(&secret.id, &version.name, &consumer.name, consumer.source.name());
        row.environment.clone_from(&environment);
        row.declared = consumer.workload.is_some();
        (row.cutoff, row.revoked) = (version.cutoff, version.revoked);
        truth.add_row(row)
    };
    secret.versions.iter().map(row).collect()
}

/// Everybody who is not a consumer of the registry.
fn others(plan: &Plan, places: &Sinks, rng: &Rng, actors: &mut Vec<Actor>) {
    for (source, count) in &plan.background {
        let Some((sink, log)) = places.background(*source) else {
            continue;
        };
        let interval = (plan.end - plan.start) / (*count as i64 + 1);
        actors.push(Actor::Background(Background {
            rng: rng.fork("background", sink as u64),
            interval,
            log,
            sink,
        }));
    }
    let mut all: Vec<Chore> =
        plan.secrets.iter().flat_map(|it| chores(it, places, (plan.start, plan.end))).collect();
    if let Some(sink) = places.cloudtrail {
        for which in 0..4 {
            let (account, region) = (ACCOUNTS[which / 2], REGIONS[which % 2]);
            let times =
                (1..).map(|it| plan.start + it * 480 * HOUR).take_while(|it| *it < plan.end - HOUR);
            let what = || What::SecretsManager { account, region, name: "checkout".to_owned() };
            all.extend(times.map(|time| Chore { time, sink: sink + which, what: what() }));
        }
    }
    // Latest first; equal times keep their order.
    all.reverse();
    all.sort_by_key(|it| Reverse(it.time));
    actors.push(Actor::Steward(Steward { rng: rng.fork("steward", 0), chores: all }));
    let Some(sink) = places.vault else { return };
    for (index, consumer) in plan.consumers.iter().enumerate() {
        let secret = &plan.secrets[consumer.secret];
        if secret.kind == Kind::HttpKey && consumer.workload.is_some() {
            actors.push(Actor::Reader(Reader {
                rng: rng.fork("reader", index as u64),
                sink,
                workload: consumer.name.clone(),
                address: consumer.addresses[0].clone(),
                secret: secret.id.clone(),
                active: secret.versions.iter().map(|it| it.active).collect(),
            }));
        }
    }
}

/// Lets everybody act in the order of time; who comes first among equals is settled by their number.
fn run(world: &mut World, mut actors: Vec<Actor>) -> Result<(), EstateError> {
    let mut queue: BinaryHeap<Reverse<(Micros, usize)>> = actors
        .iter()
        .enumerate()
        .filter_map(|(index, it)| Some(Reverse((it.first(world.start)?, index))))
        .collect();
    while let Some(mut top) = queue.peek_mut() {
        let Reverse((now, index)) = *top;
        let next = if now < world.end { actors[index].act(world, now)? } else { None };
        match next {
            Some(next) => *top = Reverse((next, index)),
            None => {
                std::collections::binary_heap::PeekMut::pop(top);
            }
        }
    }
    Ok(())
}
