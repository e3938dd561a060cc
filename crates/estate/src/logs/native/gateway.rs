//! The gateway's access log, for tokens that it has checked: their id stands there, not the token.

use serde_json::json;

use super::{Request, hex};
use crate::rng::Rng;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    json!({
        "time": format!("{}+00:00", it.stamp()), "remote_addr": it.who.address,
        "request_method": "GET", "request_uri": "/v1/orders?limit=10",
        "server_protocol": "HTTP/1.1", "status": it.status(), "body_bytes_sent": 512,
        "request_time": 0.021, "host": "orders.gateway.example.com",
        "upstream_addr": "10.200.0.4:8080", "http_referer": "-", "request_id": hex(rng, 16),
        "http_user_agent": "okhttp/4.12.0", "http_authorization": "-", "http_x_api_key": "-",
        "jwt_claim_jti": it.by.id,
    })
    .to_string()
}
