//! Meaning of the fields that a step can set, for help, documentation and schemas.

use std::collections::BTreeMap;

use super::forms::{FieldForm, VendorForm};
use crate::diag::{Key, Problem, Problems, Spanned, code};

/// Meaning of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Meaning, in one sentence.
    pub about: String,
    /// Known values; empty if any value is possible. Other values are accepted too.
    pub values: Vec<String>,
}

/// Meanings of the fields of a vendor, by field or by `KIND.FIELD`.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldInfos(BTreeMap<String, FieldInfo>);

impl FieldInfos {
    /// Returns the meaning of the field of a kind.
    pub(super) fn get(&self, owner: &str, field: &str) -> Option<&FieldInfo> {
        self.0.get(&format!("{owner}.{field}")).or_else(|| self.0.get(field))
    }
}

impl FieldInfo {
    /// Returns the meaning with the known values.
    pub(super) fn sentences(&self, limits: &[String]) -> Vec<String> {
        let known = format!("Known values: {}.", self.values.join(", "));
        // The values that `check` allows are the known ones.
        let is_limited = limits.iter().any(|limit| limit.starts_with("Allowed values"));
        let known = (!self.values.is_empty() && !is_limited).then_some(known);
        [self.about.clone()].into_iter().chain(known).collect()
    }
}

/// Reads the `[fields]` section.
pub(super) fn read(form: &VendorForm) -> FieldInfos {
    let values = |values: &[Spanned<String>]| values.iter().map(|v| v.value.clone()).collect();
    let info = |(key, form): (&Key, &FieldForm)| {
        let (about, values) = (form.about.value.clone(), values(&form.values));
        (key.name.clone(), FieldInfo { about, values })
    };
    FieldInfos(form.fields.iter().map(info).collect())
}

/// Reports entries of `[fields]` for which there is no field.
pub(super) fn check(form: &VendorForm, problems: &mut Problems) {
    // A vendor that drops events of another one inherits the meanings of their fields.
    if !form.drop.is_empty() {
        return;
    }
    let names = field_names(form);
    for (key, _) in &form.fields.0 {
        if !names.contains(&key.name) {
            let message = format!("no message, entity or emitted event has a field `{}`", key.name);
            let problem = Problem::at(&key.span, code::UNKNOWN_DATA, message);
            problems.push(problem.suggest(&key.name, names.iter().map(String::as_str)));
        }
    }
}

/// Returns the names of all fields, alone and with their owner.
fn field_names(form: &VendorForm) -> Vec<String> {
    fn text(field: &Spanned<String>) -> &str {
        field.as_str()
    }
    let kinds = form.kinds.iter().map(|(key, kind)| {
        (key.name.as_str(), kind.data.names().chain(kind.optional.iter().map(text)).collect())
    });
    let entities = form.entities.iter().map(|(key, entity)| {
        (key.name.as_str(), entity.data.names().chain(entity.optional.iter().map(text)).collect())
    });
    let events = form.event.iter().map(|event| {
        (text(&event.type_), event.data.names().chain(event.optional.iter().map(text)).collect())
    });
    let owned: Vec<(&str, Vec<&str>)> = kinds.chain(entities).chain(events).collect();
    let both = |owner: &str, field: &str| [field.to_owned(), format!("{owner}.{field}")];
    owned
        .iter()
        .flat_map(|(owner, fields)| fields.iter().flat_map(move |field| both(owner, field)))
        .collect()
}
