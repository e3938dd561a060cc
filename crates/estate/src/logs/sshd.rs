//! sshd's lines in classic syslog, ISO syslog and journald's JSON, among those of other daemons.

use crate::clock::{Micros, SECOND, push_digits, push_iso_micros, push_syslog};
use crate::config::EstateError;
use crate::consumers::Consumer;
use crate::logs::{Call, Heard, Presented, World};
use crate::names::HOSTS;
use crate::plan::{Secret, host};
use crate::rng::Rng;
use crate::sink::Record;
use crate::truth::Outcome;
use crate::write::{push, push_hex, ssh_fingerprint};

/// How a host writes its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Classic,
    Iso,
    Journal,
}

const STYLES: [Style; 3] = [Style::Classic, Style::Iso, Style::Journal];

impl Style {
    fn round(self, time: Micros) -> Micros {
        if self == Self::Classic { time - time.rem_euclid(SECOND) } else { time }
    }
}

/// A consumer's way into the hosts' logs.
pub(crate) struct Caller {
    /// The sink of the first host; the others follow.
    sink: usize,
    rng: Rng,
    addresses: Vec<String>,
    user: String,
    keys: Vec<String>,
}

impl Caller {
    pub(crate) fn new(sink: usize, secret: &Secret, consumer: &Consumer, rng: Rng) -> Self {
        let keys = secret.versions.iter().map(|it| it.logged.clone()).collect();
        Self {
            sink,
            rng,
            addresses: consumer.addresses.clone(),
            user: secret.principal.clone(),
            keys,
        }
    }

    pub(crate) fn call(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<Heard, EstateError> {
        let version = match call.by {
            Presented::Version(version) => version,
            Presented::Session(session) => session.version,
        };
        let host = host(&mut self.rng);
        let (style, sink) = (STYLES[host], self.sink + host);
        let time = style.round(call.time);
        let refused = call.refusal.is_some();
        let pid = 1_000 + self.rng.below(60_000);
        let message = format!(
            "{} publickey for {} from {} port {} ssh2: ED25519 {}",
            if refused { "Failed" } else { "Accepted" },
            self.user,
            self.addresses[call.instance % self.addresses.len()],
            32_768 + self.rng.below(28_000),
            self.keys[version]
        );
        if self.rng.chance(0.3) {
            other_daemon(world, sink, host, &mut self.rng, time)?;
        }
        let delivered = line(
            world,
            sink,
            host,
            &mut self.rng,
            time,
            (program(style), pid),
            &message,
            Record::Event,
        )?;
        let outcome = if refused { Outcome::Rejected } else { Outcome::Success };
        let mut heard = Heard::new(time, outcome, delivered);
        if refused && self.rng.chance(0.3) && time + 2 * SECOND < world.end {
            let later = time + 2 * SECOND;
            let message = format!("message repeated 2 times: [ {message}]");
            let delivered = line(
                world,
                sink,
                host,
                &mut self.rng,
                later,
                (program(style), pid),
                &message,
                Record::Event,
            )?;
            heard.repeated = delivered.then_some((later, 2));
        } else if !refused {
            let message = format!(
                "pam_unix(sshd:session): session opened for user {}(uid=1001) by (uid=0)",
                self.user
            );
            line(
                world,
                sink,
                host,
                &mut self.rng,
                time,
                (program(style), pid),
                &message,
                Record::Foreign,
            )?;
        }
        Ok(heard)
    }
}

/// Newer versions of sshd log as `sshd-session`.
fn program(style: Style) -> &'static str {
    if style == Style::Iso { "sshd-session" } else { "sshd" }
}

/// Writes a line; whether it is delivered.
#[expect(clippy::too_many_arguments, reason = "a log line has that many parts")]
fn line(
    world: &mut World,
    sink: usize,
    host: usize,
    rng: &mut Rng,
    time: Micros,
    (program, pid): (&str, u64),
    message: &str,
    record: Record,
) -> Result<bool, EstateError> {
    let name = HOSTS[host];
    let out = world.sinks[sink].begin(time)?;
    match STYLES[host] {
        Style::Journal => {
            push!(out, "{\"__CURSOR\":\"s=");
            push_hex(out, rng, 16);
            push!(out, ";i=");
            push_hex(out, rng, 3);
            push!(out, "\",\"__REALTIME_TIMESTAMP\":\"");
            push_digits(out, time, 1);
            push!(
                out,
                "\",\"_HOSTNAME\":\"",
                name,
                "\",\"PRIORITY\":\"6\",\"SYSLOG_IDENTIFIER\":\"",
                program,
                "\",\"_PID\":\""
            );
            push_digits(out, pid as i64, 1);
            push!(out, "\",\"_TRANSPORT\":\"syslog\",\"MESSAGE\":\"");
            crate::write::push_json(out, message);
            push!(out, "\"}");
        }
        style => {
            if style == Style::Classic {
                push_syslog(out, time);
            } else {
                push_iso_micros(out, time);
                push!(out, "+00:00");
            }
            push!(out, " ", name, " ", program, "[");
            push_digits(out, pid as i64, 1);
            push!(out, "]: ", message);
        }
    }
    Ok(world.sinks[sink].end(record))
}

/// What else stands in `auth.log`.
fn other_daemon(
    world: &mut World,
    sink: usize,
    host: usize,
    rng: &mut Rng,
    time: Micros,
) -> Result<(), EstateError> {
    let (program, message) = *rng.pick(&[
        ("CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
        ("sudo", "  deploy : TTY=pts/0 ; PWD=/home/deploy ; USER=root ; COMMAND=/usr/bin/systemctl restart app"),
        ("systemd-logind", "New session 4711 of user deploy."),
    ]);
    let pid = 300 + rng.below(9_000);
    line(world, sink, host, rng, time, (program, pid), message, Record::Foreign)?;
    Ok(())
}

/// Logins that name no registered key: a password, a certificate, and guesses from outside.
pub(crate) fn stranger(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
) -> Result<(), EstateError> {
    let host = host(rng);
    let (style, sink) = (STYLES[host], sink + host);
    let time = style.round(time);
    let pid = 1_000 + rng.below(60_000);
    let port = 32_768 + rng.below(28_000);
    let message = match rng.below(4) {
        0 => format!("Accepted password for operator from 10.251.0.7 port {port} ssh2"),
        1 => {
            let (key, authority) = (ssh_fingerprint(rng), ssh_fingerprint(&mut Rng::new(13)));
            format!(
                "Accepted publickey for operator from 10.251.0.7 port {port} ssh2: ED25519-CERT {key} ID operator@acme (serial 7) CA ED25519 {authority}"
            )
        }
        _ => format!(
            "Failed password for root from 198.51.100.{} port {port} ssh2",
            1 + rng.below(250)
        ),
    };
    line(world, sink, host, rng, time, (program(style), pid), &message, Record::Event)?;
    Ok(())
}
