//! Compares the structure of JSON documents: keys and their order, types, and emptiness.
//!
//! Values do not count, but an empty text, list or object differs from one with content: a receiver
//! may treat them differently.

use std::fmt;

use serde_json::{Map, Value as Json};

/// A structural difference between a sent body and the documented one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Location as a JSON pointer.
    pub pointer: String,
    /// Description of the difference.
    pub message: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.pointer, self.message)
    }
}

/// Returns all structural differences. Lists are compared element by element.
pub fn compare(documented: &Json, sent: &Json) -> Vec<Difference> {
    let mut differences = Vec::new();
    descend("", documented, sent, &mut differences);
    differences
}

fn descend(pointer: &str, documented: &Json, sent: &Json, out: &mut Vec<Difference>) {
    let mut differ =
        |message: String| out.push(Difference { pointer: pointer.to_owned(), message });
    if kind(documented) != kind(sent) {
        return differ(format!("found {}, documented is {}", kind(sent), kind(documented)));
    }
    match (documented, sent) {
        (Json::Object(documented), Json::Object(sent)) => {
            if let Some(message) = keys(documented, sent) {
                differ(message);
            }
            for (key, documented) in documented {
                if let Some(sent) = sent.get(key) {
                    descend(&format!("{pointer}/{key}"), documented, sent, out);
                }
            }
        }
        (Json::Array(documented), Json::Array(sent)) => {
            // A sample shows how many elements its scenario causes, so the number counts.
            if documented.len() != sent.len() {
                differ(format!(
                    "found {} elements, documented are {}",
                    sent.len(),
                    documented.len()
                ));
            }
            for (index, (documented, sent)) in documented.iter().zip(sent).enumerate() {
                descend(&format!("{pointer}/{index}"), documented, sent, out);
            }
        }
        _ => {}
    }
}

/// Names the structural type of a value.
fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        // Typed languages parse integers and fractions into different types.
        Json::Number(number) if number.is_f64() => "a fraction",
        Json::Number(_) => "an integer",
        Json::String(text) if text.is_empty() => "an empty string",
        Json::String(_) => "a string",
        Json::Array(items) if items.is_empty() => "an empty list",
        Json::Array(_) => "a list",
        Json::Object(table) if table.is_empty() => "an empty object",
        Json::Object(_) => "an object",
    }
}

/// Describes how the keys of two objects differ. Missing keys hide the other differences.
fn keys(documented: &Map<String, Json>, sent: &Map<String, Json>) -> Option<String> {
    let list = |keys: Vec<&String>| {
        keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
    };
    let missing: Vec<_> = documented.keys().filter(|key| !sent.contains_key(*key)).collect();
    let extra: Vec<_> = sent.keys().filter(|key| !documented.contains_key(*key)).collect();
    if !missing.is_empty() {
        return Some(format!("missing {}", list(missing)));
    }
    if !extra.is_empty() {
        return Some(format!("undocumented {}", list(extra)));
    }
    (!documented.keys().eq(sent.keys())).then(|| {
        let order = list(documented.keys().collect());
        format!("different key order, documented is {order}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn structures_differ_by_keys_order_type_and_emptiness() {
        let differences = |documented, sent| -> Vec<String> {
            compare(&documented, &sent).iter().map(ToString::to_string).collect()
        };
        assert_eq!(differences(json!({"a": 1, "b": ["x"]}), json!({"a": 2, "b": ["y"]})), [""; 0]);
        assert_eq!(differences(json!({"a": 1, "b": 2}), json!({"b": 1})), [": missing `a`"]);
        assert_eq!(differences(json!({"a": 1}), json!({"a": 1, "b": 2}))[0], ": undocumented `b`");
        assert_eq!(differences(json!({"a": 1, "b": 2}), json!({"b": 1, "a": 2})).len(), 1);
        assert_eq!(
            differences(json!([{"a": ""}]), json!([{"a": "x"}]))[0],
            "/0/a: found a string, documented is an empty string"
        );
        assert_eq!(
            differences(json!([1.5]), json!([1])),
            ["/0: found an integer, documented is a fraction"]
        );
        assert_eq!(
            differences(json!([1]), json!([1, 2])),
            [": found 2 elements, documented are 1"]
        );
        assert_eq!(differences(json!([null, [], {}]), json!(["", [1], {"a": 1}])).len(), 3);
    }
}
