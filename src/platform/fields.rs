//! Data that a step can set for a message kind, an entity kind or an emitted event.
//!
//! The vendor file lists the fields with their default values. A default also determines the type
//! of a field.

use serde_json::{Map, Value as Json};

use super::entity_rules::EntityRules;
use super::field_limits::{FieldLimit, StepData};
use super::forms::UnsetValue;
use crate::base::fake::{FAKES, LOCALES, Locale, fake, fill_localized};
use crate::base::seed::SeedScope;
use crate::diag::{Key, NodeContent, Problem, SyntaxNode, code, scalar::unexpected_type};
use crate::template::{Field, FieldType, JsonTemplate, Object, TableType};

/// Fields that a step may set, with their defaults.
#[derive(Clone, Debug)]
pub struct FieldDefaults {
    /// Default values as written in the vendor file; texts may contain placeholders.
    pub defaults: Map<String, Json>,
    /// Fields that can be absent. One without a default is absent unless a step sets it; one with a
    /// default can be removed.
    pub optional: Vec<String>,
    /// What an update stores for a field that it removes.
    pub(super) unset: UnsetValue,
    /// Fields that an entity gets without a step.
    pub(super) rules: EntityRules,
    /// The defaults as a template.
    pub(super) template: JsonTemplate,
    /// Suggested values for elements of the question, as a template of lists by field.
    pub(super) suggestions: Option<JsonTemplate>,
    pub(super) limits: Vec<FieldLimit>,
    /// Whether each element of a list takes the default at its position: the data answers questions,
    /// which differ.
    pub(super) by_position: bool,
}

