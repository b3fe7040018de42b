//! Data that a step may give: to a kind of message, to an entity, to an event that is told.
//!
//! The vendor's file says what there is by giving what it is otherwise; the same says which type
//! each value has.

use serde_json::{Map, Value as Json};

use crate::diag::{NodeContent, Problem, SyntaxNode, code, form::wrong_type};
use crate::template::{Field, FieldType, JsonTemplate, Object, TableType};

/// What a step may give, and what it is otherwise.
#[derive(Clone, Debug)]
pub struct FieldDefaults {
    /// What it is otherwise, as it is written: texts may have holes.
    pub written: Map<String, Json>,
    /// Keys that are absent unless they are given.
    pub optional: Vec<String>,
    pub(super) otherwise: JsonTemplate,
}

impl FieldDefaults {
    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.written.keys().chain(&self.optional).map(String::as_str)
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.keys().any(|known| known == key)
    }

    /// What is wrong with a value that a step gives, if anything.
    pub fn type_mismatch(&self, key: &str, node: &SyntaxNode) -> Option<Problem> {
        misfit(self.written.get(key)?, node)
    }

    /// The data in full: what was given, over what it is otherwise. `asked` is the data of what is
    /// answered: lists of the same name go on from it element by element.
    pub(super) fn complete(
        &self,
        given: &Map<String, Json>,
        asked: Option<&Map<String, Json>>,
        root: &dyn Object,
    ) -> Map<String, Json> {
        let rendered = self.otherwise.render(root).unwrap_or_default();
        let otherwise: Map<String, Json> = serde_json::from_str(&rendered).unwrap_or_default();
        let mut complete = Map::new();
        for (key, otherwise) in &otherwise {
            let asked = asked.and_then(|asked| asked.get(key)).and_then(Json::as_array);
            let value = match (asked, given.get(key)) {
                (Some(asked), given) => answer(otherwise, asked, given),
                (None, Some(given)) => fill(otherwise, given),
                (None, None) => otherwise.clone(),
            };
            complete.insert(key.clone(), value);
        }
        for key in &self.optional {
            if let Some(given) = given.get(key) {
                complete.insert(key.clone(), given.clone());
            }
        }
        complete
    }

    /// The names of the data, for templates; each table in a list has the made names too.
    pub(super) fn names(&self, made: &ItemFields) -> Vec<Field> {
        let name = |(key, written): (&String, &Json)| {
            Field::always(key, with_ids(FieldType::of_json(written), made))
        };
        let optional = self.optional.iter().map(|key| Field::maybe(key, FieldType::Any));
        self.written.iter().map(name).chain(optional).collect()
    }
}

/// What is made for a table in a list.
#[derive(Clone, Debug, Default)]
pub(super) struct ItemFields {
    /// For each.
    pub(super) always: Vec<Field>,
    /// For one that says which `flow` it leads to.
    pub(super) with_flow: Vec<Field>,
}

/// The shape with the made names in each table of a list, at any depth.
fn with_ids(field_type: FieldType, made: &ItemFields) -> FieldType {
    let inside = |names: &TableType| -> TableType {
        let parts = names.names.iter().cloned();
        let parts =
            parts.map(|part| Field { field_type: with_ids(part.field_type.clone(), made), ..part });
        TableType { names: parts.collect(), ..names.clone() }
    };
    match field_type {
        FieldType::List(item) => match &*item {
            FieldType::Table(table) => {
                let mut table = inside(table);
                let flow =
                    if table.get("flow").is_some() { made.with_flow.as_slice() } else { &[] };
                made.always.iter().chain(flow).cloned().for_each(|id| table.set(id));
                FieldType::list(FieldType::table(table))
            }
            _ => FieldType::List(item),
        },
        FieldType::Table(table) => FieldType::table(inside(&table)),
        other => other,
    }
}

/// What was given, completed where there is a table or a list of tables.
pub(super) fn fill(otherwise: &Json, given: &Json) -> Json {
    match (otherwise, given) {
        (Json::Object(otherwise), Json::Object(given)) => {
            let mut filled = otherwise.clone();
            for (key, value) in given {
                let own = otherwise.get(key);
                filled
                    .insert(key.clone(), own.map_or_else(|| value.clone(), |own| fill(own, value)));
            }
            Json::Object(filled)
        }
        (Json::Array(otherwise), Json::Array(given)) => match otherwise.first() {
            Some(first) => given.iter().map(|item| fill_item(first, item)).collect(),
            None => given.iter().cloned().collect(),
        },
        _ => given.clone(),
    }
}

/// One element: a plain value stands for a table with nothing but its first key.
fn fill_item(prototype: &Json, item: &Json) -> Json {
    match (prototype, item) {
        (Json::Object(_), Json::Object(_)) => fill(prototype, item),
        (Json::Object(keys), _) => {
            let mut filled = keys.clone();
            if let Some(first) = keys.keys().next() {
                filled.insert(first.clone(), item.clone());
            }
            Json::Object(filled)
        }
        _ => fill(prototype, item),
    }
}

