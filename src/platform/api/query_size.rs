//! Size of a GraphQL query, checked before it is executed. The limit of the GraphQL library does not count
//! fields without a resolver, such as `__typename`.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};

use super::graphql_messages::TOO_COMPLEX;
use crate::base::limits::{MAX_QUERY_COMPLEXITY, MAX_QUERY_DEPTH};

/// Checks that an operation selects no more fields than allowed, each fragment counted wherever it is used,
/// and that no fragment uses itself.
///
/// # Errors
///
/// Returns the message for the client.
pub(super) fn check_size(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Result<(), String> {
    let mut count =
        FieldCount { document, fragments: HashMap::new(), open: Vec::new(), cycle: None };
    let fields = count.of(&operation.selection_set.node, 0);
    // The library reports a cycle as a query that is too deep.
    if let Some([fragment, others @ ..]) = count.cycle.as_deref() {
        let via = others.iter().map(|other| format!("\"{other}\"")).collect::<Vec<_>>().join(", ");
        let via = if via.is_empty() { via } else { format!(" via {via}") };
        return Err(format!("Cannot spread fragment \"{fragment}\" within itself{via}."));
    }
    if fields > MAX_QUERY_COMPLEXITY { Err(TOO_COMPLEX.to_owned()) } else { Ok(()) }
}

struct FieldCount<'d> {
    document: &'d ExecutableDocument,
    /// Number of fields of each fragment, by its name; `None` while it is counted.
    // Without this, fragments that use each other take exponential time.
    fragments: HashMap<&'d str, Option<usize>>,
    /// The fragments that are being counted, each used by the one before.
    open: Vec<&'d str>,
    /// Fragments of which each uses the next, and the last one the first.
    cycle: Option<Vec<&'d str>>,
}

impl<'d> FieldCount<'d> {
    fn of(&mut self, set: &'d SelectionSet, depth: usize) -> usize {
        // Fragments can be nested more deeply than the parser allows for fields.
        if depth > MAX_QUERY_DEPTH * 2 {
            return usize::MAX;
        }
        let mut total: usize = 0;
        for selection in &set.items {
            let fields = match &selection.node {
                Selection::Field(field) => {
                    self.of(&field.node.selection_set.node, depth + 1).saturating_add(1)
                }
                Selection::InlineFragment(inline) => {
                    self.of(&inline.node.selection_set.node, depth + 1)
                }
                Selection::FragmentSpread(spread) => {
                    self.of_fragment(spread.node.fragment_name.node.as_str(), depth + 1)
                }
            };
            total = total.saturating_add(fields);
        }
        total
    }

    fn of_fragment(&mut self, name: &'d str, depth: usize) -> usize {
        if let Some(known) = self.fragments.get(name) {
            return known.unwrap_or_else(|| {
                let cycle = self.open.iter().copied().skip_while(|open| *open != name);
                self.cycle = Some(cycle.collect());
                0
            });
        }
        let Some(fragment) = self.document.fragments.get(name) else { return 0 };
        self.fragments.insert(name, None);
        self.open.push(name);
        let fields = self.of(&fragment.node.selection_set.node, depth);
        self.open.pop();
        self.fragments.insert(name, Some(fields));
        fields
    }
}
