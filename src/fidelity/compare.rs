//! Comparing shapes: the same keys in the same order, the same types, empty where empty.

use std::fmt;

use serde_json::{Map, Value as Json};

/// One way in which a body has not the shape that is documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What is different.
    pub told: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.pointer, self.told)
    }
}

/// Every way in which what is sent has not the shape of what is documented. Lists are compared
/// element by element.
pub fn compare(documented: &Json, sent: &Json) -> Vec<Difference> {
    let mut differences = Vec::new();
    descend("", documented, sent, &mut differences);
    differences
}

fn descend(pointer: &str, documented: &Json, sent: &Json, out: &mut Vec<Difference>) {
    let mut differ = |told: String| out.push(Difference { pointer: pointer.to_owned(), told });
    if kind(documented) != kind(sent) {
        return differ(format!("{}, where {} is documented", kind(sent), kind(documented)));
    }
    match (documented, sent) {
        (Json::Object(documented), Json::Object(sent)) => {
            if let Some(told) = keys(documented, sent) {
                differ(told);
            }
            for (key, documented) in documented {
                if let Some(sent) = sent.get(key) {
                    descend(&format!("{pointer}/{key}"), documented, sent, out);
                }
            }
        }
        (Json::Array(documented), Json::Array(sent)) => {
            if documented.len() != sent.len() {
                differ(format!(
                    "{} elements, where {} are documented",
                    sent.len(),
                    documented.len()
                ));
            }
            for (at, (documented, sent)) in documented.iter().zip(sent).enumerate() {
                descend(&format!("{pointer}/{at}"), documented, sent, out);
            }
        }
        _ => {}
    }
}

/// What a value is, as far as a shape goes.
fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(number) if number.is_f64() => "a fraction",
        Json::Number(_) => "a whole number",
        Json::String(text) if text.is_empty() => "an empty text",
        Json::String(_) => "a text",
        Json::Array(items) if items.is_empty() => "an empty list",
        Json::Array(_) => "a list",
        Json::Object(table) if table.is_empty() => "an empty table",
        Json::Object(_) => "a table",
    }
}

/// How the keys of two tables differ, if they do.
fn keys(documented: &Map<String, Json>, sent: &Map<String, Json>) -> Option<String> {
    let list = |keys: Vec<&String>| {
        keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
    };
    let missing: Vec<_> = documented.keys().filter(|key| !sent.contains_key(*key)).collect();
    let more: Vec<_> = sent.keys().filter(|key| !documented.contains_key(*key)).collect();
    if !missing.is_empty() {
        return Some(format!("without {}", list(missing)));
    }
    if !more.is_empty() {
        return Some(format!("with {}, which is not documented", list(more)));
    }
    (!documented.keys().eq(sent.keys())).then(|| {
        let order = list(documented.keys().collect());
        format!("the keys in another order than {order}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_differ_by_keys_order_type_and_emptiness() {
        let told = |documented, sent| -> Vec<String> {
            compare(&documented, &sent).iter().map(ToString::to_string).collect()
        };
        assert_eq!(told(json!({"a": 1, "b": ["x"]}), json!({"a": 2, "b": ["y"]})), [""; 0]);
        assert_eq!(told(json!({"a": 1, "b": 2}), json!({"b": 1})), [": without `a`"]);
        assert_eq!(
            told(json!({"a": 1}), json!({"a": 1, "b": 2}))[0],
            ": with `b`, which is not documented"
        );
        assert_eq!(told(json!({"a": 1, "b": 2}), json!({"b": 1, "a": 2})).len(), 1);
        assert_eq!(
            told(json!([{"a": ""}]), json!([{"a": "x"}]))[0],
            "/0/a: a text, where an empty text is documented"
        );
        assert_eq!(
            told(json!([1.5]), json!([1])),
            ["/0: a whole number, where a fraction is documented"]
        );
        assert_eq!(told(json!([1]), json!([1, 2])), [": 2 elements, where 1 are documented"]);
        assert_eq!(told(json!([null, [], {}]), json!(["", [1], {"a": 1}])).len(), 3);
    }
}
