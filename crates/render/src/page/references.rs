//! Where standards speak of what the page found: names and numbers as those documents give them.
//!
//! OWASP Non-Human Identities Top 10, 2025 (<https://owasp.org/www-project-non-human-identities-top-10/2025/>);
//! NIST Cybersecurity Framework 2.0 (<https://doi.org/10.6028/NIST.CSWP.29>); NIST SP 800-57 Part 1
//! Revision 5 (<https://doi.org/10.6028/NIST.SP.800-57pt1r5>), which speaks of cryptographic keys.

use super::view::{View, is_production};
use super::words::number;

/// A place in a standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    /// Its short name.
    pub name: &'static str,
    /// Its title there.
    pub title: &'static str,
}

const OFFBOARDING: Reference = Reference { name: "NHI1:2025", title: "Improper Offboarding" };
const LONG_LIVED: Reference = Reference { name: "NHI7:2025", title: "Long-Lived Secrets" };
const ISOLATION: Reference = Reference { name: "NHI8:2025", title: "Environment Isolation" };
const REUSE: Reference = Reference { name: "NHI9:2025", title: "NHI Reuse" };
const MANAGED: Reference = Reference {
    name: "CSF 2.0 PR.AA-01",
    title: "Identities and credentials for authorized users, services, and hardware are managed \
        by the organization",
};
const MONITORED: Reference = Reference {
    name: "CSF 2.0 DE.CM-09",
    title: "Computing hardware and software, runtime environments, and their data are monitored \
        to find potentially adverse events",
};
const CRYPTOPERIODS: Reference =
    Reference { name: "SP 800-57 Part 1 Rev. 5, 5.3", title: "Cryptoperiods" };
const REVOCATION: Reference =
    Reference { name: "SP 800-57 Part 1 Rev. 5, 8.3.5", title: "Key Revocation" };

/// Every reference that the page may give, for the list of them.
pub(super) const ALL: [Reference; 8] =
    [OFFBOARDING, LONG_LIVED, ISOLATION, REUSE, MANAGED, MONITORED, CRYPTOPERIODS, REVOCATION];

/// What a class of findings comes under; nothing for classes that are not known here.
pub(super) fn of_class(class: &str) -> &'static [Reference] {
    match class {
        "accepted_after_revocation" => &[OFFBOARDING, MANAGED, REVOCATION],
        "accepted_after_cutoff" | "exchanged_after_cutoff" => &[LONG_LIVED, MANAGED, CRYPTOPERIODS],
        "derived_after_cutoff" => &[MANAGED],
        "rejected_after_cutoff" => &[MONITORED],
        _ => &[],
    }
}

/// What is true of a secret as a whole, beside its findings.
pub(super) fn observations(view: &View<'_>) -> Vec<(String, &'static [Reference])> {
    let mut all: Vec<(String, &'static [Reference])> = Vec::new();
    let mut workloads: Vec<&str> = view.secret.consumers.iter().map(name).collect();
    workloads.retain(|it| !it.is_empty());
    workloads.sort_unstable();
    workloads.dedup();
    if workloads.len() > 1 {
        let text = format!("{} workloads share this secret.", number(workloads.len() as u64));
        all.push((text, &[REUSE]));
    }
    let elsewhere = view.count_if(|it| it.environment.is_some() && !is_production(it));
    if elsewhere > 0 && view.count_if(is_production) > 0 {
        let text = "Production and other environments use the same secret.".to_owned();
        all.push((text, &[ISOLATION]));
    }
    let shadows = view.count_if(|it| !it.is_declared);
    if shadows > 0 {
        let text = match shadows {
            1 => "1 consumer is not declared in the registry.".to_owned(),
            it => format!("{} consumers are not declared in the registry.", number(it as u64)),
        };
        all.push((text, &[MANAGED]));
    }
    let holes: usize = view.secret.coverage.iter().map(|it| it.holes.len()).sum();
    if holes > 0 {
        let text = match holes {
            1 => "1 hole in the logs that could have shown a use.".to_owned(),
            it => format!("{} holes in the logs that could have shown a use.", number(it as u64)),
        };
        all.push((text, &[MONITORED]));
    }
    all
}

fn name(consumer: &super::model::Consumer) -> &str {
    consumer.workload.as_deref().unwrap_or("")
}
