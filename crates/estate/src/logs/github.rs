//! GitHub audit records: git and API traffic with the hash of the token that was used.

use data_encoding::BASE64URL_NOPAD;

use crate::clock::{Micros, push_digits};
use crate::config::EstateError;
use crate::consumers::Consumer;
use crate::logs::{Call, Heard, Presented, World};
use crate::plan::Secret;
use crate::rng::Rng;
use crate::sink::Record;
use crate::truth::Outcome;
use crate::write::{push, push_hex};

const GIT: [&str; 3] = ["git.fetch", "git.clone", "git.push"];
const ROUTES: [(&str, &str); 4] = [
    ("GET", "/repos/:owner/:repo/pulls"),
    ("GET", "/repos/:owner/:repo/commits/:ref/status"),
    ("POST", "/repos/:owner/:repo/statuses/:sha"),
    ("GET", "/orgs/:org/repos"),
];

/// A consumer's way into GitHub's audit log.
pub(crate) struct Caller {
    sink: usize,
    rng: Rng,
    addresses: Vec<String>,
    agent: String,
    actor: String,
    actor_id: u64,
    /// Hash and number of each version's token.
    tokens: Vec<(String, u64)>,
    repositories: Vec<String>,
    declared: bool,
}

impl Caller {
    pub(crate) fn new(sink: usize, secret: &Secret, consumer: &Consumer, rng: Rng) -> Self {
        let mut shared = Rng::new(11).fork(&secret.id, 0);
        let actor_id = 40_000_000 + shared.below(9_000_000);
        let tokens = secret
            .versions
            .iter()
            .map(|it| (it.logged.clone(), 1_000_000 + shared.below(9_000_000)))
            .collect();
        let repositories = (0..4)
            .map(|it| format!("acme/{}-{}", secret.owner, ["api", "web", "infra", "docs"][it]))
            .collect();
        Self {
            sink,
            rng,
            addresses: consumer.addresses.clone(),
            agent: consumer.agent.clone(),
            actor: secret.principal.clone(),
            actor_id,
            tokens,
            repositories,
            declared: consumer.workload.is_some(),
        }
    }

    pub(crate) fn call(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<Heard, EstateError> {
        let time = call.time - call.time.rem_euclid(1_000);
        let version = match call.by {
            Presented::Version(version) => version,
            Presented::Session(session) => session.version,
        };
        let (outcome, status) = match (call.refusal, self.rng.below(200)) {
            (Some(_), _) => (Outcome::Rejected, 401),
            (None, 0..3) => (Outcome::Denied, 403),
            (None, 3) => (Outcome::Error, 502),
            (None, 4..8) => (Outcome::Success, 404),
            (None, _) => (Outcome::Success, 200),
        };
        // Git traffic is logged when it worked; what the API answered stands in the log.
        let api = status != 200 || self.rng.chance(0.4);
        let stray = if self.declared { world.stray(&mut self.rng, self.sink) } else { None };
        let out = world.sinks[self.sink].begin(time)?;
        let action = if api { "api.request" } else { *self.rng.pick(&GIT) };
        push_head(out, &mut self.rng, time, action);
        push!(out, "\"actor\":\"", self.actor, "\",\"actor_id\":");
        push_digits(out, self.actor_id as i64, 1);
        push!(
            out,
            ",\"actor_ip\":\"",
            self.addresses[call.instance % self.addresses.len()],
            "\",\"actor_is_bot\":false,\"business\":\"acme\""
        );
        push!(
            out,
            ",\"hashed_token\":\"",
            self.tokens[version].0,
            "\",\"org\":\"acme\",\"org_id\":900100"
        );
        push!(out, ",\"programmatic_access_type\":\"Personal access token (classic)\",\"repo\":\"");
        let repository = self.rng.pick(&self.repositories);
        push!(out, repository, "\",\"repository_public\":false,\"token_id\":");
        push_digits(out, self.tokens[version].1 as i64, 1);
        push!(out, ",\"token_scopes\":\"repo,read:org\",\"user_agent\":\"", self.agent);
        if let Some(stray) = stray {
            push!(out, " (password=", stray, ")");
        }
        push!(out, "\"");
        if api {
            let (method, route) = *self.rng.pick(&ROUTES);
            push!(
                out,
                ",\"request_method\":\"",
                method,
                "\",\"route\":\"",
                route,
                "\",\"status_code\":"
            );
            push_digits(out, status, 1);
            push!(out, ",\"request_id\":\"");
            push_hex(out, &mut self.rng, 10);
            push!(out, "\"}");
        } else {
            push!(out, ",\"transport_protocol\":1,\"transport_protocol_name\":\"http\"}");
        }
        let delivered = world.sinks[self.sink].end(Record::Event);
        Ok(Heard::new(time, outcome, delivered))
    }
}

fn push_head(out: &mut Vec<u8>, rng: &mut Rng, time: Micros, action: &str) {
    push!(out, "{\"@timestamp\":");
    push_digits(out, time / 1_000, 1);
    push!(out, ",\"created_at\":");
    push_digits(out, time / 1_000, 1);
    push!(
        out,
        ",\"_document_id\":\"",
        BASE64URL_NOPAD.encode(&rng.bytes::<16>()),
        "\",\"action\":\"",
        action,
        "\","
    );
}

/// Somebody does something in the browser: no token, no address.
pub(crate) fn browser(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
) -> Result<(), EstateError> {
    let time = time - time.rem_euclid(1_000);
    let out = world.sinks[sink].begin(time)?;
    let action = *rng.pick(&[
        "repo.create",
        "protected_branch.update_name",
        "team.add_member",
        "workflows.completed_workflow_run",
    ]);
    push_head(out, rng, time, action);
    push!(
        out,
        "\"actor\":\"",
        *rng.pick(&["mona", "hubot", "dana", "li"]),
        "\",\"org\":\"acme\",\"repo\":\"acme/website\",\"visibility\":\"private\"}"
    );
    world.sinks[sink].end(Record::Event);
    Ok(())
}

/// The owner of a token grants or revokes it; its hash is not told.
pub(crate) fn lifecycle(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    actor: &str,
    action: &str,
) -> Result<(), EstateError> {
    let out = world.sinks[sink].begin(time)?;
    push_head(out, rng, time, action);
    push!(
        out,
        "\"actor\":\"mona\",\"user\":\"",
        actor,
        "\",\"org\":\"acme\",\"business\":\"acme\"}"
    );
    world.sinks[sink].end(Record::Event);
    Ok(())
}
