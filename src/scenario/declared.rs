//! Forms that keep the table they were read from, for the identity of a run and for a journal.

use serde_json::Value as Json;

use crate::diag::{Form, Problems, SourceSpan, SyntaxNode};

/// A form, with the table it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared<T> {
    /// The form.
    pub(super) form: T,
    /// The table as it is written.
    pub(super) node: SyntaxNode,
}

impl<T> Declared<T> {
    /// Returns the place of the table.
    pub(super) fn span(&self) -> &SourceSpan {
        &self.node.span
    }

    /// Returns the table as it is written.
    pub(super) fn to_json(&self) -> Json {
        self.node.to_json()
    }
}

impl<T: Form> Form for Declared<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        Some(Self { form: T::read(node, problems)?, node: node.clone() })
    }

    fn schema() -> Json {
        T::schema()
    }
}
