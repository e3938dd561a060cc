//! Identifiers of the registry whose scope the logs do not have, but which they show under another.
//!
//! A fingerprint holds the scope, so such an identifier matches nothing, and its
//! version would look unused. That is told instead: whether the registry's scope
//! is wrong or that of `ingest --scope`, no one but the user knows.

use std::collections::BTreeMap;

use datafusion::prelude::SessionContext;

use crate::catalog::{Catalog, QueryError};
use crate::evidence::{text, texts};

/// An identifier of the registry that logs show under other scopes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// The secret.
    pub secret_id: String,
    /// The version.
    pub version: String,
    /// The identifier's kind.
    pub kind: String,
    /// The scope that the registry gives.
    pub given: String,
    /// The scopes in which logs have a credential of that kind and value; an empty one is none.
    pub scopes: Vec<String>,
}

const GIVEN: &str = "SELECT 1 FROM version_credentials WHERE registry_scope IS NOT NULL LIMIT 1";
/// Short values are numbers that issuers count up: where logs know the issuer
/// under the given scope, the same number of another is another credential.
const ELSEWHERE: &str = "SELECT DISTINCT v.secret_id, v.version, v.id_kind, v.registry_scope,
        coalesce(c.id_scope, '') AS id_scope
    FROM version_credentials AS v
    JOIN credentials AS c ON c.id_kind = v.id_kind AND c.id_value = v.id_value
    WHERE v.registry_scope IS NOT NULL
        AND v.credential_uid NOT IN (SELECT credential_uid FROM credentials WHERE credential_uid IS NOT NULL)
        AND (length(v.id_value) >= 16 OR concat(v.id_kind, ' ', v.registry_scope)
            NOT IN (SELECT concat(id_kind, ' ', coalesce(id_scope, '')) FROM credentials))
    ORDER BY 1, 2, 3, 4, 5";

impl Catalog {
    /// Identifiers of the registry that logs show under other scopes only.
    pub async fn misplaced(&self) -> Result<&[Misplaced], QueryError> {
        let found = self.misplaced.get_or_try_init(|| find(self.context())).await?;
        Ok(found)
    }
}

async fn find(context: &SessionContext) -> Result<Vec<Misplaced>, QueryError> {
    if context.sql(GIVEN).await?.count().await? == 0 {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<[String; 4], Vec<String>> = BTreeMap::new();
    for batch in context.sql(ELSEWHERE).await?.collect().await? {
        let mut columns = Vec::new();
        for column in 0..batch.num_columns() {
            columns.push(texts(&batch, column).map_err(|it| QueryError::Run(it.into()))?);
        }
        for row in 0..batch.num_rows() {
            let part = |column: usize| text(&columns[column], row).unwrap_or_default();
            found.entry([part(0), part(1), part(2), part(3)]).or_default().push(part(4));
        }
    }
    let made = found.into_iter().map(|([secret_id, version, kind, given], scopes)| Misplaced {
        secret_id,
        version,
        kind,
        given,
        scopes,
    });
    Ok(made.collect())
}

impl Misplaced {
    /// The scopes of the logs in one line.
    pub fn scopes_text(&self) -> String {
        let name = |it: &String| if it.is_empty() { "no scope".to_owned() } else { it.clone() };
        self.scopes.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, of one identifier `(kind, value, scope)` whose fingerprint is `own`, in
    /// logs that have `(fingerprint, kind, scope, value)`.
    async fn found(
        given: (&str, &str, Option<&str>),
        logs: &[(&str, &str, &str, &str)],
    ) -> Vec<String> {
        let context = SessionContext::new();
        let scope = given.2.map_or("NULL".to_owned(), |it| format!("'{it}'"));
        let rows: Vec<_> = logs
            .iter()
            .map(|it| format!("('{}', '{}', '{}', '{}')", it.0, it.1, it.2, it.3))
            .collect();
        for sql in [
            format!(
                "CREATE TABLE version_credentials AS SELECT * FROM (VALUES
                    ('s', '1', 'own', '{}', '{}', CAST({scope} AS VARCHAR)))
                    AS t (secret_id, version, credential_uid, id_kind, id_value, registry_scope)",
                given.0, given.1
            ),
            format!(
                "CREATE TABLE credentials AS SELECT * FROM (VALUES {})
                    AS t (credential_uid, id_kind, id_scope, id_value)",
                rows.join(", ")
            ),
        ] {
            context.sql(&sql).await.unwrap().collect().await.unwrap();
        }
        find(&context).await.unwrap().iter().map(Misplaced::scopes_text).collect()
    }

    const HMAC: &str =
        "hmac-sha256:00000000000000000000000000000000000000000000000000000000000000af";

    #[tokio::test]
    async fn an_identifier_that_logs_have_under_other_scopes_only_is_told() {
        let given = ("vault_hmac", HMAC, Some("cluster-1/file"));
        let logs = [
            ("a", "vault_hmac", "", HMAC),
            ("b", "vault_hmac", "cluster-2/file", HMAC),
            ("c", "vault_hmac", "cluster-1/file", "hmac-sha256:other"),
        ];
        assert_eq!(found(given, &logs).await, ["no scope, cluster-2/file"]);
    }

    #[tokio::test]
    async fn what_logs_have_under_the_given_scope_or_nowhere_is_not_told() {
        let given = ("vault_hmac", HMAC, Some("one"));
        let seen = [("own", "vault_hmac", "one", HMAC), ("b", "vault_hmac", "two", HMAC)];
        assert!(found(given, &seen).await.is_empty());
        assert!(found(given, &[("b", "vault_hmac", "two", "x")]).await.is_empty());
        assert!(found(given, &[("b", "vault_lease", "two", HMAC)]).await.is_empty());
        assert!(found(("vault_hmac", HMAC, None), &seen[1..]).await.is_empty());
    }

    #[tokio::test]
    async fn the_same_number_of_another_known_issuer_is_another_credential() {
        let given = ("gitlab_token_id", "42", Some("git.example"));
        let other = ("b", "gitlab_token_id", "git.example.org", "42");
        assert_eq!(found(given, &[other]).await, ["git.example.org"]);
        let known = ("c", "gitlab_token_id", "git.example", "7");
        assert!(found(given, &[other, known]).await.is_empty());
    }
}
