//! Comparison of JSON values.

use std::cmp::Ordering;

use serde_json::{Number, Value as Json};

/// Compares two numbers by value: `1`, `1.0` and `1e0` are equal. `None` if one is too large.
pub(super) fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    let whole = |number: &Number| number.to_string().parse::<i128>().ok();
    match (whole(one), whole(other)) {
        // Not as floating-point numbers, which confuse large ids.
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// Returns whether two values are equal. Numbers are compared by value, and the order of keys does
/// not matter.
pub(super) fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            one == other || compare(one, other) == Some(Ordering::Equal)
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            let has_same = |(key, value): (&String, &Json)| {
                other.get(key).is_some_and(|other| is_same(value, other))
            };
            one.len() == other.len() && one.iter().all(has_same)
        }
        _ => one == other,
    }
}

/// Returns the length of a value: characters, elements or keys.
pub(super) fn length(value: &Json) -> Option<usize> {
    match value {
        Json::String(text) => Some(text.chars().count()),
        Json::Array(items) => Some(items.len()),
        Json::Object(table) => Some(table.len()),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}
