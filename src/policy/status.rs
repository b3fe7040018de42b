//! Sets of HTTP statuses, written as `200`, `2xx` or `any`.

use std::fmt;

use serde::{Serialize, Serializer};

/// A set of HTTP statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet(Vec<StatusRange>);

/// A range of statuses, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StatusRange {
    low: u16,
    high: u16,
    /// Source, for messages: `2xx` rather than `200 to 299`.
    source: String,
}

/// A text that is not a status, a class of statuses or `any`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status such as `200`, a class such as `2xx`, or `any`")]
pub struct InvalidStatus(pub String);

impl StatusSet {
    /// Parses a set from its parts.
    pub fn parse<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidStatus> {
        parts.into_iter().map(range).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the statuses from 200 to 299.
    pub fn success() -> Self {
        Self(vec![StatusRange { low: 200, high: 299, source: "2xx".into() }])
    }

    /// Returns true if the set contains the status.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| (range.low..=range.high).contains(&status))
    }
}

fn range(text: &str) -> Result<StatusRange, InvalidStatus> {
    let invalid = || InvalidStatus(text.to_owned());
    let range = |low, high| StatusRange { low, high, source: text.to_owned() };
    if text == "any" {
        // HTTP parsers accept any three digits, so `any` must match more than the defined classes.
        return Ok(range(100, 999));
    }
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().map_err(|_| invalid())?;
        return match class {
            1..=5 => Ok(range(class * 100, class * 100 + 99)),
            _ => Err(invalid()),
        };
    }
    match text.parse() {
        Ok(status @ 100..=599) => Ok(range(status, status)),
        _ => Err(invalid()),
    }
}

impl Serialize for StatusSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.iter().map(|range| range.source.as_str()).collect();
        formatter.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_its_statuses_and_classes() {
        let set = StatusSet::parse(["2xx", "410"]).unwrap();
        assert!(set.contains(204) && set.contains(410) && !set.contains(500));
        assert_eq!(set.to_string(), "2xx, 410");
        assert!(StatusSet::parse(["any"]).unwrap().contains(500));
        let edges = |set: &StatusSet| [199, 200, 299, 300].map(|status| set.contains(status));
        for set in [StatusSet::success(), StatusSet::parse(["2xx"]).unwrap()] {
            assert_eq!(edges(&set), [false, true, true, false]);
        }
        for invalid in ["", "20", "600", "6xx", "xx", "2XX", "ok"] {
            assert!(StatusSet::parse([invalid]).is_err(), "{invalid}");
        }
    }
}
