//! Fields that an entity gets without a step: times of updates, copies from other entities, and
//! values that follow from other fields.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};

use super::forms::EntityForm;
use crate::conversation::Entity;
use crate::diag::{Problem, Problems, Spanned, code};

/// Fields that an entity gets without a step.
#[derive(Clone, Debug, Default)]
pub(super) struct EntityRules {
    stamps: Vec<StampRule>,
    copies: Vec<CopyRule>,
    firsts: Vec<FirstRule>,
    accumulate: Vec<String>,
    whole: Vec<String>,
    resets: Vec<ResetRule>,
}

/// A field that is the first element of a list.
#[derive(Clone, Debug)]
struct FirstRule {
    field: String,
    list: String,
}

/// A field that an update sets to its time.
#[derive(Clone, Debug)]
struct StampRule {
    field: String,
    /// Fields, at least one of which must change.
    changed: Vec<String>,
    /// Fields, besides which the update must set no other; empty for all.
    sets_only: Vec<String>,
}

/// A field that is copied from the entity whose id another field has.
#[derive(Clone, Debug)]
struct CopyRule {
    field: String,
    id: String,
    from: String,
}

/// A field that gets a fixed value when an update changes others.
#[derive(Clone, Debug)]
struct ResetRule {
    field: String,
    /// Fields, at least one of which must get another value; empty for every update.
    changed: Vec<String>,
    to: Json,
    /// A value that the update itself sets stays.
    unless_set: bool,
}

impl EntityRules {
    /// Checks that the fields exist, and that those which are set are optional.
    pub(super) fn check(form: &EntityForm, problems: &mut Problems) -> Self {
        let mut known = |field: &Spanned<String>| {
            let optional = form.optional.iter().any(|known| known.value == field.value);
            if !optional && form.data.get(field).is_none() {
                let message = format!("unknown field `{}`", field.value);
                let problem = Problem::at(&field.span, code::UNKNOWN_DATA, message);
                problems.push(problem.suggest_or_list(field, form.data.names()));
            }
            field.value.clone()
        };
        let stamps: Vec<StampRule> = form
            .stamps
            .iter()
            .map(|(key, stamp)| StampRule {
                field: key.name.clone(),
                changed: stamp.changed.iter().map(&mut known).collect(),
                sets_only: stamp.sets_only.iter().map(&mut known).collect(),
            })
            .collect();
        let copies: Vec<CopyRule> = form
            .copies
            .iter()
            .map(|(key, copy)| CopyRule {
                field: key.name.clone(),
                id: known(&copy.id),
                // A field of whatever kind has the id.
                from: copy.field.value.clone(),
            })
            .collect();
        let firsts: Vec<FirstRule> = form
            .first_of
            .iter()
            .map(|(key, list)| FirstRule {
                field: known(&Spanned { value: key.name.clone(), span: key.span.clone() }),
                list: known(list),
            })
            .collect();
        let accumulate = form.accumulate.iter().map(&mut known).collect();
        let whole = form.whole.iter().map(&mut known).collect();
        let resets = form
            .resets
            .iter()
            .map(|(key, reset)| ResetRule {
                field: known(&Spanned { value: key.name.clone(), span: key.span.clone() }),
                changed: reset.changed.iter().map(&mut known).collect(),
                to: reset.to.to_json(),
                unless_set: reset.unless_set.as_ref().is_some_and(|keeps| keeps.value),
            })
            .collect();
        let keys = form.stamps.iter().map(|(key, _)| key);
        for key in keys.chain(form.copies.iter().map(|(key, _)| key)) {
            if !form.optional.iter().any(|field| field.value == key.name) {
                let message = format!("`{}` is not an optional field", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_DATA, message);
                problems.push(problem.help("add it to `optional`"));
            }
        }
        Self { stamps, copies, firsts, accumulate, whole, resets }
    }

    /// Returns true if a step replaces the table as a whole.
    pub(super) fn is_whole(&self, field: &str) -> bool {
        self.whole.iter().any(|whole| whole == field)
    }

