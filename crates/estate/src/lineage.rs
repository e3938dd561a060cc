//! What each session descends from, by the exchanges of an estate, and how much of it the delivered events tell.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::truth::ExchangeTruth;

/// A credential that was obtained with another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionTruth {
    /// Its identifier, as logs show it.
    pub id: String,
    /// Whether a request that presented it succeeded or was denied, and is in the logs.
    pub used: bool,
    /// All that it descends from; nearest first.
    pub ancestors: Vec<AncestorTruth>,
}

/// What a session descends from: a version of a secret, or another credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AncestorTruth {
    /// The secret, if it is a registered version.
    pub secret_id: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The identifier of any other credential.
    pub id: Option<String>,
    /// Exchanges in between: the fewest of those that are traced, if it is.
    pub depth: u32,
    /// Whether all exchanges in between were delivered and name both credentials: only then can it be known.
    pub traced: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'a> {
    Version(&'a str, &'a str),
    Other(&'a str),
}

/// From a session to what it was obtained with, and whether that can be known.
type Up<'a> = BTreeMap<&'a str, Vec<(Node<'a>, bool)>>;

/// Follows the exchanges of an estate upwards from every session.
pub(crate) fn sessions(
    exchanges: &[ExchangeTruth],
    foreign: &[(String, String)],
    used: &BTreeSet<String>,
) -> Vec<SessionTruth> {
    let mut up = Up::new();
    for it in exchanges {
        let parent = match &it.parent {
            Some(parent) => Node::Other(parent),
            None => Node::Version(&it.secret_id, &it.version),
        };
        let traced = it.delivered && it.link_strength == "id_id";
        up.entry(&it.child).or_default().push((parent, traced));
    }
    for (parent, child) in foreign {
        up.entry(child).or_default().push((Node::Other(parent), true));
    }
    let session = |id: &&str| SessionTruth {
        id: (*id).to_owned(),
        used: used.contains(*id),
        ancestors: ancestors(&up, id),
    };
    up.keys().map(session).collect()
}

fn ancestors(up: &Up<'_>, id: &str) -> Vec<AncestorTruth> {
    let traced = climb(up, id, true);
    let mut all: Vec<AncestorTruth> = climb(up, id, false)
        .into_iter()
        .map(|(node, depth)| {
            let text = |it: &str| Some(it.to_owned());
            let (secret_id, version, id) = match node {
                Node::Version(secret, version) => (text(secret), text(version), None),
                Node::Other(id) => (None, None, text(id)),
            };
            let known = traced.get(&node);
            let depth = known.copied().unwrap_or(depth);
            AncestorTruth { secret_id, version, id, depth, traced: known.is_some() }
        })
        .collect();
    all.sort_by_key(|it| it.depth);
    all
}

/// Everything above `id`, which is not its own ancestor even in a loop, with the fewest exchanges in between.
fn climb<'a>(up: &Up<'a>, id: &str, traced: bool) -> BTreeMap<Node<'a>, u32> {
    let mut found = BTreeMap::new();
    let mut next = VecDeque::from([(id, 0)]);
    while let Some((at, depth)) = next.pop_front() {
        for (node, is_traced) in up.get(at).into_iter().flatten() {
            if (traced && !is_traced) || *node == Node::Other(id) || found.contains_key(node) {
                continue;
            }
            found.insert(*node, depth + 1);
            if let Node::Other(parent) = *node {
                next.push_back((parent, depth + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn exchange(parent: Option<&str>, child: &str, delivered: bool) -> ExchangeTruth {
        ExchangeTruth {
            secret_id: "a".to_owned(),
            version: "1".to_owned(),
            parent: parent.map(str::to_owned),
            child: child.to_owned(),
            kind: "jwt_id".to_owned(),
            depth: 1,
            delivered,
            link_strength: "id_id".to_owned(),
            issued_time: Timestamp::UNIX_EPOCH,
            expires_time: Timestamp::UNIX_EPOCH,
        }
    }

    fn told(sessions: &[SessionTruth], id: &str) -> Vec<(String, u32, bool)> {
        let it = sessions.iter().find(|it| it.id == id).expect("a session");
        let name = |it: &AncestorTruth| {
            (it.id.clone().or(it.secret_id.clone()).expect("a name"), it.depth, it.traced)
        };
        it.ancestors.iter().map(name).collect()
    }

    #[test]
    fn what_lies_beyond_a_missing_exchange_is_true_but_not_traced() {
        let all = [
            exchange(None, "s1", false),
            exchange(Some("s1"), "s2", true),
            exchange(Some("s2"), "s3", true),
        ];
        let sessions = sessions(&all, &[], &BTreeSet::from(["s3".to_owned()]));
        let text = |it: &str, depth, traced| (it.to_owned(), depth, traced);
        assert_eq!(
            told(&sessions, "s3"),
            [text("s2", 1, true), text("s1", 2, true), text("a", 3, false)]
        );
        assert_eq!(told(&sessions, "s1"), [text("a", 1, false)]);
        assert!(sessions[2].used && !sessions[0].used);
    }

    #[test]
    fn nothing_in_a_loop_is_its_own_ancestor() {
        let all = [
            exchange(None, "s1", true),
            exchange(Some("s1"), "s2", true),
            exchange(Some("s2"), "s1", true),
        ];
        let sessions = sessions(&all, &[], &BTreeSet::new());
        let names = |id| told(&sessions, id).into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(names("s1"), ["a", "s2"]);
        assert_eq!(names("s2"), ["s1", "a"]);
    }
}
