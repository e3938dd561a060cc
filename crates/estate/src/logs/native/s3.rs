//! S3's server access log: the key stands in presigned URLs, which sessions make; other requests name only who.

use super::{Request, cloudtrail, hex};
use crate::clock::Civil;
use crate::rng::Rng;

pub(super) const BUCKET: &str = "ledger";

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let (requester, query, how) = match it.by.depth {
        0 => (cloudtrail::user_arn(it.by, &it.who.workload), String::new(), "AuthHeader"),
        _ => (
            cloudtrail::session_arn(it.by, &it.who.workload),
            format!("?X-Amz-Credential={}%2F20260301%2Feu-west-1%2Fs3%2Faws4_request", it.by.id),
            "QueryString",
        ),
    };
    let time = Civil::of(it.time);
    let month =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            [time.month as usize - 1];
    let status = it.status();
    format!(
        "{} {BUCKET} [{:02}/{month}/{}:{:02}:{:02}:{:02} +0000] {} {requester} {} REST.GET.OBJECT report.csv \"GET /report.csv{query} HTTP/1.1\" {status} {} 113 - 7 5 \"-\" \"aws-sdk-java/2.20.0\" - {} SigV4 ECDHE-RSA-AES128-GCM-SHA256 {how} {BUCKET}.s3.eu-west-1.amazonaws.com TLSv1.2 - -",
        "1a57".repeat(16),
        time.day,
        time.year,
        time.hour,
        time.minute,
        time.second,
        it.who.address,
        hex(rng, 8).to_uppercase(),
        if status == 403 { "AccessDenied" } else { "-" },
        hex(rng, 12),
    )
}
