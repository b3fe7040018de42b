//! The calls of an API by their neutral names, for scenarios.

use std::collections::BTreeSet;

use super::rules::{ApiRules, OperationRule};

impl ApiRules {
    /// Returns the neutral names of the calls.
    pub fn call_names(&self) -> BTreeSet<&str> {
        let operations = self.routes.iter().flat_map(|route| &route.operations);
        operations.map(|operation| operation.call.as_str()).collect()
    }

    /// Returns the names of the values that a call can have; `None` if there is no such call.
    pub fn fields_of_call(&self, call: &str) -> Option<BTreeSet<&str>> {
        let mut fields = None;
        for route in &self.routes {
            for operation in route.operations.iter().filter(|operation| operation.call == call) {
                let own = route.fields.iter().chain(&operation.fields);
                let fields = fields.get_or_insert_with(BTreeSet::new);
                fields.extend(own.map(|(name, _)| name.as_str()));
            }
        }
        fields
    }

    /// Returns the operations of a call, in the order of the file.
    pub fn operations_of_call(&self, call: &str) -> impl Iterator<Item = &OperationRule> {
        let operations = self.routes.iter().flat_map(|route| &route.operations);
        operations.map(|operation| &**operation).filter(move |operation| operation.call == call)
    }

    /// Returns the names of the calls that open conversations.
    pub fn opening_calls(&self) -> BTreeSet<&str> {
        let operations = self.routes.iter().flat_map(|route| &route.operations);
        operations.filter(|operation| operation.opens()).map(|one| one.call.as_str()).collect()
    }
}
