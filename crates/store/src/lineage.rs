//! Lineage: which credentials a credential was obtained from, over any number
//! of exchanges.
//!
//! It is resolved when exchanges arrive and kept as a table, because a
//! recursive query grows with depth and does not travel to a cluster. Only
//! exchanges whose log names both credentials count (`id_id`): a guess must not
//! make a use look derived.
//!
//! A chain of refreshes can grow without end, and one row per pair would grow
//! with its square. So a credential has rows for its nearest ancestors, for
//! those without parents, and for those where the grant changes; what is left
//! out are the middle links of a run of equal exchanges. If even that is too
//! much, or the search was cut short, one row without `root_credential_uid`
//! says so, and the credential's lineage must be taken as not fully known.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::TimestampMicrosecondType;

use crate::error::StoreError;
use crate::schema::Table;

/// Ancestors this near always have a row.
const NEAR: u32 = 16;
/// Ancestors looked at for one credential before the search is cut short.
const MAX_VISITED: usize = 10_000;
/// Rows of one credential.
const MAX_ROWS: usize = 1_024;
/// Characters of a credential's fingerprint in a path.
const SHORT: usize = 12;
/// Paths longer than this show the ancestor and the half of this many that are
/// nearest to the credential.
const LONG_PATH: u32 = 8;
/// Stands for "no edge" in the chains below.
const NONE: u32 = u32::MAX;

/// Columns of `exchanges` that [`Graph::add`] needs.
pub(crate) const COLUMNS: &[&str] = &[
    "parent_credential_uid",
    "child_credential_uid",
    "grant_type",
    "issued_time",
    "expires_time",
    "link_strength",
    "principal",
];

/// Exchanges as a graph of credentials, child to parent.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32>,
    edges: Vec<Edge>,
    /// Per credential, the first of the exchanges that it came from.
    first_up: Vec<u32>,
    /// Per credential, whether something was obtained with it.
    is_parent: Vec<bool>,
}

#[derive(Debug, Clone)]
struct Edge {
    parent: u32,
    next_up: u32,
    issued: Option<i64>,
    expires: Option<i64>,
    principal: u32,
    grant: u32,
}

/// What new exchanges mean for the rows that are already there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing new.
    None,
    /// Only these credentials get rows; all others keep theirs.
    Append(Vec<u32>),
    /// Credentials that had rows, or descendants, got another ancestor.
    Rebuild,
}

impl Graph {
    /// Adds the exchanges of `batches`, which have the columns [`COLUMNS`].
    pub(crate) fn add(&mut self, batches: &[RecordBatch]) -> Result<Change, StoreError> {
        let known_edges = self.edges.len();
        let was_parent = self.is_parent.clone();
        let mut rebuild = false;
        let mut children = Vec::new();
        for batch in batches {
            for (child, edge) in self.edges_of(batch)? {
                let was_known = self.first_up.get(child as usize).copied();
                match self.insert(child, edge) {
                    Insert::Same => continue,
                    Insert::New => {}
                    Insert::Changed => rebuild = true,
                }
                let older_child = was_known.is_some_and(|it| (it as usize) < known_edges);
                let older_parent = was_parent.get(child as usize) == Some(&true);
                rebuild |= older_child || older_parent;
                children.push(child);
            }
        }
        children.sort_unstable_by(|a, b| self.name(*a).cmp(self.name(*b)));
        children.dedup();
        Ok(match (rebuild, children.is_empty()) {
            (true, _) => Change::Rebuild,
            (false, true) => Change::None,
            (false, false) => Change::Append(children),
        })
    }

    /// Every credential that was obtained with another, by name.
    pub(crate) fn children(&self) -> Vec<u32> {
        let mut all: Vec<u32> =
            (0..self.names.len() as u32).filter(|it| self.first_up[*it as usize] != NONE).collect();
        all.sort_unstable_by(|a, b| self.name(*a).cmp(self.name(*b)));
        all
    }

