//! Finds the parts of an action that no payload of the vendor contains.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::definition::Platform;
use super::event_rule::EventRule;
use crate::conversation::{Action, ActionKind};

/// A part of an action that the vendor does not send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostField {
    /// The part, as a key of the action: `say.text`, `say.data`, `set.variables`, `rate.comment`,
    /// `create.with` or `update.with`.
    pub part: &'static str,
    /// Why it is not sent.
    pub reason: String,
}

/// Returns what a step sets and no template of the events in `sent` reads. Nothing is lost if the
/// vendor sends no event at all: that is reported by itself.
pub(super) fn lost_fields(
    requested: &Action,
    completed: &Action,
    platform: &Platform,
    sent: &[&EventRule],
) -> Vec<LostField> {
    if sent.is_empty() {
        return Vec::new();
    }
    let mut read = ReadPaths(sent.iter().map(|rule| rule.body.paths()).collect());
    match (&requested.kind, &completed.kind) {
        (ActionKind::Say { text, data, .. }, ActionKind::Say { kind, data: complete, .. }) => {
            let Some(message_kind) = platform.kinds.get(kind) else { return Vec::new() };
            read.0.push(message_kind.body.paths());
            let lost = |part: &'static str, what: &str| LostField {
                part,
                reason: format!("{} sends no {what} with `{kind}` messages", platform.name),
            };
            // The text of a click selects the choice, which the payload contains.
            let is_choice = complete.contains_key("choice");
            let text_is_lost = !text.is_empty() && !is_choice && !read.contains("message.text");
            let mut names = BTreeSet::new();
            collect_lost(data, "message", &read, &message_kind.data.defaults, &mut names);
            let fields = names.into_iter().map(|name| lost("say.data", &format!("`{name}`")));
            let surplus = data.iter().filter_map(|(key, given)| {
                let (given, sent) = (given.as_array()?.len(), complete.get(key)?.as_array()?.len());
                (given > sent).then(|| LostField {
                    part: "say.data",
                    reason: format!(
                        "the question has {sent} `{key}`, so {} of the {given} given are not sent",
                        given - sent
                    ),
                })
            });
            let text = text_is_lost.then(|| lost("say.text", "text"));
            text.into_iter().chain(fields).chain(surplus).collect()
        }
        (ActionKind::Rate { comment: Some(_), .. }, _) if !read.contains("event.comment") => {
            let reason = format!("{} sends no comment with a rating", platform.name);
            vec![LostField { part: "rate.comment", reason }]
        }
        (ActionKind::Create { fields, .. }, _) => {
            lost_of_entity("create.with", fields, &read, &platform.name)
        }
        (ActionKind::Update { fields, .. }, _) => {
            lost_of_entity("update.with", fields, &read, &platform.name)
        }
        (ActionKind::Set { variables, .. }, _) => {
            let is_lost = |name: &String| sent.iter().all(|rule| rule.reserved.contains(name));
            let lost = variables.iter().filter(|variable| is_lost(&variable.name));
            let reason = |name: &str| format!("{} sends its own `{name}`", platform.name);
            lost.map(|variable| LostField { part: "set.variables", reason: reason(&variable.name) })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the fields of an entity that no template reads.
fn lost_of_entity(
    part: &'static str,
    fields: &Map<String, Json>,
    read: &ReadPaths<'_>,
    vendor: &str,
) -> Vec<LostField> {
    let roots = ["entity", "entity.original", "entity.values", "changes"];
    let is_read = |key: &str| roots.iter().any(|root| read.reads_part_of(&format!("{root}.{key}")));
    let lost = fields.iter().filter(|(key, value)| !is_blank(value) && !is_read(key));
    let reason = |key: &str| format!("{vendor} sends no `{key}` here");
    lost.map(|(key, _)| LostField { part, reason: reason(key) }).collect()
}

/// The paths that templates read.
struct ReadPaths<'a>(Vec<&'a BTreeSet<String>>);

impl ReadPaths<'_> {
    /// Returns true if a template reads the path, or writes a value that contains it.
    fn contains(&self, path: &str) -> bool {
        let prefixes = path.match_indices('.').map(|(at, _)| &path[..at]);
        let is_read = |prefix| self.0.iter().any(|paths| paths.contains(prefix));
        prefixes.chain([path]).any(is_read)
    }

    /// Returns true if a template reads the path, a value that contains it, or a part of it.
    fn reads_part_of(&self, path: &str) -> bool {
        let inside = format!("{path}.");
        let reads = |paths: &&BTreeSet<String>| {
            paths.range(inside.clone()..).next().is_some_and(|next| next.starts_with(&inside))
        };
        self.contains(path) || self.0.iter().any(reads)
    }
}

/// Adds the names of the fields that no template reads, without the name of the root.
fn collect_lost(
    entries: &Map<String, Json>,
    path: &str,
    read: &ReadPaths<'_>,
    defaults: &Map<String, Json>,
    lost: &mut BTreeSet<String>,
) {
    for (key, value) in entries {
        let path = format!("{path}.{key}");
        let default = defaults.get(key);
        match value {
            Json::Object(entries) => {
                let defaults = default.and_then(Json::as_object).cloned().unwrap_or_default();
                collect_lost(entries, &path, read, &defaults, lost);
            }
            Json::Array(items) => {
                let first = default.and_then(|list| list.get(0)).and_then(Json::as_object);
                let defaults = first.cloned().unwrap_or_default();
                for item in items {
                    match item.as_object() {
                        Some(entries) => collect_lost(entries, &path, read, &defaults, lost),
                        // A plain value stands for the first key of an object.
                        None => {
                            let key = defaults.keys().next().map(|key| format!(".{key}"));
                            add_lost(
                                item,
                                &format!("{path}{}", key.unwrap_or_default()),
                                read,
                                lost,
                            );
                        }
                    }
                }
            }
            _ => add_lost(value, &path, read, lost),
        }
    }
}

fn add_lost(value: &Json, path: &str, read: &ReadPaths<'_>, lost: &mut BTreeSet<String>) {
    let name = path.split_once('.').map_or(path, |(_, name)| name);
    // A choice names an element of the question; templates read one key of it.
    if !is_blank(value) && !name.starts_with("choice") && !read.contains(path) {
        lost.insert(name.to_owned());
    }
}

/// Returns true for a value that states the absence of one, which is no loss.
fn is_blank(value: &Json) -> bool {
    value.is_null() || value == "" || *value == Json::Bool(false)
}
