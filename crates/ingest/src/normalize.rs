//! Normalize: what the fields of a log mean, as the source's own SQL says.
//!
//! A source's `normalize.sql` is one `SELECT ... FROM raw [WHERE ...]`, and so is each file of
//! a further row beside it. Their columns are planned once, in parts: columns that depend on
//! the same fields stand together, so that a part need only be evaluated for combinations of
//! their values that are new (see [`crate::memo`]). What is evaluated is the engine's own
//! expression, directly, on the thread that extracted the fields: nothing is planned, spawned
//! or polled per chunk.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{Expr, ExprWithAlias};
use datafusion::sql::sqlparser::parser::ParserError;
use lastuse_sources::source::ROW_NUMBER;
use lastuse_sources::{FurtherSql, Source};

use crate::functions;
use crate::select::{NUMBER_COLUMNS, Selected, TIME_COLUMNS, is_of_each_row, names_in};

/// A file of a source's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    /// The source.
    pub source: String,
    /// The name of the file, without `.sql`.
    pub name: String,
}

impl fmt::Display for SqlFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}.sql` of source `{}`", self.name, self.source)
    }
}

/// Why a source's SQL cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NormalizeError {
    /// The text is not SQL.
    #[error("cannot parse {file}")]
    Parse {
        /// Where it stands.
        file: SqlFile,
        /// What the parser said.
        source: ParserError,
    },
    /// The SQL is more than one plain SELECT from `raw`.
    #[error("{file} must be one `SELECT ... FROM raw [WHERE ...]`: {what}")]
    NotPlain {
        /// Where it stands.
        file: SqlFile,
        /// What stands there instead.
        what: String,
    },
    /// A column that the events table does not have.
    #[error(
        "{file} has an output column `{column}` that events do not have; the columns are listed in queries/README.md"
    )]
    UnknownColumn {
        /// Where it stands.
        file: SqlFile,
        /// The column.
        column: String,
    },
    /// The engine refused the SQL: an unknown function, a wrong type.
    #[error("cannot plan {file}")]
    Plan {
        /// Where it stands.
        file: SqlFile,
        /// What the engine said.
        source: DataFusionError,
    },
    /// A chunk could not be normalized.
    #[error("cannot normalize records with {file}")]
    Evaluate {
        /// Where the SQL stands.
        file: SqlFile,
        /// What the engine said.
        source: DataFusionError,
    },
}

/// Credentials of an event. What a value means depends on its kind and its issuer,
/// so these columns stand together.
pub(crate) const CREDENTIALS: [&str; 3] = ["credential", "issued_credential", "target_credential"];

/// One column of normalized rows: a value per row, or the same for all.
#[derive(Debug, Clone)]
pub enum Column {
    /// One value per row.
    Rows(ArrayRef),
    /// The same value in every row; `None` where a constant is null.
    Constant(Option<ScalarValue>),
}

impl Column {
    /// The text of a row of a text column; an empty one is missing.
    pub fn text(&self, row: usize) -> Option<&str> {
        let text = match self {
            Column::Rows(array) => {
                let array = array.as_string_view();
                array.is_valid(row).then(|| array.value(row))
            }
            Column::Constant(value) => value.as_ref().and_then(|it| it.try_as_str().flatten()),
        };
        text.filter(|it| !it.is_empty())
    }
}

/// Columns of a source's SQL that depend on the same fields.
#[derive(Debug)]
pub struct Part {
    file: SqlFile,
    fields: Vec<usize>,
    schema: SchemaRef,
    names: Vec<String>,
    columns: Vec<Arc<dyn PhysicalExpr>>,
}

impl Part {
    /// The fields that the columns depend on: places in [`Normalizer::fields`].
    pub fn fields(&self) -> &[usize] {
        &self.fields
    }

    /// The names of its columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of the column called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|it| it == name)
    }

    /// The values of the columns for `rows` rows, whose fields are given in the order of
    /// [`Self::fields`].
    pub fn evaluate(
        &self,
        fields: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<Vec<Column>, NormalizeError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let raw = RecordBatch::try_new_with_options(Arc::clone(&self.schema), fields, &options)
            .map_err(|it| self.failed(it))?;
        let columns = self.names.iter().zip(&self.columns);
        columns
            .map(|(name, it)| it.evaluate(&raw).and_then(|value| typed_column(name, value)))
            .collect::<Result<_, _>>()
            .map_err(|it| self.failed(it))
    }

    pub(crate) fn failed(&self, source: impl Into<DataFusionError>) -> NormalizeError {
        NormalizeError::Evaluate { file: self.file.clone(), source: source.into() }
    }
}

/// A source's SQL, planned.
#[derive(Debug)]
pub struct Normalizer {
    fields: Vec<String>,
    first: Planned,
    further: Vec<(String, Planned)>,
}

impl Normalizer {
    /// Plans the SQL of a source.
    pub fn of(source: &Source) -> Result<Self, NormalizeError> {
        let mut made = Self::plan_all(&source.name, &source.sql, &source.further)?;
        if source.gives_several_rows() && made.row_number().is_none() {
            made.fields.push(ROW_NUMBER.to_owned());
        }
        Ok(made)
    }

    /// Plans `sql`, the only SQL of the source `name`.
    pub fn plan(name: &str, sql: &str) -> Result<Self, NormalizeError> {
        Self::plan_all(name, sql, &[])
    }

    fn plan_all(name: &str, sql: &str, further: &[FurtherSql]) -> Result<Self, NormalizeError> {
        let file = |it: &str| SqlFile { source: name.to_owned(), name: it.to_owned() };
        let first = Selected::parse(file("normalize"), sql)?;
        let further: Vec<Selected> = further
            .iter()
            .map(|it| Selected::parse_further(file(&it.name), &it.text))
            .collect::<Result<_, _>>()?;
        let all = further.iter().chain([&first]);
        let fields: BTreeSet<&String> = all.flat_map(|it| &it.fields).collect();
        let fields: Vec<String> = fields.into_iter().cloned().collect();
        let state = state();
        let issuer = first.columns.iter().find(|it| it.0 == "source_scope");
        let plan = |it: &Selected| {
            Planner { file: &it.file, fields: &fields, state: &state, issuer }.file(it)
        };
        let named = |it: &Selected| Ok((it.file.name.clone(), plan(it)?));
        let (first, further) =
            (plan(&first)?, further.iter().map(named).collect::<Result<_, _>>()?);
        Ok(Self { first, further, fields })
    }

    /// The fields that the SQL names, in the order in which columns of them are wanted.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Which field numbers the rows of a record, if it may be several.
    pub fn row_number(&self) -> Option<usize> {
        self.fields.iter().position(|it| it == ROW_NUMBER)
    }

    /// The first row of each record: whether there is one, decides for the record.
    pub fn first(&self) -> &Planned {
        &self.first
    }

    /// Further rows that a record may give, by name. They have the columns of the first but
    /// for those that they name, and for those of credentials.
    pub fn further(&self) -> &[(String, Planned)] {
        &self.further
    }
}

/// One file of SQL: at most one row for each record.
#[derive(Debug)]
pub struct Planned {
    filter: Option<Part>,
    each: Part,
    parts: Vec<Part>,
}

impl Planned {
    /// Which rows stay, as one column without a name; the SQL's WHERE.
    pub fn filter(&self) -> Option<&Part> {
        self.filter.as_ref()
    }

    /// The id, times and numbers of events.
    pub fn each(&self) -> &Part {
        &self.each
    }

    /// Whether the SQL names the column.
    pub fn names(&self, column: &str) -> bool {
        self.parts.iter().chain([&self.each]).any(|it| it.position(column).is_some())
    }

    /// All other columns. Those of a credential make a part of their own, that has its
    /// value, kind and scope and the scope of the log; it may so be that the latter is
    /// also a column of another part.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// A column's name and its SQL.
type Item<'a> = &'a (String, Expr);

struct Planner<'a> {
    file: &'a SqlFile,
    /// Of all files of the source.
    fields: &'a [String],
    state: &'a SessionState,
    /// The scope of the log, as the first row has it.
    issuer: Option<Item<'a>>,
}

impl Planner<'_> {
    fn file(&self, selected: &Selected) -> Result<Planned, NormalizeError> {
        let filter = selected.condition.clone().map(|it| (String::new(), it));
        let filter = filter.as_ref().map(|it| self.part(&[it])).transpose()?;
        let columns: Vec<Item<'_>> = selected.columns.iter().collect();
        let each: Vec<_> = columns.iter().copied().filter(|it| is_of_each_row(&it.0)).collect();
        let each = self.part(&each)?;
        let groups = self.grouped(&columns);
        let parts = groups.iter().map(|it| self.part(it)).collect::<Result<_, _>>()?;
        Ok(Planned { filter, each, parts })
    }

    /// Columns of one fate together: each credential's, then those of the same fields.
    fn grouped<'e>(&'e self, columns: &[Item<'e>]) -> Vec<Vec<Item<'e>>> {
        let named = |name: &str| columns.iter().find(|it| it.0 == name).copied();
        let mut groups: Vec<Vec<Item<'e>>> = Vec::new();
        for credential in CREDENTIALS {
            let own = ["value", "kind", "scope"].map(|it| named(&format!("{credential}_{it}")));
            if own[0].is_some() {
                groups.push(own.into_iter().chain([self.issuer]).flatten().collect());
            }
        }
        let of_credentials = groups.len();
        let mut rest: Vec<(BTreeSet<usize>, Vec<Item<'e>>)> = Vec::new();
        for column in columns {
            let is_credential =
                CREDENTIALS.iter().any(|it| column.0.strip_prefix(it).is_some_and(is_triple));
            if is_credential || is_of_each_row(&column.0) {
                continue;
            }
            let fields = self.fields_of(&column.1);
            match rest.iter_mut().find(|it| it.0 == fields) {
                Some(group) => group.1.push(*column),
                None => rest.push((fields, vec![*column])),
            }
        }
        // What depends on some of another group's fields has no more combinations than that.
        rest.sort_by_key(|it| it.0.len());
        for at in 0..rest.len() {
            let small = rest[at].0.len();
            if small < 2 {
                continue;
            }
            let (before, after) = rest.split_at_mut(at + 1);
            let (fields, columns) = &mut before[at];
            let host =
                after.iter_mut().find(|it| it.0.len() <= small + 2 && it.0.is_superset(fields));
            if let Some(host) = host {
                host.1.append(columns);
            }
        }
        groups.truncate(of_credentials);
        groups.extend(rest.into_iter().map(|it| it.1).filter(|it| !it.is_empty()));
        groups
    }

    /// The places of the fields that an expression names.
    fn fields_of(&self, expression: &Expr) -> BTreeSet<usize> {
        let names = names_in(expression);
        let place = |name: &String| self.fields.binary_search(name).ok();
        names.iter().filter_map(place).collect()
    }

    fn part(&self, items: &[Item<'_>]) -> Result<Part, NormalizeError> {
        let error = |source| NormalizeError::Plan { file: self.file.clone(), source };
        let fields: BTreeSet<usize> = items.iter().flat_map(|it| self.fields_of(&it.1)).collect();
        let fields: Vec<usize> = fields.into_iter().collect();
        let field = |at: &usize| Field::new(&self.fields[*at], DataType::Utf8View, true);
        let schema = Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()));
        let named = DFSchema::try_from(schema.as_ref().clone()).map_err(error)?;
        let plan = |it: &Item<'_>| self.expression(&it.1, &named).map_err(error);
        Ok(Part {
            file: self.file.clone(),
            columns: items.iter().map(plan).collect::<Result<_, _>>()?,
            names: items.iter().map(|it| it.0.clone()).collect(),
            fields,
            schema,
        })
    }

    fn expression(
        &self,
        expression: &Expr,
        schema: &DFSchema,
    ) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
        // As parsed: printed and parsed again, two quotes in a text would become one.
        let parsed = ExprWithAlias { expr: expression.clone(), alias: None };
        let logical = self.state.create_logical_expr_from_sql_expr(parsed, schema)?;
        let facts = SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build();
        let simplifier = ExprSimplifier::new(facts);
        let logical = simplifier.simplify(simplifier.coerce(logical, schema)?)?;
        self.state.create_physical_expr(logical, schema)
    }
}

fn is_triple(ending: &str) -> bool {
    ["_value", "_kind", "_scope"].contains(&ending)
}

fn state() -> SessionState {
    let mut config = SessionConfig::new().with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    options.sql_parser.enable_ident_normalization = true;
    let context = SessionContext::new_with_config(config);
    for function in functions::all() {
        context.register_udf(function);
    }
    context.state()
}

/// Brings a column to the type its name stands for: text, instant or number; the condition
/// has no name.
fn typed_column(name: &str, value: ColumnarValue) -> Result<Column, DataFusionError> {
    let wanted = if TIME_COLUMNS.contains(&name) {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    } else if NUMBER_COLUMNS.contains(&name) {
        DataType::Int64
    } else if name.is_empty() {
        DataType::Boolean
    } else {
        DataType::Utf8View
    };
    match value {
        ColumnarValue::Array(array) if array.data_type() == &wanted => Ok(Column::Rows(array)),
        ColumnarValue::Array(array) => Ok(Column::Rows(cast(&array, &wanted)?)),
        ColumnarValue::Scalar(scalar) if scalar.is_null() => Ok(Column::Constant(None)),
        ColumnarValue::Scalar(scalar) => Ok(Column::Constant(Some(scalar.cast_to(&wanted)?))),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;

    fn text(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringViewArray::from(values.to_vec()))
    }

    #[test]
    fn quoted_identifiers_are_the_fields() {
        let sql = r#"SELECT "eventID" AS native_uid, parse_time("eventTime") AS event_time,
            CASE WHEN "errorCode" IS NULL THEN 'success' ELSE 'error' END AS outcome,
            'x' AS service FROM raw WHERE "eventID" <> 'b'"#;
        let normalizer = Normalizer::plan("test", sql).unwrap();
        assert_eq!(normalizer.fields(), ["errorCode", "eventID", "eventTime"]);
        let filter = normalizer.first().filter().unwrap();
        assert_eq!(filter.fields(), [1]);
        let kept = filter.evaluate(vec![text(&[Some("a"), Some("b"), None])], 3).unwrap();
        let Column::Rows(kept) = &kept[0] else { panic!() };
        let kept = kept.as_boolean();
        assert!(kept.value(0) && !kept.value(1) && kept.is_null(2));
        assert_eq!(normalizer.first().each().names(), ["native_uid", "event_time"]);
        let times = text(&[Some("2026-01-01T00:00:00Z"), Some("junk")]);
        let rows =
            normalizer.first().each().evaluate(vec![text(&[Some("a"), None]), times], 2).unwrap();
        let Column::Rows(time) = &rows[1] else { panic!() };
        assert!(time.is_valid(0) && time.is_null(1));
        let [service, outcome] = normalizer.first().parts() else { panic!() };
        assert_eq!((service.fields(), outcome.fields()), (&[][..], &[0][..]));
        let values = outcome.evaluate(vec![text(&[None, Some("E")])], 2).unwrap();
        assert_eq!((values[0].text(0), values[0].text(1)), (Some("success"), Some("error")));
        assert_eq!(service.evaluate(vec![], 1).unwrap()[0].text(0), Some("x"));
    }

    #[test]
    fn a_text_is_what_stands_in_the_file() {
        let sql = r#"SELECT replace("a", '''''', '''') AS action FROM raw"#;
        let normalizer = Normalizer::plan("test", sql).unwrap();
        let values =
            normalizer.first().parts()[0].evaluate(vec![text(&[Some("it''s 'x'")])], 1).unwrap();
        assert_eq!(values[0].text(0), Some("it's 'x'"));
    }

    #[test]
    fn a_credential_stands_with_its_kind_and_the_issuer() {
        let sql = r#"SELECT "key" AS credential_value, 'api_key' AS credential_kind,
            "account" AS source_scope, "account" AS account, "user" AS principal FROM raw"#;
        let normalizer = Normalizer::plan("test", sql).unwrap();
        let parts: Vec<_> = normalizer.first().parts().iter().map(Part::names).collect();
        assert_eq!(
            parts,
            [
                &["credential_value", "credential_kind", "source_scope"][..],
                &["source_scope", "account"],
                &["principal"]
            ]
        );
    }

    #[test]
    fn columns_of_few_fields_join_those_that_need_one_more() {
        let sql = r#"SELECT concat("a", "b") AS action, concat("a", "b", "c") AS reason,
            "a" AS region, concat("d", "e") AS service FROM raw"#;
        let normalizer = Normalizer::plan("test", sql).unwrap();
        let parts: Vec<_> = normalizer.first().parts().iter().map(Part::names).collect();
        assert_eq!(parts, [&["region"][..], &["service"], &["reason", "action"]]);
    }

    #[test]
    fn a_query_that_is_no_plain_select_is_refused() {
        for sql in [
            "SELECT count(*) AS event_count FROM raw",
            "SELECT \"a\" AS action FROM raw ORDER BY 1",
            "SELECT DISTINCT \"a\" AS action FROM raw",
            "SELECT \"a\" AS action FROM other",
            "SELECT \"a\" AS action FROM raw LIMIT 1",
            "SELECT \"a\" AS action, \"b\" AS action FROM raw",
            "SELECT * FROM raw",
            "SELECT (SELECT 'x') AS action FROM raw",
            "DROP TABLE raw",
            "SELECT \"a\" AS surprise FROM raw",
        ] {
            assert!(Normalizer::plan("test", sql).is_err(), "{sql}");
        }
    }
}
