//! Findings as OCSF Detection Findings (class 2004), one JSON object per line.
//!
//! Written for OCSF 1.5.0; attribute names as in schema.ocsf.io. What the class
//! has no attribute for stands under `unmapped`.

use std::io::{BufWriter, Write};

use arrow_array::RecordBatch;
use serde_json::{Map, Value, json};

use crate::{RenderError, json_value};

/// The version of the schema that is written.
const OCSF_VERSION: &str = "1.5.0";

/// Writes the rows of the report `alerts` as OCSF Detection Findings.
pub fn ocsf(batches: &[RecordBatch], out: &mut dyn Write) -> Result<(), RenderError> {
    let mut out = BufWriter::new(out);
    for batch in batches {
        for row in 0..batch.num_rows() {
            let mut values = Map::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                values.insert(field.name().clone(), json_value(column, row)?);
            }
            writeln!(out, "{}", crate::json::to_text(&finding(&values))?)?;
        }
    }
    Ok(out.flush()?)
}

fn finding(row: &Map<String, Value>) -> Value {
    let get = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or("-");
    let version = format!("{} version {}", text("secret_id"), text("version"));
    let title = format!("{} by {}", title(text("class")), text("workload"));
    let ips: Vec<Value> = get("source_ips").as_array().cloned().unwrap_or_default();
    let evidences: Vec<Value> =
        ips.iter().map(|ip| json!({"src_endpoint": {"ip": ip}, "actor": actor(row)})).collect();
    let observables: Vec<Value> = ips
        .iter()
        .map(|ip| json!({"name": "evidences.src_endpoint.ip", "type_id": 2, "value": ip}))
        .collect();
    let (severity_id, severity) = severity(text("severity"));
    let mut finding = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_401,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "message": format!("{title}: {version}"),
        "count": get("count"),
        "metadata": {
            "version": OCSF_VERSION,
            "uid": get("alert_uid"),
            "product": {"name": "lastuse", "vendor_name": "lastuse"},
        },
        "finding_info": {
            "uid": get("alert_uid"),
            "title": title,
            "types": [get("class")],
            "first_seen_time_dt": get("first_time"),
            "last_seen_time_dt": get("last_time"),
        },
        "resources": [{
            "uid": get("credential_uid"),
            "name": version,
            "type": "secret version",
            "version": get("version"),
        }],
        "evidences": evidences,
        "observables": observables,
        "unmapped": {
            "secret_id": get("secret_id"),
            "environment": get("environment"),
            "cutoff_time": get("cutoff_time"),
            "revoked_time": get("revoked_time"),
            "evidence_uids": get("evidence_uids"),
        },
    });
    for (name, of) in [("first_seen_time", "first_time"), ("last_seen_time", "last_time")] {
        finding["finding_info"][name] = milliseconds(text(of));
    }
    finding["time"] = milliseconds(text("last_time"));
    finding["time_dt"] = get("last_time");
    finding
}

fn actor(row: &Map<String, Value>) -> Value {
    let get = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    json!({"user": {"name": get("principal")}, "app_name": get("workload")})
}

fn title(class: &str) -> &'static str {
    match class {
        "accepted_after_revocation" => "Revoked credential accepted",
        "rejected_after_cutoff" => "Retired credential rejected",
        "derived_after_cutoff" => "Session of a retired credential used",
        "exchanged_after_cutoff" => "Retired credential exchanged for new tokens",
        _ => "Retired credential used",
    }
}

/// Severity ids of OCSF.
fn severity(word: &str) -> (u8, &'static str) {
    match word {
        "critical" => (5, "Critical"),
        "high" => (4, "High"),
        "medium" => (3, "Medium"),
        _ => (0, "Unknown"),
    }
}

/// OCSF counts time in milliseconds since 1970.
fn milliseconds(text: &str) -> Value {
    text.parse::<jiff::Timestamp>().map_or(Value::Null, |it| json!(it.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, StringArray};

    use super::*;

    #[test]
    fn a_finding_has_the_class_and_its_times_in_milliseconds() {
        let column = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let batch = RecordBatch::try_from_iter([
            ("alert_uid", column("al1_1")),
            ("class", column("accepted_after_cutoff")),
            ("severity", column("high")),
            ("secret_id", column("payments/stripe")),
            ("version", column("1")),
            ("workload", column("checkout")),
            ("last_time", column("2026-03-01T00:00:00.5Z")),
        ])
        .unwrap();
        let mut out = Vec::new();
        ocsf(&[batch], &mut out).unwrap();
        let finding: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(finding["class_uid"], 2004);
        assert_eq!(finding["severity_id"], 4);
        assert_eq!(finding["time"], 1_772_323_200_500_i64);
        assert_eq!(finding["finding_info"]["title"], "Retired credential used by checkout");
    }
}
