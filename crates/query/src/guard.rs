//! Limits for SQL that somebody typed: it reads, and it ends.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::sql::parser::{DFParser, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use futures::StreamExt;

use crate::catalog::{Catalog, QueryError};

/// What one query may take.
#[derive(Debug, Clone, Copy)]
pub struct QueryLimits {
    /// How long it may run.
    pub time: Duration,
    /// How many rows it may return; 0 for no limit.
    pub rows: usize,
}

/// The rows of a query.
#[derive(Debug)]
pub struct Answer {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Catalog {
    /// Runs one statement that only reads.
    ///
    /// # Errors
    /// [`QueryError::Refused`] for anything but SELECT, VALUES, EXPLAIN, SHOW
    /// and DESCRIBE; [`QueryError::Limit`] when a limit is reached.
    pub async fn query(&self, sql: &str, limits: QueryLimits) -> Result<Answer, QueryError> {
        check_reads_only(sql)?;
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let run = async {
            let frame = self.context().sql_with_options(sql, options).await?;
            let schema = SchemaRef::new(frame.schema().as_arrow().clone());
            let mut stream = frame.execute_stream().await?;
            let (mut batches, mut rows) = (Vec::new(), 0);
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                rows += batch.num_rows();
                if limits.rows > 0 && rows > limits.rows {
                    return Err(QueryError::Limit {
                        limit: format!("more than {} rows; raise --max-rows", limits.rows),
                    });
                }
                batches.push(batch);
            }
            Ok(Answer { schema, batches })
        };
        match tokio::time::timeout(limits.time, run).await {
            Ok(Err(QueryError::Run(error))) if is_memory(&error) => Err(QueryError::Limit {
                limit: "out of the memory it may use; raise --max-memory-mb".to_owned(),
            }),
            Ok(answer) => answer,
            Err(_) => Err(QueryError::Limit {
                limit: format!("longer than {} s; raise --timeout-seconds", limits.time.as_secs()),
            }),
        }
    }
}

fn is_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// An allow-list over the parsed statement, before the engine sees it.
fn check_reads_only(sql: &str) -> Result<(), QueryError> {
    let mut statements = DFParser::parse_sql_with_dialect(sql, &PostgreSqlDialect {})?;
    match (statements.pop_back(), statements.is_empty()) {
        (Some(statement), true) => check_statement(&statement),
        (None, _) => Err(refused("an empty statement")),
        _ => Err(refused("more than one statement")),
    }
}

fn refused(statement: &str) -> QueryError {
    QueryError::Refused { statement: statement.to_owned() }
}

fn check_statement(statement: &DfStatement) -> Result<(), QueryError> {
    match statement {
        DfStatement::Statement(statement) => check_sql(statement),
        DfStatement::Explain(explain) => check_statement(&explain.statement),
        other => Err(refused(first_word(&other.to_string()))),
    }
}

fn check_sql(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Query(query) => check_query(query),
        Statement::Explain { statement, .. } => check_sql(statement),
        Statement::ExplainTable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. } => Ok(()),
        other => Err(refused(first_word(&other.to_string()))),
    }
}

/// A query may hide a statement: `WITH x AS (...) INSERT`, `SELECT INTO`.
fn check_query(query: &Query) -> Result<(), QueryError> {
    if let Some(with) = &query.with {
        for table in &with.cte_tables {
            check_query(&table.query)?;
        }
    }
    check_body(&query.body)
}

fn check_body(body: &SetExpr) -> Result<(), QueryError> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => Err(refused("SELECT INTO")),
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Table(_) => Ok(()),
        SetExpr::Query(query) => check_query(query),
        SetExpr::SetOperation { left, right, .. } => {
            check_body(left)?;
            check_body(right)
        }
        other => Err(refused(first_word(&other.to_string()))),
    }
}

fn first_word(sql: &str) -> &str {
    sql.split_whitespace().next().unwrap_or("this")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_write_are_refused() {
        for sql in [
            "INSERT INTO events VALUES (1)",
            "DELETE FROM events",
            "DROP TABLE events",
            "CREATE TABLE x AS SELECT 1",
            "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
            "COPY events TO 'x.csv'",
            "EXPLAIN ANALYZE COPY events TO 'x.csv'",
            "SELECT * INTO x FROM events",
            "SET datafusion.execution.batch_size = 1",
            "SELECT 1; SELECT 2",
            "",
            "WITH x AS (SELECT 1) INSERT INTO events SELECT * FROM x",
        ] {
            assert!(check_reads_only(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn statements_that_read_are_allowed() {
        for sql in [
            "SELECT 1",
            "VALUES (1), (2)",
            "WITH x AS (SELECT 1 AS a) SELECT a FROM x UNION ALL SELECT 2",
            "EXPLAIN SELECT 1",
            "SHOW TABLES",
            "DESCRIBE events",
        ] {
            assert!(check_reads_only(sql).is_ok(), "{sql}");
        }
    }
}