    /// The rows of these credentials, sorted, in batches of bounded size.
    pub(crate) fn rows<'a>(
        &'a self,
        credentials: &'a [u32],
    ) -> impl Iterator<Item = Result<RecordBatch, StoreError>> + 'a {
        let mut search = Search::new(self);
        let mut left = credentials.iter();
        std::iter::from_fn(move || {
            let mut rows = Builder::default();
            while rows.count < 32 * 1024 {
                let Some(credential) = left.next() else { break };
                search.run(self, *credential, &mut rows);
            }
            (rows.count > 0).then(|| rows.finish())
        })
    }

    fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }

    fn id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.names.len() as u32;
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        self.first_up.push(NONE);
        self.is_parent.push(false);
        id
    }

    fn edges_of(&mut self, batch: &RecordBatch) -> Result<Vec<(u32, Edge)>, StoreError> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or(StoreError::WrongColumns {
                table: Table::Exchanges.name(),
                column: format!("`{name}`"),
            })
        };
        let text = |name: &str| Ok::<_, StoreError>(column(name)?.as_string::<i32>());
        let time = |name: &str| {
            Ok::<_, StoreError>(column(name)?.as_primitive::<TimestampMicrosecondType>())
        };
        let (parents, children) = (text("parent_credential_uid")?, text("child_credential_uid")?);
        let (grants, strengths) = (text("grant_type")?, text("link_strength")?);
        let principals = text("principal")?;
        let (issued, expires) = (time("issued_time")?, time("expires_time")?);
        let mut found = Vec::new();
        for row in 0..batch.num_rows() {
            let absent = parents.is_null(row) || children.is_null(row) || strengths.is_null(row);
            if absent
                || strengths.value(row) != "id_id"
                || parents.value(row) == children.value(row)
            {
                continue;
            }
            let child = self.id(children.value(row));
            let edge = Edge {
                parent: self.id(parents.value(row)),
                next_up: NONE,
                issued: issued.is_valid(row).then(|| issued.value(row)),
                expires: expires.is_valid(row).then(|| expires.value(row)),
                principal: match principals.is_valid(row) {
                    true => self.id(principals.value(row)),
                    false => NONE,
                },
                grant: match grants.is_valid(row) {
                    true => self.id(grants.value(row)),
                    false => NONE,
                },
            };
            found.push((child, edge));
        }
        Ok(found)
    }

    /// Adds an exchange, or widens the one there is between the same two.
    fn insert(&mut self, child: u32, edge: Edge) -> Insert {
        let mut at = self.first_up[child as usize];
        while at != NONE {
            let known = &mut self.edges[at as usize];
            if known.parent == edge.parent {
                return known.widen(edge);
            }
            at = known.next_up;
        }
        self.is_parent[edge.parent as usize] = true;
        let index = self.edges.len() as u32;
        let next_up = std::mem::replace(&mut self.first_up[child as usize], index);
        self.edges.push(Edge { next_up, ..edge });
        Insert::New
    }

    fn up(&self, credential: u32) -> impl Iterator<Item = (u32, &Edge)> {
        let mut at = self.first_up[credential as usize];
        std::iter::from_fn(move || {
            let edge = self.edges.get(at as usize)?;
            let index = std::mem::replace(&mut at, edge.next_up);
            Some((index, edge))
        })
    }
}

/// Where a run of equal exchanges upwards from a credential ends: each of them
/// the only one that its credential came from, and all by the same grant.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The topmost exchange of the run.
    edge: u32,
    /// Exchanges in the run; 0 if there is none.
    length: u32,
}

impl Graph {
    fn runs(&self) -> Vec<Run> {
        const UNKNOWN: u32 = u32::MAX;
        let mut runs = vec![Run { edge: NONE, length: 0 }; self.names.len()];
        let mut chain = Vec::new();
        for start in 0..self.names.len() as u32 {
            let mut at = start;
            // Up to a credential whose run is known, or to the end of the run.
            while runs[at as usize].length == 0
                && let Some((index, edge)) = self.only_up(at)
            {
                // Marked, so that a loop ends where it began.
                runs[at as usize].length = UNKNOWN;
                chain.push((at, index));
                match self.only_up(edge.parent) {
                    Some((_, above)) if above.grant == edge.grant => at = edge.parent,
                    _ => break,
                }
            }
            while let Some((credential, index)) = chain.pop() {
                let above = runs[self.edges[index as usize].parent as usize];
                let goes_on = self
                    .only_up(self.edges[index as usize].parent)
                    .is_some_and(|(_, it)| it.grant == self.edges[index as usize].grant);
                runs[credential as usize] = match goes_on && above.length < UNKNOWN {
                    true => Run { edge: above.edge, length: above.length + 1 },
                    false => Run { edge: index, length: 1 },
                };
            }
        }
        runs
    }