impl FieldDefaults {
    /// Returns the names of all fields.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let without_default = |key: &&String| !self.defaults.contains_key(*key);
        let optional = self.optional.iter().filter(without_default);
        self.defaults.keys().chain(optional).map(String::as_str)
    }

    /// Returns true if a step may remove the field.
    pub fn can_be_absent(&self, key: &str) -> bool {
        self.optional.iter().any(|optional| optional == key)
    }

    /// Returns true if a step replaces this table as a whole, with any keys.
    pub fn replaces_whole(&self, key: &str) -> bool {
        self.rules.is_whole(key)
    }

    /// Returns true if there is such a field.
    pub fn has(&self, key: &str) -> bool {
        self.keys().any(|known| known == key)
    }

    /// Returns the problem with a step's value for a field, if its type does not match.
    pub fn type_mismatch(&self, key: &str, node: &SyntaxNode) -> Option<Problem> {
        let is_null = node.content == NodeContent::Null && self.can_be_absent(key);
        if self.replaces_whole(key) && matches!(node.content, NodeContent::Table(_)) {
            return None;
        }
        let default = self.defaults.get(key).filter(|_| !is_null)?;
        let is_scalar = matches!(
            node.content,
            NodeContent::Bool(_) | NodeContent::Int(_) | NodeContent::Number(_)
        );
        if is_scalar && default.as_str().is_some_and(always_text) {
            return Some(wrong_type_of(default, node));
        }
        type_mismatch(default, node)
    }

    /// Describes the limits of a field in sentences.
    pub(super) fn limits_about(&self, key: &str) -> Vec<String> {
        let own = self.limits.iter().filter(|limit| limit.field == key);
        let is_list = self.defaults.get(key).is_some_and(Json::is_array);
        own.flat_map(|limit| limit.about(is_list)).collect()
    }

    /// Adds the limits of a field to its schema.
    pub fn restrict(&self, key: &str, schema: &mut Json) {
        self.limits
            .iter()
            .filter(|limit| limit.field == key)
            .for_each(|limit| limit.restrict(schema));
    }

    /// Returns the problems with values outside the limits of the vendor.
    pub fn limit_problems(&self, step: StepData<'_>) -> impl Iterator<Item = Problem> {
        self.limits.iter().filter_map(move |limit| limit.problem(step, &self.defaults))
    }

    /// Returns the step's values completed with the defaults. `asked` is the data of the message
    /// that this one responds to: a list of the same name continues it element by element.
    pub(super) fn complete(
        &self,
        input: &Map<String, Json>,
        asked: Option<&Map<String, Json>>,
        root: &dyn Object,
    ) -> Map<String, Json> {
        let object = |template: &JsonTemplate| -> Map<String, Json> {
            serde_json::from_str(&template.render(root).unwrap_or_default()).unwrap_or_default()
        };
        let defaults = object(&self.template);
        let suggestions = self.suggestions.as_ref().filter(|_| asked.is_some());
        let suggestions = suggestions.map(object).unwrap_or_default();
        let mut complete = Map::new();
        for (key, default) in &defaults {
            let asked = asked.and_then(|asked| asked.get(key)).and_then(Json::as_array);
            let value = match (asked, input.get(key)) {
                (Some(asked), input) => {
                    let suggestions = suggestions.get(key).and_then(Json::as_array);
                    respond(default, asked, input, suggestions.map_or(&[], Vec::as_slice))
                }
                (None, Some(input)) if self.replaces_whole(key) => input.clone(),
                (None, Some(input)) => self.filled_with(default, input),
                (None, None) => default.clone(),
            };
            complete.insert(key.clone(), value);
        }
        for key in self.optional.iter().filter(|key| !defaults.contains_key(*key)) {
            if let Some(input) = input.get(key) {
                complete.insert(key.clone(), input.clone());
            }
        }
        complete
    }

    /// Returns what a step sets, completed with the defaults. Of the placeholders, only those whose
    /// values depend on the locale are replaced, if it is known.
    pub fn filled(
        &self,
        input: &[(Key, SyntaxNode)],
        locale: Option<&Locale>,
    ) -> Map<String, Json> {
        let mut filled = self.defaults.clone();
        for (key, node) in input {
            let value = node.to_json();
            let default = self.defaults.get(&key.name).filter(|_| !self.replaces_whole(&key.name));
            let value = default.map_or(value.clone(), |own| self.filled_with(own, &value));
            filled.insert(key.name.clone(), value);
        }
        if let Some(locale) = locale {
            filled.values_mut().for_each(|value| localize(value, locale));
        }
        filled
    }

    /// Completes a value of a step with the default of its field.
    fn filled_with(&self, default: &Json, input: &Json) -> Json {
        match (default, input) {
            (Json::Array(defaults), Json::Array(items)) if self.by_position => {
                let own = |(index, item): (usize, &Json)| {
                    let own = same_element(defaults, item).or_else(|| defaults.get(index));
                    own.or_else(|| defaults.last())
                        .map_or_else(|| item.clone(), |own| fill_item(own, item))
                };
                items.iter().enumerate().map(own).collect()
            }
            _ => fill(default, input),
        }
    }

    /// Returns the types of the fields. Objects in lists also have the generated ids.
    pub(super) fn names(&self, generated: &ItemFields) -> Vec<Field> {
        let name = |(key, default): (&String, &Json)| {
            let field_type = with_ids(FieldType::of_json(default), generated);
            Field { name: key.clone(), field_type, optional: self.can_be_absent(key) }
        };
        let without_default = |key: &&String| !self.defaults.contains_key(*key);
        let optional = self.optional.iter().filter(without_default);
        let optional = optional.map(|key| Field::maybe(key, FieldType::Any));
        self.defaults.iter().map(name).chain(optional).collect()
    }
}

fn localize(value: &mut Json, locale: &Locale) {
    match value {
        Json::String(text) => *text = fill_localized(text, locale),
        Json::Array(items) => items.iter_mut().for_each(|item| localize(item, locale)),
        Json::Object(entries) => entries.values_mut().for_each(|entry| localize(entry, locale)),
        _ => {}
    }
}

/// The ids that are generated for an object in a list.
#[derive(Clone, Debug, Default)]
pub(super) struct ItemFields {
    /// Ids of every object.
    pub(super) always: Vec<Field>,
    /// Ids of an object with the field `flow`.
    pub(super) with_flow: Vec<Field>,
}

