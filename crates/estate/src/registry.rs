//! The registry that goes with the logs, and the files in which its raw secrets stand.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::clock::{Micros, timestamp};
use crate::config::EstateError;
use crate::consumers::ENVIRONMENTS;
use crate::plan::{Plan, Secret, Version};
use crate::write::ip_text;

/// Writes `registry.yaml` and `secrets/`.
pub(crate) fn write(plan: &Plan, root: &Path) -> Result<(), EstateError> {
    put(root, "registry.yaml", &yaml(plan))?;
    for (index, secret) in plan.secrets.iter().enumerate() {
        for version in &secret.versions {
            if let Some(file) = secret.file(version) {
                // Editors end files with a newline, programs do not.
                let newline = if index % 2 == 0 { "\n" } else { "" };
                put(root, &file, &format!("{}{newline}", version.value))?;
            }
        }
    }
    for traveller in &plan.travellers {
        for (file, value) in traveller.files() {
            put(root, &file, value)?;
        }
    }
    Ok(())
}

/// The raw secrets of the estate in `root`: none of them may be found in what is made of its logs.
///
/// Every session token in the logs begins with `IQoJb3JpZ2luX2VjE` besides.
pub fn canaries(root: &Path) -> Result<Vec<String>, EstateError> {
    let folder = root.join("secrets");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| EstateError::Read { path, source }
    };
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut canaries = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
        let path = entry.map_err(failed(&folder))?.path();
        canaries.push(fs::read_to_string(&path).map_err(failed(&path))?.trim_end().to_owned());
    }
    canaries.sort();
    Ok(canaries)
}

pub(crate) fn put(root: &Path, name: &str, text: &str) -> Result<(), EstateError> {
    let path = root.join(name);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|source| EstateError::Write { path: path.clone(), source })
}

fn yaml(plan: &Plan) -> String {
    let mut out = String::from("# The secrets of a made-up estate.\nsecrets:\n");
    for (index, secret) in plan.secrets.iter().enumerate() {
        push_secret(&mut out, plan, index, secret);
    }
    for traveller in &plan.travellers {
        traveller.register(&mut out);
    }
    out.push_str("assets:\n");
    for workload in &plan.workloads {
        line(
            &mut out,
            &format!(
                "  - {{cidr: {}/28, workload: \"{}\", environment: {}, owner: platform}}",
                ip_text(workload.network),
                workload.name,
                ENVIRONMENTS[workload.environment]
            ),
        );
    }
    out
}

fn push_secret(out: &mut String, plan: &Plan, index: usize, secret: &Secret) {
    line(out, &format!("  - id: \"{}\"", secret.id));
    line(out, &format!("    owner: {}", secret.owner));
    let declared: Vec<_> =
        plan.consumers.iter().filter(|it| it.secret == index && it.workload.is_some()).collect();
    if !declared.is_empty() {
        line(out, "    consumers:");
    }
    for consumer in declared {
        let schedule =
            consumer.schedule().map_or_else(String::new, |it| format!(", schedule: {it}"));
        let environment = ENVIRONMENTS[secret.environment];
        line(
            out,
            &format!(
                "      - {{workload: \"{}\", environment: {environment}{schedule}}}",
                consumer.name
            ),
        );
    }
    line(out, "    versions:");
    for version in &secret.versions {
        push_version(out, secret, version);
    }
}

fn push_version(out: &mut String, secret: &Secret, version: &Version) {
    line(out, &format!("      - version: \"{}\"", version.name));
    let mut time = |name: &str, time: Option<Micros>| {
        if let Some(time) = time {
            line(out, &format!("        {name}: {}", timestamp(time)));
        }
    };
    time("active_time", Some(version.active));
    time("cutoff_time", version.cutoff);
    time("revoked_time", version.revoked);
    line(out, "        identifiers:");
    let kind = secret.identifier_kind();
    match secret.file(version) {
        Some(file) => line(out, &format!("          - {{kind: {kind}, file: \"{file}\"}}")),
        None => line(out, &format!("          - {{kind: {kind}, value: \"{}\"}}", version.logged)),
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}
