//! Vault's audit log for travellers: a login with a secret id, child tokens, and what tokens read.

use super::{Credential, Request, hex, stamp};
use crate::config::EstateError;
use crate::logs::World;
use crate::logs::vault::{Entry, NOBODY, write_entry};
use crate::plan::VAULT_SALT;
use crate::rng::Rng;
use crate::truth::Outcome;
use crate::write::vault_hmac;

pub(super) fn write(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    it: &Request<'_>,
) -> Result<bool, EstateError> {
    let own = auth(it.by, it);
    let accessor = accessor(it.by);
    let token = Some((it.by.id.as_str(), accessor.as_str()));
    let role = vault_hmac(VAULT_SALT, &it.who.workload);
    let issued = it.issued.map(|issued| auth(issued, it));
    let login = format!(r#"{{"role_id":"{role}","secret_id":"{}"}}"#, it.by.id);
    let entry = Entry {
        time: it.time,
        auth: &own,
        request_auth: &own,
        operation: "read",
        path: "secret/data/routes/config",
        mount: ("secret/", "kv"),
        token,
        address: &it.who.address,
        data: None,
        answer: Err("1 error occurred:\n\t* permission denied\n\n"),
    };
    let Some(issued) = issued else {
        let lease = format!(
            r#"{{"mount_type":"database","secret":{{"lease_id":"database/creds/orders/{}"}}}}"#,
            hex(rng, 12)
        );
        let entry =
            Entry { path: "database/creds/orders", mount: ("database/", "database"), ..entry };
        let answer = if it.outcome == Outcome::Success { Ok(lease.as_str()) } else { entry.answer };
        return write_entry(world, sink, rng, &Entry { answer, ..entry });
    };
    let mount = if it.by.depth == 0 { "approle" } else { "token" };
    let response = format!(r#"{{"mount_type":"{mount}","auth":{issued}}}"#);
    let entry = Entry { operation: "update", answer: Ok(&response), ..entry };
    let entry = match it.by.depth {
        0 => Entry {
            auth: &issued,
            request_auth: NOBODY,
            path: "auth/approle/login",
            mount: ("auth/approle/", "approle"),
            token: None,
            data: Some(&login),
            ..entry
        },
        _ => Entry {
            path: "auth/token/create",
            mount: ("auth/token/", "token"),
            data: Some(r#"{"ttl":"1h"}"#),
            ..entry
        },
    };
    write_entry(world, sink, rng, &entry)
}

fn accessor(it: &Credential) -> String {
    vault_hmac(b"accessor", &it.id)
}

fn auth(it: &Credential, request: &Request<'_>) -> String {
    format!(
        r#"{{"client_token":"{}","accessor":"{}","display_name":"approle","policies":["default"],"token_policies":["default"],"metadata":{{"role_name":"{}"}},"token_issue_time":"{}Z","token_ttl":{},"token_type":"service"}}"#,
        it.id,
        accessor(it),
        request.who.workload,
        stamp(it.issued),
        request.lifetime / 1_000_000,
    )
}
