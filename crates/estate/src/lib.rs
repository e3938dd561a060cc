//! A made-up estate: secrets, consumers and the logs they leave, with the truth.
//!
//! ```text
//! EstateConfig -> plan (secrets, versions, consumers, rhythms)
//!              -> play (all actors in the order of time) -> logs/
//!              -> registry.yaml, secrets/, truth.json
//! ```
//!
//! The same configuration gives the same bytes. All secrets are made up from the seed.

mod actors;
mod clock;
mod config;
mod consumers;
mod delivery;
mod estate;
mod journeys;
mod lineage;
mod logs;
mod names;
mod plan;
mod registry;
mod removals;
mod rng;
mod routes;
mod sink;
mod truth;
mod write;

use std::path::Path;

pub use config::{EstateConfig, EstateError, LogSource};
pub use delivery::{deliver_part, files};
pub use lineage::{AncestorTruth, SessionTruth};
pub use registry::canaries;
pub use removals::RemovedTruth;
pub use truth::{ExchangeTruth, FindingTruth, SourceCounts, StateTruth, Truth, VersionTruth};

/// Writes an estate to `root`: `logs/`, `registry.yaml` with the raw secrets it names in `secrets/`, and `truth.json`.
///
/// Raw secrets stand in `logs/` and `secrets/` only. `root` should be empty: files of another estate are not removed.
pub fn generate(config: &EstateConfig, root: &Path) -> Result<Truth, EstateError> {
    config.check()?;
    let rng = rng::Rng::new(config.seed);
    let plan = plan::Plan::new(config, &rng);
    registry::write(&plan, root)?;
    let truth = estate::play(config, &plan, root, &rng)?;
    let path = root.join("truth.json");
    let json = serde_json::to_string_pretty(&truth)
        .map_err(|source| EstateError::Truth { path, source })?;
    registry::put(root, "truth.json", &json)?;
    Ok(truth)
}

/// Reads the truth of the estate in `root`.
pub fn read_truth(root: &Path) -> Result<Truth, EstateError> {
    let path = root.join("truth.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|source| EstateError::Read { path: path.clone(), source })?;
    serde_json::from_str(&text).map_err(|source| EstateError::Truth { path, source })
}
