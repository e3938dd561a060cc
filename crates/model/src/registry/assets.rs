//! The asset list: which workload lives in which network.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::RegistryError;

/// A network and the workload that lives there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// The network, such as `10.4.0.0/16`; a single address is a network of one.
    pub cidr: String,
    /// The workload's name.
    pub workload: String,
    /// The environment it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Asset {
    fn network(&self) -> Result<IpNet, RegistryError> {
        let text = self.cidr.trim();
        let network = match text.parse::<IpAddr>() {
            Ok(ip) => Ok(IpNet::from(ip)),
            Err(_) => text.parse::<IpNet>(),
        };
        network
            .map(|it| it.trunc())
            .map_err(|_| RegistryError::InvalidCidr { cidr: text.chars().take(60).collect() })
    }
}

/// Assets by network; of several that hold an address, the smallest network wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Asset>", try_from = "Vec<Asset>")]
pub struct Assets {
    assets: BTreeMap<IpNet, Asset>,
    /// Prefix lengths that occur, longest first, with their networks: one look-up per length.
    by_length: Vec<(u8, HashMap<IpNet, IpNet>)>,
}

impl Assets {
    /// Takes a list of assets; refuses what is no network, and a network given twice.
    pub fn new(list: Vec<Asset>) -> Result<Self, RegistryError> {
        let mut assets = BTreeMap::new();
        for asset in list {
            super::named("workload", &asset.workload, "assets")?;
            let network = asset.network()?;
            if assets.insert(network, asset).is_some() {
                return Err(RegistryError::DuplicateAsset { cidr: network.to_string() });
            }
        }
        Ok(Self::indexed(assets))
    }

    fn indexed(assets: BTreeMap<IpNet, Asset>) -> Self {
        let mut lengths: BTreeMap<u8, HashMap<IpNet, IpNet>> = BTreeMap::new();
        for network in assets.keys() {
            lengths.entry(network.prefix_len()).or_default().insert(*network, *network);
        }
        Self { assets, by_length: lengths.into_iter().rev().collect() }
    }

    /// Returns the asset whose network holds an address; the longest prefix wins.
    pub fn find(&self, ip: IpAddr) -> Option<&Asset> {
        let ip = ip.to_canonical();
        self.by_length.iter().find_map(|(length, networks)| {
            let network = IpNet::new(ip, *length).ok()?.trunc();
            self.assets.get(networks.get(&network)?)
        })
    }

    /// [`Assets::find`] for an address as logs write it.
    pub fn find_text(&self, address: &str) -> Option<&Asset> {
        self.find(crate::network::parse_ip(address)?)
    }

    /// All assets, in order of their networks.
    pub fn iter(&self) -> impl Iterator<Item = &Asset> {
        self.assets.values()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.assets.is_empty()
    }

    /// Takes over newer assets; one for the same network replaces the older.
    pub fn merge(&mut self, newer: Self) {
        let mut assets = std::mem::take(&mut self.assets);
        assets.extend(newer.assets);
        *self = Self::indexed(assets);
    }
}

impl From<Assets> for Vec<Asset> {
    fn from(assets: Assets) -> Self {
        assets.assets.into_values().collect()
    }
}

impl TryFrom<Vec<Asset>> for Assets {
    type Error = RegistryError;

    fn try_from(list: Vec<Asset>) -> Result<Self, RegistryError> {
        Self::new(list)
    }
}