    /// The exchange that a credential came from, if it is the only one.
    fn only_up(&self, credential: u32) -> Option<(u32, &Edge)> {
        let index = self.first_up[credential as usize];
        let edge = self.edges.get(index as usize)?;
        (edge.next_up == NONE).then_some((index, edge))
    }
}

enum Insert {
    Same,
    New,
    Changed,
}

impl Edge {
    /// Takes the earliest issue and the latest expiry of two exchanges of the
    /// same credentials: expiry bounds how long a derived use is possible.
    fn widen(&mut self, other: Edge) -> Insert {
        let issued = self.issued.into_iter().chain(other.issued).min();
        let expires = self.expires.into_iter().chain(other.expires).max();
        if (issued, expires) == (self.issued, self.expires) {
            return Insert::Same;
        }
        if issued != self.issued {
            self.principal = other.principal;
            self.grant = other.grant;
        }
        (self.issued, self.expires) = (issued, expires);
        Insert::Changed
    }
}

/// A search upwards from one credential; kept to reuse its memory.
struct Search {
    /// Per credential, the number of the last search that visited it.
    stamps: Vec<u32>,
    stamp: u32,
    runs: Vec<Run>,
    /// Ancestors in the order found: near ones first.
    found: Vec<Found>,
}

#[derive(Clone, Copy)]
struct Found {
    credential: u32,
    /// Where in `found` the step before stands; the start is its own.
    before: u32,
    /// The exchange from this ancestor to the step before.
    edge: u32,
    depth: u32,
}

impl Search {
    fn new(graph: &Graph) -> Search {
        Search {
            stamps: vec![0; graph.names.len()],
            stamp: 0,
            runs: graph.runs(),
            found: Vec::new(),
        }
    }

    fn run(&mut self, graph: &Graph, start: u32, rows: &mut Builder) {
        let complete = self.climb(graph, start);
        let expires = graph.up(start).filter_map(|(_, it)| it.expires).max();
        let mut keep: Vec<usize> =
            (1..self.found.len()).filter(|index| self.is_kept(graph, self.found[*index])).collect();
        keep.sort_by_key(|index| self.found[*index].depth);
        for index in keep.iter().take(MAX_ROWS) {
            self.emit(graph, start, *index, expires, rows);
        }
        if !complete || keep.len() > MAX_ROWS {
            rows.push_incomplete(graph.name(start), self.found.len() as i64 - 1, expires);
        }
    }

    /// Visits every ancestor once, nearest first; false if there were too many.
    fn climb(&mut self, graph: &Graph, start: u32) -> bool {
        self.stamp += 1;
        self.stamps[start as usize] = self.stamp;
        self.found.clear();
        self.found.push(Found { credential: start, before: 0, edge: NONE, depth: 0 });
        let mut at = 0;
        while let Some(here) = self.found.get(at).copied() {
            let first = graph.first_up[here.credential as usize];
            let run = self.runs[here.credential as usize];
            let fits = match graph.edges.get(first as usize) {
                None => true,
                // Beyond the near ones, the middle of a run is passed over.
                Some(_) if run.length > 0 && here.depth >= NEAR => {
                    self.visit(at, run.edge, run.length, graph)
                }
                // Nearly every credential came from one other: no list, no sort.
                Some(edge) if edge.next_up == NONE => self.visit(at, first, 1, graph),
                Some(_) => {
                    let mut up: Vec<(u32, &Edge)> = graph.up(here.credential).collect();
                    // The order of arrival must not decide which of two equal paths counts.
                    up.sort_unstable_by_key(|(_, it)| (it.issued, graph.name(it.parent)));
                    up.iter().all(|(index, _)| self.visit(at, *index, 1, graph))
                }
            };
            if !fits {
                return false;
            }
            at += 1;
        }
        true
    }

    /// Notes the ancestor that an exchange came from, once, `steps` above the
    /// one found at `from`; false if there are too many.
    fn visit(&mut self, from: usize, edge: u32, steps: u32, graph: &Graph) -> bool {
        let parent = graph.edges[edge as usize].parent;
        if self.stamps[parent as usize] == self.stamp {
            return true;
        }
        if self.found.len() > MAX_VISITED {
            return false;
        }
        self.stamps[parent as usize] = self.stamp;
        self.found.push(Found {
            credential: parent,
            before: from as u32,
            edge,
            depth: self.found[from].depth + steps,
        });
        true
    }