/// Adds the generated ids to each object in a list, at any depth.
fn with_ids(field_type: FieldType, generated: &ItemFields) -> FieldType {
    let inside = |table: &TableType| -> TableType {
        let fields = table.fields.iter().cloned();
        let fields = fields.map(|field| Field {
            field_type: with_ids(field.field_type.clone(), generated),
            ..field
        });
        TableType { fields: fields.collect(), ..table.clone() }
    };
    match field_type {
        FieldType::List(item) => match &*item {
            FieldType::Table(table) => {
                let mut table = inside(table);
                let flow =
                    if table.get("flow").is_some() { generated.with_flow.as_slice() } else { &[] };
                generated.always.iter().chain(flow).cloned().for_each(|id| table.set(id));
                FieldType::list(FieldType::table(table))
            }
            _ => FieldType::List(item),
        },
        FieldType::Table(table) => FieldType::table(inside(&table)),
        other => other,
    }
}

/// Completes a value with its default. Objects are completed by key, lists by element.
pub(super) fn fill(default: &Json, input: &Json) -> Json {
    match (default, input) {
        (Json::Object(default), Json::Object(input)) => {
            let mut filled = default.clone();
            for (key, value) in input {
                let value = default.get(key).map_or_else(|| value.clone(), |own| fill(own, value));
                filled.insert(key.clone(), value);
            }
            Json::Object(filled)
        }
        (Json::Array(default), Json::Array(input)) => match default.first() {
            // The first element of a default list is the default for every element.
            Some(first) => input
                .iter()
                .map(|item| fill_item(same_element(default, item).unwrap_or(first), item))
                .collect(),
            None => input.iter().cloned().collect(),
        },
        _ => input.clone(),
    }
}

/// Completes an element of a list. A plain value sets the first key of an object, and the keys that
/// have the same default as the first.
fn fill_item(default: &Json, item: &Json) -> Json {
    let Json::Object(keys) = default else { return fill(default, item) };
    let Some((first, first_default)) = keys.iter().next() else { return fill(default, item) };
    let (mut filled, value) = match item {
        Json::Object(given) => (fill(default, item), given.get(first)),
        _ => (default.clone(), Some(item)),
    };
    let Some(value) = value else { return filled };
    for (key, default) in keys {
        let is_given = item.get(key).is_some();
        let follows = default == first_default && default != "" && !is_given;
        if key == first || follows {
            filled[key] = value.clone();
        }
    }
    filled
}

/// Returns the default element that has this text in its first key, in any case.
fn same_element<'a>(defaults: &'a [Json], item: &Json) -> Option<&'a Json> {
    let text = item.as_str()?.to_lowercase();
    let first =
        |default: &Json| default.as_object()?.values().next()?.as_str().map(str::to_lowercase);
    defaults.iter().find(|default| first(default).is_some_and(|first| first == text))
}

/// Returns the value that the first matching suggestion has for an element of the question.
fn suggested<'a>(suggestions: &'a [Json], asked: &Json) -> Option<&'a Map<String, Json>> {
    let matches = |suggestion: &&Map<String, Json>| {
        suggestion.iter().all(|(key, part)| match (asked.get(key), part) {
            (None, _) => true,
            (Some(Json::String(whole)), Json::Array(parts)) => {
                parts.iter().filter_map(Json::as_str).any(|part| is_part(part, whole))
            }
            (Some(Json::String(whole)), Json::String(part)) => is_part(part, whole),
            (Some(whole), part) => whole == part,
        })
    };
    suggestions.iter().filter_map(Json::as_object).find(matches)
}

/// Returns true if a text contains the part, in any case. A space at an end of the part stands for the
/// end of a word.
fn is_part(part: &str, whole: &str) -> bool {
    let words = whole.to_lowercase().replace(|c: char| c.is_ascii_punctuation() && c != '-', " ");
    format!(" {words} ").contains(&part.to_lowercase())
}

