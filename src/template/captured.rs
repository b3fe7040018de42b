//! Texts of placeholders that were read from a rendered text.
//!
//! A receiver does not know the time at which a request was sent or the id of its event. It reads
//! them from the headers, and inserts these texts into the content whose signature it computes.

use super::expr::Expr;

/// Texts of placeholders, by placeholder. Two placeholders with the same path and filters are one.
#[derive(Clone, Debug, Default)]
pub struct CapturedTexts(Vec<(Expr, String)>);

impl CapturedTexts {
    /// Returns the text of a placeholder.
    pub(super) fn get(&self, expr: &Expr) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == expr).map(|(_, text)| text.as_str())
    }

    /// Adds the text of a placeholder, unless it has one.
    pub(super) fn insert(&mut self, expr: &Expr, text: &str) {
        if self.get(expr).is_none() {
            self.0.push((expr.clone(), text.to_owned()));
        }
    }
}
