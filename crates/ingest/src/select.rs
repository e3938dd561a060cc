//! Select: the text of a source's SQL, taken apart.
//!
//! A file is one `SELECT ... FROM raw [WHERE ...]`. Its quoted identifiers are the
//! fields that are read of a record; its columns are those of events.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, Visit, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::normalize::{NormalizeError, SqlFile};

/// Names that columns may have, by the type of what stands in them.
pub(crate) const TIME_COLUMNS: [&str; 3] = ["event_time", "observed_time", "issued_expires_time"];
pub(crate) const NUMBER_COLUMNS: [&str; 2] = ["stage", "event_count"];
const TEXT_COLUMNS: [&str; 35] = [
    "native_uid",
    "time_quality",
    "category",
    "action",
    "outcome",
    "reason",
    "reason_class",
    "credential_value",
    "credential_kind",
    "credential_scope",
    "attribution",
    "via_service",
    "issued_credential_value",
    "issued_credential_kind",
    "issued_credential_scope",
    "issued_ttl_source",
    "target_secret_id",
    "target_version",
    "target_credential_value",
    "target_credential_kind",
    "target_credential_scope",
    "target_state",
    "principal",
    "workload",
    "workload_evidence",
    "instance",
    "source_ip",
    "user_agent",
    "account",
    "region",
    "environment",
    "service",
    "resource",
    "source_scope",
    "version_evidence",
];

/// What tells a record, and so stands in its first row alone: further rows have the same.
const RECORD_COLUMNS: [&str; 7] = [
    "native_uid",
    "event_time",
    "observed_time",
    "time_quality",
    "stage",
    "event_count",
    "source_scope",
];

/// The parts of one file.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) file: SqlFile,
    /// Columns of events, each with its expression.
    pub(crate) columns: Vec<(String, Expr)>,
    /// Which records give a row.
    pub(crate) condition: Option<Expr>,
    /// The fields that all of these name.
    pub(crate) fields: BTreeSet<String>,
}

impl Selected {
    /// Takes the text of a file apart.
    pub(crate) fn parse(file: SqlFile, sql: &str) -> Result<Self, NormalizeError> {
        let query = parse(&file, sql)?;
        let select = plain_select(&file, &query)?;
        let columns = columns_of(&file, select)?;
        let (condition, fields) = (select.selection.clone(), names_in(&query));
        Ok(Self { columns, condition, fields, file })
    }

    /// The same for a further row, which must not say anew what tells the record.
    pub(crate) fn parse_further(file: SqlFile, sql: &str) -> Result<Self, NormalizeError> {
        let selected = Self::parse(file, sql)?;
        let named = selected.columns.iter().map(|it| &it.0);
        match named.into_iter().find(|it| RECORD_COLUMNS.contains(&it.as_str())) {
            Some(column) => {
                let what = format!("`{column}` is that of the record's first row");
                Err(not_plain(&selected.file, &what))
            }
            None => Ok(selected),
        }
    }
}

/// What every row has a value of its own for: evaluated for all rows.
pub(crate) fn is_of_each_row(column: &str) -> bool {
    column == "native_uid" || TIME_COLUMNS.contains(&column) || NUMBER_COLUMNS.contains(&column)
}

fn is_event_column(name: &str) -> bool {
    TIME_COLUMNS.contains(&name) || NUMBER_COLUMNS.contains(&name) || TEXT_COLUMNS.contains(&name)
}

fn parse(file: &SqlFile, sql: &str) -> Result<Query, NormalizeError> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|source| NormalizeError::Parse { file: file.clone(), source })?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        _ => Err(not_plain(file, "more or other than one query")),
    }
}

fn not_plain(file: &SqlFile, what: &str) -> NormalizeError {
    NormalizeError::NotPlain { file: file.clone(), what: what.to_owned() }
}

/// The fields that a piece of SQL names: its quoted identifiers, and unquoted ones as the
/// engine reads them.
pub(crate) fn names_in(node: &impl Visit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _ = visit_expressions(node, |expression| {
        if let Expr::Identifier(identifier) = expression {
            names.insert(name_of(identifier));
        }
        ControlFlow::<()>::Continue(())
    });
    names
}

fn name_of(identifier: &Ident) -> String {
    match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_lowercase(),
    }
}

/// The SELECT of a query that is nothing but columns and a condition.
fn plain_select<'a>(file: &SqlFile, query: &'a Query) -> Result<&'a Select, NormalizeError> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(not_plain(file, "it is not a SELECT"));
    };
    let columns: Vec<String> = select.projection.iter().map(ToString::to_string).collect();
    let mut plain = format!("SELECT {} FROM raw", columns.join(", "));
    if let Some(condition) = &select.selection {
        plain.push_str(&format!(" WHERE {condition}"));
    }
    if query.to_string() != plain {
        return Err(not_plain(file, "it has more than columns, FROM raw and a condition"));
    }
    Ok(select)
}

fn columns_of(file: &SqlFile, select: &Select) -> Result<Vec<(String, Expr)>, NormalizeError> {
    let unknown = |column| NormalizeError::UnknownColumn { file: file.clone(), column };
    let mut columns: Vec<(String, Expr)> = Vec::with_capacity(select.projection.len());
    for item in &select.projection {
        let (column, expression) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (name_of(alias), expr),
            SelectItem::UnnamedExpr(expr @ Expr::Identifier(it)) => (name_of(it), expr),
            other => return Err(unknown(other.to_string())),
        };
        if !is_event_column(&column) {
            return Err(unknown(column));
        }
        if columns.iter().any(|it| it.0 == column) {
            return Err(not_plain(file, &format!("two columns are called `{column}`")));
        }
        columns.push((column, expression.clone()));
    }
    Ok(columns)
}
