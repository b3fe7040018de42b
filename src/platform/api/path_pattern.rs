//! Paths of routes: segments that are literal, or parameters.

use std::fmt;

use crate::diag::{Problem, Problems, Spanned, code};
use crate::template::{Field, FieldType};

/// A path whose segments can be parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern {
    text: String,
    segments: Vec<PathSegment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PathSegment {
    Literal(String),
    Parameter {
        name: String,
        /// Values that it can have; any if there are none.
        values: Vec<String>,
    },
}

impl PathPattern {
    pub(super) fn check(text: &Spanned<String>, problems: &mut Problems) -> Option<Self> {
        let invalid = |message: &str| {
            let message = format!("invalid path `{}`: {message}", text.value);
            let help = "a path starts with `/`; `{name}` is a segment that can have any value, \
                        `{name=one|two}` one of these";
            Problem::at(&text.span, code::INVALID_ROUTE, message).help(help)
        };
        let Some(path) = text.strip_prefix('/') else {
            problems.push(invalid("it does not start with `/`"));
            return None;
        };
        let mut segments: Vec<PathSegment> = Vec::new();
        for segment in path.split('/') {
            let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let (name, values) = match inner.and_then(|inner| inner.split_once('=')) {
                Some((name, values)) => {
                    (Some(name), values.split('|').map(str::to_owned).collect())
                }
                None => (inner, Vec::new()),
            };
            let is_name = |name: &str| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            let parsed = match name {
                Some(name) if is_name(name) && !values.iter().any(String::is_empty) => {
                    PathSegment::Parameter { name: name.to_owned(), values }
                }
                None if !segment.contains(['{', '}', '?', '#', '%']) => {
                    PathSegment::Literal(segment.to_owned())
                }
                _ => {
                    problems.push(invalid(&format!("`{segment}` is not a segment")));
                    return None;
                }
            };
            let is_known = parsed.parameter().is_some_and(|name| {
                segments.iter().any(|segment| segment.parameter() == Some(name))
            });
            if is_known {
                problems.push(invalid(&format!("`{segment}` stands in it twice")));
                return None;
            }
            segments.push(parsed);
        }
        Some(Self { text: text.value.clone(), segments })
    }

    /// Returns the names of the parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(PathSegment::parameter)
    }

    /// Returns the values that a parameter can have; none if it can have any.
    pub(super) fn values(&self, parameter: &str) -> &[String] {
        let values = self.segments.iter().find_map(|segment| match segment {
            PathSegment::Parameter { name, values } if name == parameter => Some(values.as_slice()),
            _ => None,
        });
        values.unwrap_or_default()
    }

    /// Returns the path without the values of its parameters, as `OpenAPI` writes it.
    pub(super) fn plain(&self) -> String {
        let segment = |segment: &PathSegment| match segment {
            PathSegment::Literal(literal) => format!("/{literal}"),
            PathSegment::Parameter { name, .. } => format!("/{{{name}}}"),
        };
        self.segments.iter().map(segment).collect()
    }

    /// Returns the parameters of a path, decoded; `None` if it does not match.
    pub(super) fn matches(&self, path: &[String]) -> Option<Vec<(String, String)>> {
        if path.len() != self.segments.len() {
            return None;
        }
        let mut parameters = Vec::new();
        for (segment, text) in self.segments.iter().zip(path) {
            match segment {
                PathSegment::Literal(literal) if literal == text => {}
                PathSegment::Parameter { name, values }
                    if !text.is_empty() && (values.is_empty() || values.contains(text)) =>
                {
                    parameters.push((name.clone(), text.clone()));
                }
                _ => return None,
            }
        }
        Some(parameters)
    }

    /// Returns the path with the segments of a call in place of its parameters, for comparison.
    pub(super) fn like(&self, path: &[String]) -> String {
        let segment = |(index, segment): (usize, &PathSegment)| match segment {
            PathSegment::Literal(literal) => format!("/{literal}"),
            PathSegment::Parameter { name, .. } => {
                format!("/{}", path.get(index).map_or(name.as_str(), String::as_str))
            }
        };
        self.segments.iter().enumerate().map(segment).collect()
    }

    /// Returns the path with values in place of its parameters.
    pub(super) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let segment = |segment: &PathSegment| match segment {
            PathSegment::Literal(literal) => format!("/{literal}"),
            PathSegment::Parameter { name, .. } => {
                let value: String =
                    url::form_urlencoded::byte_serialize(value(name).as_bytes()).collect();
                // A plus sign means a space in a query only.
                format!("/{}", value.replace('+', "%20"))
            }
        };
        self.segments.iter().map(segment).collect()
    }
}

impl PathSegment {
    /// Returns the name of a parameter.
    fn parameter(&self) -> Option<&str> {
        match self {
            Self::Parameter { name, .. } => Some(name),
            Self::Literal(_) => None,
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Returns the types of the parameters of a route: those that some of its paths lack are optional.
pub(super) fn parameter_fields(paths: &[PathPattern]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for name in paths.iter().flat_map(PathPattern::parameters) {
        if fields.iter().all(|field| field.name != name) {
            let everywhere = paths.iter().all(|path| path.parameters().any(|other| other == name));
            let field_type = FieldType::Text;
            fields.push(Field { name: name.to_owned(), field_type, optional: !everywhere });
        }
    }
    fields
}

/// Returns the decoded segments of a path.
pub(super) fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(decode).collect()
}

/// Decodes the percent-encoding of a segment. Invalid UTF-8 is replaced.
fn decode(segment: &str) -> String {
    // The decoder of forms also replaces plus signs, which are literal in a path.
    let text = format!("v={}", segment.replace('+', "%2B").replace('&', "%26"));
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.next().map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;

    fn pattern(text: &str) -> Option<PathPattern> {
        let span = Source::new("t", text).span(0..text.len());
        let mut problems = Problems::new();
        PathPattern::check(&Spanned { value: text.into(), span }, &mut problems)
    }

    #[test]
    fn parameters_are_decoded_segments() {
        let pattern = pattern("/v1/{account}/chat/{id}").unwrap();
        let matches = |path: &str| pattern.matches(&segments(path));
        let found = matches("/v1/7/chat/a%2Fb+c%20d&e").unwrap();
        let expected = [("account", "7"), ("id", "a/b+c d&e")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for other in ["/v1/7/chat", "/v1/7/chat/", "/v1//chat/1", "/v2/7/chat/1", "/v1/7/chat/1/"] {
            assert_eq!(matches(other), None, "{other}");
        }
        assert_eq!(pattern.fill(|name| format!("{name} /")), "/v1/account%20%2F/chat/id%20%2F");
    }

    #[test]
    fn a_parameter_can_have_a_list_of_values() {
        let pattern = pattern("/{service=idp|swift}/{x}").unwrap();
        assert!(pattern.matches(&segments("/idp/1")).is_some());
        assert!(pattern.matches(&segments("/IDP/1")).is_none());
        assert_eq!((pattern.plain().as_str(), pattern.values("x").len()), ("/{service}/{x}", 0));
    }

    #[test]
    fn invalid_paths_are_refused() {
        for path in ["/{a=}", "/{a}/{a=b}", "v1", "/{", "/{a}/{a}", "/{a b}", "/x?y", "/a{b}"] {
            assert_eq!(pattern(path), None, "{path}");
        }
    }
}
