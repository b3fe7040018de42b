//! Compile context: everything outside a template that the template may refer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::field_type::TableType;
use super::word_table::WordTable;
use crate::diag::SyntaxNode;

/// Names, tables and files that a template may use.
pub struct CompileContext<'a> {
    /// Type of the object at which paths begin.
    pub root: TableType,
    /// The `[words.…]` tables.
    pub words: &'a BTreeMap<String, Arc<WordTable>>,
    /// Returns the parsed file for a name in `$include`.
    pub files: &'a dyn Fn(&str) -> Option<Arc<SyntaxNode>>,
}

impl<'a> CompileContext<'a> {
    /// Creates a context in which `$include` finds no files.
    pub fn without_files(root: TableType, words: &'a BTreeMap<String, Arc<WordTable>>) -> Self {
        Self { root, words, files: &|_| None }
    }
}
