//! The arguments of a call that its operation reads. All others have no effect.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

/// Paths that templates and matchers read, each as its steps: `["call", "body", "name"]`.
pub(super) type ArgumentPaths = BTreeSet<Vec<String>>;

/// The parts of the body and of the query that an operation reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadArguments {
    body: ReadPart,
    query: ReadPart,
}

/// A value of which all or some parts are read.
#[derive(Clone, Debug, Default, PartialEq)]
struct ReadPart {
    is_whole: bool,
    parts: BTreeMap<String, ReadPart>,
}

/// Returns the path of a JSON pointer into a part of the call, such as the body.
pub(super) fn path_of_pointer(part: &str, pointer: &str) -> Vec<String> {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    ["call".to_owned(), part.to_owned()].into_iter().chain(steps).collect()
}

impl ReadArguments {
    /// Returns the arguments among the paths that an operation reads.
    pub(super) fn of(paths: &ArgumentPaths) -> Self {
        let mut arguments = Self::default();
        for path in paths {
            match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["call", "body", inner @ ..] => arguments.body.add(inner),
                ["call", "query", inner @ ..] => arguments.query.add(inner),
                ["call", "params", inner @ ..] => {
                    arguments.body.add(inner);
                    arguments.query.add(inner);
                }
                // They contain the query, or the whole body.
                ["call"] | ["call", "target" | "batch", ..] => {
                    arguments.body.add(&[]);
                    arguments.query.add(&[]);
                }
                _ => {}
            }
        }
        arguments
    }

    /// Returns the arguments that are given and not read: those of the body as `doc.name`, those of the
    /// query as `?name`.
    pub fn unread(&self, body: &Json, query: &Map<String, Json>) -> Vec<String> {
        let mut unread = Vec::new();
        self.body.collect(body, "", &mut unread);
        let names = query.keys().filter(|name| !self.query.reads(name));
        unread.extend(names.map(|name| format!("?{name}")));
        unread
    }
}

impl ReadPart {
    fn add(&mut self, path: &[&str]) {
        match path {
            [] => self.is_whole = true,
            [first, rest @ ..] => self.parts.entry((*first).to_owned()).or_default().add(rest),
        }
    }

    fn reads(&self, name: &str) -> bool {
        self.is_whole || self.parts.contains_key(name)
    }

    /// Adds the paths of the values that are not read. An absent value asks for nothing, and the elements
    /// of a list are parts of a whole.
    fn collect(&self, value: &Json, path: &str, unread: &mut Vec<String>) {
        let Json::Object(table) = value else { return };
        for (name, value) in table
            .iter()
            .filter(|(name, value)| !value.is_null() && !self.is_whole && !name.is_empty())
        {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match self.parts.get(name) {
                Some(part) => part.collect(value, &path, unread),
                None => unread.push(path),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_and_not_read_is_named_by_its_path() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect();
        let paths = [
            "call.body.doc.name",
            "call.body.ids",
            "call.query.page",
            "call.params.mood",
            "account.id",
        ];
        let read = ReadArguments::of(&paths.into_iter().map(path).collect());
        let body = json!({"doc": {"name": "a", "size": 1, "none": null}, "ids": [{"a": 1}], "mood": "x", "b": {"c": 1}});
        let query = json!({"page": "1", "mood": "x", "limit": "2"});
        let unread = read.unread(&body, query.as_object().unwrap());
        assert_eq!(unread, ["doc.size", "b", "?limit"]);
        let whole = ReadArguments::of(&[path("call.body")].into());
        assert!(whole.unread(&body, &Map::new()).is_empty());
    }
}
