//! A part of what a statement changes: the same statement, with a narrower predicate.

use super::statement::{SqlError, Statement};

impl Statement {
    /// Returns the same UPDATE or DELETE with one condition more; none for any other statement.
    ///
    /// # Errors
    /// The condition does not fit where the predicate stands.
    pub fn narrowed(&self, condition: &str) -> Result<Option<Self>, SqlError> {
        let Some(target) = self.target() else {
            return Ok(None);
        };
        let source = self.source();
        let text = match (&target.where_at, &target.returning) {
            (Some(at), _) => format!(
                "{}({}\n) AND {condition}{}",
                &source[..at.start],
                &source[at.clone()],
                &source[at.end..]
            ),
            (None, Some(returning)) => format!(
                "{} WHERE {condition} {}",
                &source[..returning.start],
                &source[returning.start..]
            ),
            (None, None) => format!("{}\n WHERE {condition}", self.text()),
        };
        Self::parse(&text).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(text: &str) -> Option<String> {
        let statement = Statement::parse(text).unwrap();
        let narrowed = statement.narrowed("(t.id) > ($9)").unwrap();
        narrowed.map(|narrowed| narrowed.text().to_owned())
    }

    #[test]
    fn the_condition_stands_beside_the_whole_predicate() {
        assert_eq!(
            narrowed("UPDATE t SET n = 1 WHERE a OR b -- why\n RETURNING id;").unwrap(),
            "UPDATE t SET n = 1 WHERE (a OR b\n) AND (t.id) > ($9) -- why\n RETURNING id"
        );
        assert_eq!(
            narrowed("DELETE FROM t").unwrap(),
            "DELETE FROM t\n WHERE (t.id) > ($9)"
        );
        assert_eq!(
            narrowed("DELETE FROM t RETURNING id").unwrap(),
            "DELETE FROM t  WHERE (t.id) > ($9) RETURNING id"
        );
        assert_eq!(narrowed("SELECT 1"), None);
    }
}