    /// Adds the first elements of lists, and lists with another first element, to the fields that a
    /// step sets.
    pub(super) fn align_firsts(&self, entity: Option<&Entity>, fields: &mut Map<String, Json>) {
        for FirstRule { field, list } in &self.firsts {
            match (fields.get(field), fields.get(list)) {
                (None, Some(Json::Array(items))) => {
                    let first = items.first().map_or(Json::Null, text_of);
                    fields.insert(field.clone(), first);
                }
                (Some(first), None) => {
                    let items = entity.and_then(|entity| entity.fields.get(list)?.as_array());
                    let Some(items) = items else { continue };
                    let first = Some(first).filter(|value| has_content(value));
                    let rest = items.iter().skip(1).filter(|item| Some(*item) != first);
                    let items: Json = first.into_iter().chain(rest).cloned().collect();
                    fields.insert(list.clone(), items);
                }
                _ => {}
            }
        }
    }

    /// Adds the elements of lists that an update does not name, and fields with a fixed value.
    pub(super) fn keep_and_reset(&self, entity: &Entity, fields: &mut Map<String, Json>) {
        for list in &self.accumulate {
            let first = self.firsts.iter().find(|rule| rule.list == *list).map(|rule| &rule.field);
            let is_set = |field: &String| fields.contains_key(field);
            if is_set(list) || first.is_some_and(is_set) {
                let mut items = elements(&entity.fields, list, first);
                for item in elements(fields, list, first) {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
                fields.insert(list.clone(), items.into());
            }
        }
        for reset in &self.resets {
            let changes = |field: &String| {
                let value = fields.get(field).filter(|value| has_content(value));
                value.is_some_and(|value| entity.fields.get(field) != Some(value))
            };
            let keeps = reset.unless_set && fields.contains_key(&reset.field);
            if !keeps && (reset.changed.is_empty() || reset.changed.iter().any(changes)) {
                fields.insert(reset.field.clone(), reset.to.clone());
            }
        }
    }

    /// Adds the fields to those that an action sets. `entity` is the entity before an update.
    pub(super) fn complete(
        &self,
        entity: Option<&Entity>,
        others: &[Entity],
        fields: &mut Map<String, Json>,
        at: Timestamp,
    ) {
        for copy in &self.copies {
            let Some(id) = fields.get(&copy.id).filter(|_| !fields.contains_key(&copy.field))
            else {
                continue;
            };
            let has_id = |other: &&Entity| id.as_str().is_some_and(|id| other.ids.include(id));
            let value = others.iter().find(has_id).and_then(|other| other.fields.get(&copy.from));
            let replaces = entity.is_some_and(|entity| entity.fields.contains_key(&copy.field));
            if let Some(value) = value.cloned().or_else(|| replaces.then_some(Json::Null)) {
                fields.insert(copy.field.clone(), value);
            }
        }
        let Some(entity) = entity else { return };
        let changes = |field: &String| {
            fields.get(field).is_some_and(|value| entity.fields.get(field) != Some(value))
        };
        let admits = |stamp: &&StampRule| {
            let only = |field: &String| stamp.sets_only.contains(field);
            !fields.contains_key(&stamp.field)
                && stamp.changed.iter().any(changes)
                && (stamp.sets_only.is_empty() || fields.keys().all(only))
        };
        let stamps: Vec<&StampRule> = self.stamps.iter().filter(admits).collect();
        let time = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        for stamp in stamps {
            fields.insert(stamp.field.clone(), time.clone().into());
        }
    }
}

/// Returns the elements of a list. A list that is absent has the field with its first element.
fn elements(fields: &Map<String, Json>, list: &str, first: Option<&String>) -> Vec<Json> {
    match fields.get(list) {
        Some(Json::Array(items)) => items.clone(),
        _ => first
            .and_then(|first| fields.get(first))
            .filter(|value| has_content(value))
            .cloned()
            .into_iter()
            .collect(),
    }
}

/// Returns false for null and the empty text.
fn has_content(value: &Json) -> bool {
    !value.is_null() && value != ""
}

/// Returns an element of a list as text. The first text of an object stands for it.
fn text_of(item: &Json) -> Json {
    let texts =
        |object: &Map<String, Json>| object.values().find(|value| value.is_string()).cloned();
    item.as_object().and_then(texts).unwrap_or_else(|| item.clone())
}