/// Returns the response to a list: each element takes its values from the input, then from the
/// element it responds to, then from a suggestion, then from the default.
fn respond(default: &Json, asked: &[Json], input: Option<&Json>, suggestions: &[Json]) -> Json {
    let (Json::Array(defaults), input) = (default, input.and_then(Json::as_array)) else {
        return default.clone();
    };
    let element = |(index, asked): (usize, &Json)| {
        let same_type = defaults.iter().find(|default| is_same_type(default, asked));
        let own = same_type.or_else(|| defaults.get(index)).or_else(|| defaults.last());
        let own = own.unwrap_or(&Json::Null);
        let default = match (own, asked) {
            (Json::Object(own), Json::Object(asked_entries)) => {
                // Only shared keys are copied: the question has fields that no response has.
                let asked = asked_entries.iter().filter(|(key, _)| own.contains_key(*key));
                let suggested = suggested(suggestions, &Json::Object(asked_entries.clone()));
                let mut merged = own.clone();
                merged.extend(suggested.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
                merged.extend(asked.map(|(key, value)| (key.clone(), value.clone())));
                Json::Object(merged)
            }
            _ => own.clone(),
        };
        match input.and_then(|input| input.get(index)) {
            Some(item) => fill_item(&default, item),
            None => default,
        }
    };
    asked.iter().enumerate().map(element).collect()
}

/// Returns true if both elements have the same value in the field `type`.
fn is_same_type(response: &Json, asked: &Json) -> bool {
    asked.get("type").is_some_and(|asked| response.get("type") == Some(asked))
}

/// Returns true if a default gives a text, whatever its placeholders are.
pub fn always_text(default: &str) -> bool {
    let is_one = default.starts_with("${") && default.find('}') == Some(default.len() - 1);
    // Any other single placeholder, such as `${account.booking_id}`, gives a value of any type.
    !is_one || default.starts_with("${fake.") || default.starts_with("${file.")
}

/// Returns the problem with a value whose type differs from that of the default, if it differs.
/// Texts with placeholders match every type, because their values are unknown before rendering.
pub fn type_mismatch(default: &Json, node: &SyntaxNode) -> Option<Problem> {
    match (default, &node.content) {
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
                Some(default) => type_mismatch(default, node),
                // An empty default object admits every key.
                None if keys.is_empty() => None,
                None => Some(
                    Problem::at(
                        &key.span,
                        code::UNKNOWN_DATA,
                        format!("unknown key `{}`", key.name),
                    )
                    .suggest_or_list(&key.name, keys.keys().map(String::as_str)),
                ),
            })
        }
        _ => Some(wrong_type_of(default, node)),
    }
}

fn wrong_type_of(default: &Json, node: &SyntaxNode) -> Problem {
    let expected = match default {
        // A whole number as default admits fractions too.
        Json::Number(_) => "a number",
        _ => FieldType::of_json(default).about(),
    };
    let problem = unexpected_type(node, expected);
    match (default, &node.content) {
        (Json::Array(_), NodeContent::Text(text)) if !text.starts_with(['[', '{']) => {
            problem.help(format!("write a list with one element as `[{}]`", node.span.text()))
        }
        _ => problem.help(format!("the default is `{}`", example(&default.to_string()))),
    }
}

/// Replaces each `${fake.NAME}` in a default with a value, so that a message shows an example.
fn example(default: &str) -> String {
    let seeds = SeedScope::fixed("example");
    let mut text = default.to_owned();
    for entry in FAKES.iter().filter(|entry| default.contains(entry.name)) {
        let value = fake(entry.name, &LOCALES[0], &seeds).unwrap_or_default();
        text = text.replace(&format!("${{fake.{}}}", entry.name), &value);
    }
    text
}