    fn is_kept(&self, graph: &Graph, it: Found) -> bool {
        if it.depth <= NEAR {
            return true;
        }
        let used_in = graph.edges[it.edge as usize].grant;
        let mut up = graph.up(it.credential).peekable();
        up.peek().is_none() || up.any(|(_, edge)| edge.grant != used_in)
    }

    fn emit(
        &self,
        graph: &Graph,
        start: u32,
        index: usize,
        expires: Option<i64>,
        rows: &mut Builder,
    ) {
        let root = self.found[index];
        let top = &graph.edges[root.edge as usize];
        // From the ancestor down to the parent of the credential, but for what
        // was passed over.
        let mut steps = vec![root.credential];
        let mut at = root;
        while at.depth > 1 {
            at = self.found[at.before as usize];
            steps.push(at.credential);
        }
        rows.push(Row {
            credential: graph.name(start),
            root: graph.name(root.credential),
            depth: i64::from(root.depth),
            path: path(graph, &steps, root.depth),
            root_principal: (top.principal != NONE).then(|| graph.name(top.principal)),
            issued: graph.edges[at.edge as usize].issued,
            root_issued: top.issued,
            expires,
        });
    }
}

fn path(graph: &Graph, steps: &[u32], depth: u32) -> String {
    let short = |id: &u32| {
        let name = graph.name(*id);
        name.get(..SHORT).unwrap_or(name).to_string()
    };
    if depth <= LONG_PATH {
        return steps.iter().map(short).collect::<Vec<_>>().join(">");
    }
    let near = &steps[steps.len().saturating_sub(LONG_PATH as usize / 2)..];
    let mut shown: Vec<String> = steps.iter().take(1).map(short).collect();
    shown.push("…".to_string());
    shown.extend(near.iter().map(short));
    shown.join(">")
}

struct Row<'a> {
    credential: &'a str,
    root: &'a str,
    depth: i64,
    path: String,
    root_principal: Option<&'a str>,
    issued: Option<i64>,
    root_issued: Option<i64>,
    expires: Option<i64>,
}

#[derive(Default)]
struct Builder {
    count: usize,
    credential: StringBuilder,
    root: StringBuilder,
    depth: Int64Builder,
    path: StringBuilder,
    root_principal: StringBuilder,
    issued: TimestampMicrosecondBuilder,
    root_issued: TimestampMicrosecondBuilder,
    expires: TimestampMicrosecondBuilder,
}

impl Builder {
    fn push(&mut self, row: Row<'_>) {
        self.count += 1;
        self.credential.append_value(row.credential);
        self.root.append_value(row.root);
        self.depth.append_value(row.depth);
        self.path.append_value(row.path);
        self.root_principal.append_option(row.root_principal);
        self.issued.append_option(row.issued);
        self.root_issued.append_option(row.root_issued);
        self.expires.append_option(row.expires);
    }

    fn push_incomplete(&mut self, credential: &str, seen: i64, expires: Option<i64>) {
        self.count += 1;
        self.credential.append_value(credential);
        self.root.append_null();
        self.depth.append_value(seen);
        self.path.append_null();
        self.root_principal.append_null();
        self.issued.append_null();
        self.root_issued.append_null();
        self.expires.append_option(expires);
    }

    fn finish(mut self) -> Result<RecordBatch, StoreError> {
        let columns: Vec<Arc<dyn Array>> = vec![
            Arc::new(self.credential.finish()),
            Arc::new(self.root.finish()),
            Arc::new(self.depth.finish()),
            Arc::new(self.path.finish()),
            Arc::new(self.root_principal.finish()),
            Arc::new(self.issued.finish().with_timezone("UTC")),
            Arc::new(self.root_issued.finish().with_timezone("UTC")),
            Arc::new(self.expires.finish().with_timezone("UTC")),
        ];
        RecordBatch::try_new(Table::Lineage.schema(), columns)
            .map_err(|it| StoreError::arrange(Table::Lineage, it))
    }
}

#[cfg(test)]
mod tests;
