//! Fields that an entity gets without a step: times of updates, and copies from other entities.

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
        let keys = form.stamps.iter().map(|(key, _)| key);
        for key in keys.chain(form.copies.iter().map(|(key, _)| key)) {
            if !form.optional.iter().any(|field| field.value == key.name) {
                let message = format!("`{}` is not an optional field", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_DATA, message);
                problems.push(problem.help("add it to `optional`"));
            }
        }
        Self { stamps, copies, firsts }
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
                    let first = Some(first).filter(|first| !first.is_null() && **first != "");
                    let rest = items.iter().skip(1).filter(|item| Some(*item) != first);
                    let items: Json = first.into_iter().chain(rest).cloned().collect();
                    fields.insert(list.clone(), items);
                }
                _ => {}
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

/// Returns an element of a list as text. The first text of an object stands for it.
fn text_of(item: &Json) -> Json {
    let texts =
        |object: &Map<String, Json>| object.values().find(|value| value.is_string()).cloned();
    item.as_object().and_then(texts).unwrap_or_else(|| item.clone())
}
