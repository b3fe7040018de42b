//! Descriptions of limits: sentences for help and documentation, and JSON Schemas for editors.

use serde_json::{Value as Json, json};

use super::field_limits::{ASKED, FieldLimit, example_of};
use super::forms::LimitForm;
use crate::diag::{NodeContent, Spanned, SyntaxNode};

impl FieldLimit {
    /// Describes the limit in sentences, for help and documentation.
    pub(super) fn about(&self, is_list: bool) -> Vec<String> {
        let LimitForm { min, max, formats, values, excludes, offered, distinct, .. } = &self.form;
        let mut sentences = Vec::new();
        if !values.is_empty() {
            let values: Vec<&str> = values.iter().map(|value| value.as_str()).collect();
            sentences.push(format!("Allowed values: {}.", values.join(", ")));
        }
        let unit = if is_list { " elements" } else { "" };
        let [min, max] = [min, max].map(|bound| bound.as_ref().map(bound_about));
        sentences.extend(match (min, max) {
            (Some(min), Some(max)) => Some(format!("From {min} to {max}{unit}.")),
            (Some(first), None) if !formats.is_empty() => Some(format!("Not before {first}.")),
            (Some(min), None) if min == "1" && is_list => Some("At least one element.".to_owned()),
            (Some(min), None) => Some(format!("At least {min}{unit}.")),
            (None, Some(max)) => Some(format!("At most {max}{unit}.")),
            (None, None) => None,
        });
        if let Some(first) = formats.first() {
            sentences.push(format!("Written as `{}`.", example_of(first)));
        }
        if let Some(field) = excludes {
            sentences.push(format!("Not true together with `{}`.", field.as_str()));
        }
        if let Some(list) = offered {
            sentences.push(format!("One of the `{}` of the question.", list.as_str()));
        }
        if let Some(key) = distinct {
            sentences.push(format!("Each has another `{}`.", key.as_str()));
        }
        sentences
    }

    /// Adds the limit to the schema of its field.
    pub(super) fn restrict(&self, schema: &mut Json) {
        let LimitForm { min, max, values, .. } = &self.form;
        if !values.is_empty() {
            // `check` does not know the value of a placeholder.
            let mut all = vec![json!({"type": "string", "pattern": "\\$\\{"})];
            let is_open = |value: &&Spanned<String>| value.ends_with('*');
            let exact: Vec<&str> =
                values.iter().filter(|value| !is_open(value)).map(|value| value.as_str()).collect();
            if !exact.is_empty() {
                all.insert(0, json!({"enum": exact}));
            }
            for value in values.iter().filter(is_open) {
                let start = regex::escape(value.trim_end_matches('*'));
                all.push(json!({"type": "string", "pattern": format!("^{start}")}));
            }
            *schema = json!({"anyOf": all});
        }
        let bound = |form: &Option<SyntaxNode>| match form.as_ref().map(|node| &node.content) {
            Some(NodeContent::Int(bound)) => Some(*bound),
            _ => None,
        };
        let alternatives = match schema.get_mut("anyOf").and_then(Json::as_array_mut) {
            Some(all) => all.as_mut_slice(),
            None => std::slice::from_mut(schema),
        };
        for alternative in alternatives {
            let names = match alternative["type"].as_str() {
                Some("number" | "integer") => ["minimum", "maximum"],
                Some("array") => ["minItems", "maxItems"],
                _ => continue,
            };
            for (name, bound) in names.into_iter().zip([bound(min), bound(max)]) {
                if let Some(bound) = bound {
                    alternative[name] = bound.into();
                }
            }
        }
    }
}

/// Describes a bound: a number, or a field.
fn bound_about(node: &SyntaxNode) -> String {
    match node.as_text().map(|text| (text, text.strip_prefix(ASKED))) {
        Some((_, Some(field))) => format!("`{field}` of the question"),
        Some((field, None)) => format!("`{field}`"),
        None => node.to_json().to_string(),
    }
}
