//! Size of a GraphQL query, checked before it is executed. The limit of the GraphQL library does not count
//! fields without a resolver, such as `__typename`.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};

use crate::base::limits::{MAX_QUERY_COMPLEXITY, MAX_QUERY_DEPTH};

/// Returns whether an operation selects more fields than allowed, each fragment counted wherever it is used.
pub(super) fn is_too_large(document: &ExecutableDocument, operation: &OperationDefinition) -> bool {
    let mut count = FieldCount { document, fragments: HashMap::new() };
    count.of(&operation.selection_set.node, 0) > MAX_QUERY_COMPLEXITY
}

struct FieldCount<'d> {
    document: &'d ExecutableDocument,
    /// Number of fields of each fragment, by its name; 0 while it is counted.
    // Without this, fragments that use each other take exponential time.
    fragments: HashMap<&'d str, usize>,
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
            return *known;
        }
        let Some(fragment) = self.document.fragments.get(name) else { return 0 };
        // A fragment that uses itself is refused by the validation.
        self.fragments.insert(name, 0);
        let fields = self.of(&fragment.node.selection_set.node, depth);
        self.fragments.insert(name, fields);
        fields
    }
}