/// An answer to a list: each element is what was asked, with what is otherwise or was given.
fn answer(otherwise: &Json, asked: &[Json], given: Option<&Json>) -> Json {
    let (Json::Array(otherwise), given) = (otherwise, given.and_then(Json::as_array)) else {
        return otherwise.clone();
    };
    let element = |(span, asked): (usize, &Json)| {
        let alike = otherwise.iter().find(|own| is_alike(own, asked));
        let own = alike.or_else(|| otherwise.get(span)).or_else(|| otherwise.last());
        let own = own.unwrap_or(&Json::Null);
        let prototype = match (own, asked) {
            (Json::Object(own), Json::Object(asked)) => {
                let asked = asked.iter().filter(|(key, _)| own.contains_key(*key));
                let mut merged = own.clone();
                merged.extend(asked.map(|(key, value)| (key.clone(), value.clone())));
                Json::Object(merged)
            }
            _ => own.clone(),
        };
        match given.and_then(|given| given.get(span)) {
            Some(item) => fill_item(&prototype, item),
            None => prototype,
        }
    };
    asked.iter().enumerate().map(element).collect()
}

/// Whether an answer goes with what is asked because both are of one `type`.
fn is_alike(answer: &Json, asked: &Json) -> bool {
    asked.get("type").is_some_and(|asked| answer.get("type") == Some(asked))
}

/// What is wrong with a value in the place of one that is written, if anything.
pub fn misfit(written: &Json, node: &SyntaxNode) -> Option<Problem> {
    match (written, &node.content) {
        (Json::Null, _)
        | (Json::String(_), NodeContent::Text(_))
        | (Json::Bool(_), NodeContent::Bool(_))
        | (Json::Number(_), NodeContent::Int(_) | NodeContent::Number(_)) => None,
        (_, NodeContent::Text(text)) if text.contains("${") => None,
        (
            Json::String(placeholder),
            NodeContent::Bool(_) | NodeContent::Int(_) | NodeContent::Number(_),
        ) if placeholder.contains("${") => None,
        (Json::Array(items), NodeContent::List(nodes)) => {
            let first = items.first()?;
            nodes.iter().find_map(|node| item_type_mismatch(first, node))
        }
        (Json::Object(keys), NodeContent::Table(table)) => {
            table.0.iter().find_map(|(key, node)| match keys.get(&key.name) {
                Some(written) => misfit(written, node),
                None if keys.is_empty() => None,
                None => Some(
                    Problem::at(
                        &key.span,
                        code::UNKNOWN_DATA,
                        format!("unknown key `{}`", key.name),
                    )
                    .known(&key.name, keys.keys().map(String::as_str)),
                ),
            })
        }
        _ => {
            let expected = match written {
                Json::Number(_) => "a number",
                _ => FieldType::of_json(written).about(),
            };
            let problem = wrong_type(node, expected);
            Some(match (written, &node.content) {
                (Json::Array(_), NodeContent::Text(text)) if !text.starts_with(['[', '{']) => {
                    problem.help(format!("a list of one is `[{}]`", node.span.text()))
                }
                _ => problem.help(format!("left out, it is `{written}`")),
            })
        }
    }
}

fn item_type_mismatch(prototype: &Json, node: &SyntaxNode) -> Option<Problem> {
    match (prototype, &node.content) {
        (Json::Object(_), NodeContent::Table(_)) => misfit(prototype, node),
        (Json::Object(keys), _) => misfit(keys.values().next()?, node),
        _ => misfit(prototype, node),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_value_is_the_first_key_and_what_is_left_out_is_otherwise() {
        let otherwise = json!([{"label": "Yes", "url": ""}]);
        let given = json!(["A", {"label": "B", "url": "u"}]);
        let filled = json!([{"label": "A", "url": ""}, {"label": "B", "url": "u"}]);
        assert_eq!(fill(&otherwise, &given), filled);
        assert_eq!(
            fill(&json!({"a": 1, "b": {"c": 2}}), &json!({"b": {"d": 3}})),
            json!({"a": 1, "b": {"c": 2, "d": 3}})
        );
    }

    #[test]
    fn an_answer_goes_on_from_what_was_asked() {
        let otherwise = json!([{"value": "-", "label": ""}]);
        let asked = [json!({"label": "Name", "hint": "x"}), json!({"label": "Mail"})];
        let expected = json!([{"value": "Ada", "label": "Name"}, {"value": "-", "label": "Mail"}]);
        assert_eq!(answer(&otherwise, &asked, Some(&json!(["Ada"]))), expected);
    }

    #[test]
    fn an_answer_is_of_the_type_that_was_asked_for_wherever_it_stands() {
        let otherwise = json!([{"value": "Ada", "type": "text"}, {"value": 7, "type": "count"}]);
        let asked = [json!({"type": "count"}), json!({"type": "text"})];
        let expected = json!([{"value": 7, "type": "count"}, {"value": "Ada", "type": "text"}]);
        assert_eq!(answer(&otherwise, &asked, None), expected);
    }
}
