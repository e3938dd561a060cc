//! A gateway's JSON access log (the shape of nginx) in which raw keys stand.

use crate::clock::{Micros, SECOND, push_digits, push_iso};
use crate::config::EstateError;
use crate::consumers::Consumer;
use crate::logs::{Call, Heard, Presented, World};
use crate::plan::Secret;
use crate::rng::Rng;
use crate::sink::Record;
use crate::truth::Outcome;
use crate::write::{percent_encode, push, push_hex};

const PATHS: [(&str, &str); 6] = [
    ("GET", "/v1/charges"),
    ("POST", "/v1/charges"),
    ("GET", "/v1/customers/cus_9s6XKzkNRiz8i3"),
    ("GET", "/v1/balance"),
    ("POST", "/v1/refunds"),
    ("GET", "/v1/rates/latest"),
];

/// Where a client puts its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Bearer,
    Token,
    ApiKeyHeader,
    Query,
    Basic,
}

/// A consumer's way into the access log.
pub(crate) struct Caller {
    sink: usize,
    rng: Rng,
    addresses: Vec<String>,
    agent: String,
    host: String,
    user: String,
    keys: Vec<String>,
    place: Place,
    declared: bool,
}

impl Caller {
    pub(crate) fn new(sink: usize, secret: &Secret, consumer: &Consumer, rng: Rng) -> Self {
        let declared = consumer.workload.is_some();
        let places = [Place::Bearer, Place::ApiKeyHeader, Place::Query, Place::Basic, Place::Token];
        Self {
            sink,
            rng,
            addresses: consumer.addresses.clone(),
            agent: consumer.agent.clone(),
            host: format!("{}.gateway.example.com", secret.id.rsplit('/').next().unwrap_or("api")),
            user: secret.principal.clone(),
            keys: secret.versions.iter().map(|it| it.value.clone()).collect(),
            // Shadows have no principal in their name, so they name none.
            place: if declared { places[consumer.variant % places.len()] } else { Place::Bearer },
            declared,
        }
    }

    pub(crate) fn call(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<Heard, EstateError> {
        let time = call.time - call.time.rem_euclid(SECOND);
        let version = match call.by {
            Presented::Version(version) => version,
            Presented::Session(session) => session.version,
        };
        let (outcome, status) = match (call.refusal, self.rng.below(400)) {
            (Some(_), _) => (Outcome::Rejected, 401),
            (None, 0..5) => (Outcome::Denied, 403),
            (None, 5..7) => (Outcome::Error, 502),
            (None, 7) => (Outcome::Error, 503),
            (None, 8..14) => (Outcome::Success, 404),
            (None, 14..16) => (Outcome::Success, 429),
            (None, _) => (Outcome::Success, 200),
        };
        let stray = if self.declared { world.stray(&mut self.rng, self.sink) } else { None };
        let out = world.sinks[self.sink].begin(time)?;
        let (method, path) = *self.rng.pick(&PATHS);
        push_head(out, time, &self.addresses[call.instance % self.addresses.len()], method);
        let odd = stray.as_deref().map(|it| (self.rng.below(4), it));
        self.push_uri(out, path, &self.keys[version], odd);
        push!(out, "\",\"server_protocol\":\"HTTP/1.1\",\"status\":");
        push_digits(out, status, 1);
        push_answer(out, &mut self.rng, &self.host);
        push!(out, ",\"http_user_agent\":\"", self.agent);
        if let Some((3, stray)) = odd {
            push!(out, " (key=", stray, ")");
        }
        push!(out, "\",\"http_authorization\":\"");
        self.push_authorization(out, &self.keys[version]);
        push!(
            out,
            "\",\"http_x_api_key\":\"",
            if self.place == Place::ApiKeyHeader { &self.keys[version] } else { "-" },
            "\"}"
        );
        let delivered = world.sinks[self.sink].end(Record::Event);
        Ok(Heard::new(time, outcome, delivered))
    }

    /// The request line's target; `odd` puts a secret in the path, percent-encoded in a parameter, or base64 in one.
    fn push_uri(&self, out: &mut Vec<u8>, path: &str, key: &str, odd: Option<(u64, &str)>) {
        push!(out, path);
        if let Some((0, stray)) = odd {
            push!(out, "/hooks/", stray, "/ping");
        }
        push!(out, "?limit=10");
        match odd {
            Some((1, stray)) => {
                let inner = percent_encode(&format!(
                    "https://app.example.com/cb?token={}",
                    percent_encode(stray)
                ));
                push!(out, "&next=", inner);
            }
            Some((2, stray)) => {
                let state = data_encoding::BASE64URL_NOPAD
                    .encode(format!("{{\"token\":\"{stray}\"}}").as_bytes());
                push!(out, "&state=", state);
            }
            _ => {}
        }
        if self.place == Place::Query {
            push!(out, "&api_key=", percent_encode(key));
        }
    }

    fn push_authorization(&self, out: &mut Vec<u8>, key: &str) {
        match self.place {
            Place::Bearer => push!(out, "Bearer ", key),
            Place::Token => push!(out, "token ", key),
            Place::Basic => push!(
                out,
                "Basic ",
                data_encoding::BASE64.encode(format!("{}:{key}", self.user).as_bytes())
            ),
            Place::ApiKeyHeader | Place::Query => push!(out, "-"),
        }
    }
}

fn push_head(out: &mut Vec<u8>, time: Micros, address: &str, method: &str) {
    push!(out, "{\"time\":\"");
    push_iso(out, time);
    push!(
        out,
        "+00:00\",\"remote_addr\":\"",
        address,
        "\",\"request_method\":\"",
        method,
        "\",\"request_uri\":\""
    );
}

fn push_answer(out: &mut Vec<u8>, rng: &mut Rng, host: &str) {
    push!(out, ",\"body_bytes_sent\":");
    push_digits(out, 100 + rng.below(4_000) as i64, 1);
    push!(out, ",\"request_time\":0.");
    push_digits(out, 1 + rng.below(400) as i64, 3);
    push!(
        out,
        ",\"host\":\"",
        host,
        "\",\"upstream_addr\":\"10.200.0.4:8080\",\"http_referer\":\"-\",\"request_id\":\""
    );
    push_hex(out, rng, 16);
    push!(out, "\"");
}

/// A request without a key, or with one that nobody knows.
pub(crate) fn stranger(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
) -> Result<(), EstateError> {
    let time = time - time.rem_euclid(SECOND);
    let out = world.sinks[sink].begin(time)?;
    let guess = rng.chance(0.1);
    push_head(out, time, "10.250.0.9", "GET");
    push!(
        out,
        if guess { "/v1/balance" } else { "/healthz" },
        "\",\"server_protocol\":\"HTTP/1.1\",\"status\":"
    );
    push!(out, if guess { "401" } else { "200" });
    push_answer(out, rng, "gateway.example.com");
    push!(out, ",\"http_user_agent\":\"kube-probe/1.29\",\"http_authorization\":\"");
    if guess {
        push!(out, "Bearer sk_live_", rng.text(crate::write::ALPHANUMERIC, 32));
    } else {
        push!(out, "-");
    }
    push!(out, "\",\"http_x_api_key\":\"-\"}");
    world.sinks[sink].end(Record::Event);
    Ok(())
}
