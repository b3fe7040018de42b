//! Sets of HTTP statuses, as people write them: `200`, `2xx`, `any`.

use std::fmt;

/// A set of statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet(Vec<StatusRange>);

/// From this status to that one, both included, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StatusRange(u16, u16, String);

/// A text that is no set of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status such as `200`, a class such as `2xx`, or `any`")]
pub struct InvalidStatus(pub String);

impl StatusSet {
    /// Reads a set from its parts.
    pub fn parse<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidStatus> {
        parts.into_iter().map(range).collect::<Result<_, _>>().map(Self)
    }

    /// Every status from 200 to 299.
    pub fn good() -> Self {
        Self(vec![StatusRange(200, 299, "2xx".into())])
    }

    /// Whether the status is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|StatusRange(from, to, _)| (*from..=*to).contains(&status))
    }
}

fn range(text: &str) -> Result<StatusRange, InvalidStatus> {
    let wrong = || InvalidStatus(text.to_owned());
    if text == "any" {
        return Ok(StatusRange(100, 999, text.into()));
    }
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().map_err(|_| wrong())?;
        return match class {
            1..=5 => Ok(StatusRange(class * 100, class * 100 + 99, text.into())),
            _ => Err(wrong()),
        };
    }
    match text.parse() {
        Ok(status @ 100..=599) => Ok(StatusRange(status, status, text.into())),
        _ => Err(wrong()),
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.iter().map(|range| range.2.as_str()).collect();
        formatter.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_asked() {
        let set = StatusSet::parse(["2xx", "410"]).unwrap();
        assert!(set.contains(204) && set.contains(410) && !set.contains(500));
        assert_eq!(set.to_string(), "2xx, 410");
        assert!(StatusSet::parse(["any"]).unwrap().contains(500));
        let edges = |set: &StatusSet| [199, 200, 299, 300].map(|status| set.contains(status));
        for good in [StatusSet::good(), StatusSet::parse(["2xx"]).unwrap()] {
            assert_eq!(edges(&good), [false, true, true, false]);
        }
        for wrong in ["", "20", "600", "6xx", "xx", "2XX", "ok"] {
            assert!(StatusSet::parse([wrong]).is_err(), "{wrong}");
        }
    }
}
