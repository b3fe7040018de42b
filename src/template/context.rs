//! Compile context: everything outside a template that the template may refer to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Takes the paths that templates read from the root, each as its steps.
    pub reads: Option<&'a RefCell<BTreeSet<Vec<String>>>>,
}

impl<'a> CompileContext<'a> {
    /// Creates a context in which `$include` finds no files.
    pub fn without_files(root: TableType, words: &'a BTreeMap<String, Arc<WordTable>>) -> Self {
        Self { root, words, files: &|_| None, reads: None }
    }

    /// Notes a path that is read.
    pub fn note_read(&self, path: &[String]) {
        if let Some(reads) = self.reads {
            reads.borrow_mut().insert(path.to_vec());
        }
    }
}
