//! Kinds of messages: the vendor's word for one, its body, and the data a step may give.

use serde_json::{Map, Value as Json};

use crate::diag::{Content, Node, Problem, code, form::wrong_type};
use crate::template::{Body, Name, Names, Shape};

/// A kind of message at a vendor.
#[derive(Clone, Debug)]
pub struct Kind {
    /// The kind that is sent: itself, or the one that stands in for it.
    pub name: String,
    /// The vendor's word for it.
    pub word: String,
    /// What a step may give, with what it is otherwise.
    pub data: Map<String, Json>,
    pub(super) body: Body,
}

impl Kind {
    /// What is wrong with a value that a step gives for this data, if anything.
    pub fn misfit(&self, key: &str, node: &Node) -> Option<Problem> {
        let default = self.data.get(key)?;
        misfit(default, node)
    }

    /// The data of a message: what was given over what it is otherwise. In a list of tables, a
    /// plain text stands for a table with nothing but its first key.
    pub fn complete(&self, given: &Map<String, Json>) -> Map<String, Json> {
        let complete = |(key, default): (&String, &Json)| {
            let value =
                given.get(key).map_or_else(|| default.clone(), |value| fill(default, value));
            (key.clone(), value)
        };
        self.data.iter().map(complete).collect()
    }

    /// The names of the data, for templates; each table in a list has the made names too.
    pub(super) fn names(data: &Map<String, Json>, item_ids: &[Name]) -> Vec<Name> {
        let name = |(key, default): (&String, &Json)| {
            let mut shape = Shape::of_json(default);
            if let Shape::List(item) = &shape
                && let Shape::Table(table) = &**item
            {
                let mut table: Names = (**table).clone();
                item_ids.iter().cloned().for_each(|id| table.set(id));
                shape = Shape::list(Shape::table(table));
            }
            Name::new(key, shape, false)
        };
        data.iter().map(name).collect()
    }
}

/// What was given, completed where the default is a list of tables or a table.
fn fill(default: &Json, given: &Json) -> Json {
    match (default, given) {
        (Json::Object(default), Json::Object(given)) => {
            let mut filled = default.clone();
            for (key, value) in given {
                let value = default.get(key).map_or_else(|| value.clone(), |own| fill(own, value));
                filled.insert(key.clone(), value);
            }
            Json::Object(filled)
        }
        (Json::Array(default), Json::Array(given)) => match default.first() {
            Some(first) => given.iter().map(|item| fill_item(first, item)).collect(),
            None => given.iter().cloned().collect(),
        },
        _ => given.clone(),
    }
}

fn fill_item(prototype: &Json, item: &Json) -> Json {
    match (prototype, item) {
        (Json::Object(keys), Json::String(_)) => {
            let mut filled = keys.clone();
            if let Some(first) = keys.keys().next() {
                filled.insert(first.clone(), item.clone());
            }
            Json::Object(filled)
        }
        _ => fill(prototype, item),
    }
}

fn misfit(default: &Json, node: &Node) -> Option<Problem> {
    match (default, &node.content) {
        (Json::Null, _)
        | (Json::String(_), Content::Text(_))
        | (Json::Bool(_), Content::Bool(_))
        | (Json::Number(_), Content::Int(_) | Content::Number(_)) => None,
        (Json::Array(items), Content::List(nodes)) => {
            let first = items.first()?;
            nodes.iter().find_map(|node| misfit_item(first, node))
        }
        (Json::Object(keys), Content::Table(table)) => {
            table.0.iter().find_map(|(key, node)| match keys.get(&key.name) {
                Some(default) => misfit(default, node),
                None if keys.is_empty() => None,
                None => Some(
                    Problem::at(
                        &key.place,
                        code::UNKNOWN_DATA,
                        format!("unknown key `{}`", key.name),
                    )
                    .known(&key.name, keys.keys().map(String::as_str)),
                ),
            })
        }
        _ => Some(wrong_type(node, Shape::of_json(default).about())),
    }
}

fn misfit_item(prototype: &Json, node: &Node) -> Option<Problem> {
    match (prototype, &node.content) {
        (Json::Object(_), Content::Text(_)) => None,
        _ => misfit(prototype, node),
    }
}