fn item_type_mismatch(default: &Json, node: &SyntaxNode) -> Option<Problem> {
    match (default, &node.content) {
        (Json::Object(_), NodeContent::Table(_)) => type_mismatch(default, node),
        (Json::Object(keys), _) => type_mismatch(keys.values().next()?, node),
        _ => type_mismatch(default, node),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_value_sets_the_first_key_and_missing_keys_take_the_default() {
        let default = json!([{"label": "Yes", "url": ""}]);
        let input = json!(["A", {"label": "B", "url": "u"}]);
        let filled = json!([{"label": "A", "url": ""}, {"label": "B", "url": "u"}]);
        assert_eq!(fill(&default, &input), filled);
        assert_eq!(
            fill(&json!({"a": 1, "b": {"c": 2}}), &json!({"b": {"d": 3}})),
            json!({"a": 1, "b": {"c": 2, "d": 3}})
        );
    }

    #[test]
    fn response_takes_shared_keys_from_the_question() {
        let default = json!([{"value": "-", "label": ""}]);
        let asked = [json!({"label": "Name", "hint": "x"}), json!({"label": "Mail"})];
        let expected = json!([{"value": "Ada", "label": "Name"}, {"value": "-", "label": "Mail"}]);
        assert_eq!(respond(&default, &asked, Some(&json!(["Ada"])), &[]), expected);
    }

    #[test]
    fn response_uses_the_default_of_the_same_type_at_any_index() {
        let default = json!([{"value": "Ada", "type": "text"}, {"value": 7, "type": "count"}]);
        let asked = [json!({"type": "count"}), json!({"type": "text"})];
        let expected = json!([{"value": 7, "type": "count"}, {"value": "Ada", "type": "text"}]);
        assert_eq!(respond(&default, &asked, None, &[]), expected);
    }

    #[test]
    fn suggestion_must_match_the_element_of_the_question() {
        let default = json!([{"value": "-", "label": "", "type": "text"}]);
        let asked = [
            json!({"label": "Your Name", "type": "text"}),
            json!({"label": "Invoice", "type": "text"}),
            json!({"label": "Mail", "type": "email"}),
        ];
        let suggestions =
            [json!({"label": "name", "value": "Ada"}), json!({"type": "text", "value": "Hm."})];
        let answers = respond(&default, &asked, None, &suggestions);
        let values: Vec<&Json> = answers.as_array().unwrap().iter().map(|a| &a["value"]).collect();
        assert_eq!(values, ["Ada", "Hm.", "-"]);
    }

    #[test]
    fn suggestion_matches_one_of_several_parts() {
        assert!(is_part("namn", "Ditt förnamn"));
        assert!(is_part(" nom ", "Votre nom ?"));
        assert!(!is_part(" nom ", "Nombre de places"));
        let suggestions = [json!({"label": ["mail", "e-post"], "value": "a@b"})];
        let values = |label: &str| suggested(&suggestions, &json!({"label": label}));
        assert!(values("E-postadress").is_some());
        assert!(values("Telefon").is_none());
    }

    #[test]
    fn texts_with_placeholders_are_told_from_values_of_other_types() {
        for text in ["plain", "${fake.first_name}", "${file.png}", "${fake.word}.png", "a ${b}"] {
            assert!(always_text(text), "{text}");
        }
        for value in ["${account.booking_id}", "${asked.event_id | or:0}"] {
            assert!(!always_text(value), "{value}");
        }
    }

    #[test]
    fn keys_with_the_default_of_the_first_key_follow_it() {
        let default = json!([{"label": "Yes", "url": "", "flow": "Yes"}]);
        let filled = fill(&default, &json!(["A", {"label": "B"}, {"label": "C", "flow": ""}]));
        let flows: Vec<&Json> =
            filled.as_array().unwrap().iter().map(|item| &item["flow"]).collect();
        assert_eq!(flows, ["A", "B", ""]);
    }

    #[test]
    fn plain_text_takes_the_default_element_with_that_text() {
        let default =
            json!([{"label": "Name", "type": "text"}, {"label": "Mail", "type": "email"}]);
        let filled = fill(&default, &json!(["mail", "Other"]));
        assert_eq!([&filled[0]["type"], &filled[1]["type"]], ["email", "text"]);
    }
}
