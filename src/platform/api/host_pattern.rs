//! Host names at which a vendor serves its API.

use std::fmt;

use crate::diag::{Problem, Problems, Spanned, code};

/// A host name, or `*.` and a domain for every name directly below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(String);

impl HostPattern {
    /// Checks a host name of `[api]`.
    pub(super) fn check(text: &Spanned<String>, problems: &mut Problems) -> Option<Self> {
        let name = text.value.strip_prefix("*.").unwrap_or(&text.value);
        let is_label = |label: &str| {
            let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            (1..=63).contains(&label.len())
                && label.chars().all(is_inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // One label would be a whole top-level domain, or a name of this machine.
        let is_valid =
            name.len() <= 253 && name.split('.').count() >= 2 && name.split('.').all(is_label);
        if is_valid {
            return Some(Self(text.value.clone()));
        }
        let message = format!("`{}` is not a host name", text.value);
        let problem = Problem::at(&text.span, code::INVALID_ROUTE, message);
        problems.push(problem.help(
            "write a name in lower case without scheme and port, such as `api.acme.example` or \
             `*.acme.example`",
        ));
        None
    }

    /// Returns whether a host name, in lower case, is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(domain) => host
                .strip_suffix(domain)
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            None => host == self.0,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;

    fn checked(text: &str) -> Option<HostPattern> {
        let span = Source::new("api.toml", text).span(0..text.len());
        HostPattern::check(&Spanned { value: text.to_owned(), span }, &mut Problems::new())
    }

    #[test]
    fn a_pattern_covers_one_label_as_in_certificates() {
        let pattern = checked("*.acme.example").unwrap();
        assert!(pattern.matches("va.acme.example"));
        for other in ["acme.example", "a.b.acme.example", ".acme.example", "va.acme.example.test"] {
            assert!(!pattern.matches(other), "{other}");
        }
        assert!(checked("api.acme.example").unwrap().matches("api.acme.example"));
    }

    #[test]
    fn names_with_a_scheme_a_port_or_one_label_are_not_valid() {
        for text in
            ["", "com", "*.com", "https://a.example", "a.example:1", "A.example", "a..b", "*"]
        {
            assert_eq!(checked(text), None, "{text}");
        }
    }
}
