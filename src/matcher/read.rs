//! Reads matchers from a file.

use regex::RegexBuilder;
use serde_json::{Number, Value as Json, json};

use super::condition::{Condition, Matcher, RegexPattern};
use crate::base::limits::MAX_REGEX;
use crate::diag::scalar::unexpected_type;
use crate::diag::{
    Form, NodeContent, NonEmpty, Problem, Problems, Scalar, Spanned, SyntaxNode, code,
};
use crate::form;

form! {
    /// Conditions on a value. All of them must hold.
    struct MatcherForm {
        /// Part of the text, or element of the list.
        contains: Option<SyntaxNode>,
        /// Regular expression that matches a part of the text.
        regex: Option<Spanned<String>>,
        /// Whether the value is missing or null.
        absent: Option<Spanned<bool>>,
        /// Values, one of which is equal.
        one_of: Option<NonEmpty<SyntaxNode>>,
        /// Number of characters, elements or keys.
        length: Option<Spanned<u64>>,
        /// Number that the value exceeds.
        gt: Option<Spanned<Bound>>,
        /// Number that the value is below.
        lt: Option<Spanned<Bound>>,
        /// Value or conditions that do not hold. A missing value meets this.
        not: Option<Inverted>,
    }
}

/// Conditions that must not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inverted(Matcher);

impl Form for Inverted {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        Matcher::read(node, problems).map(Self)
    }

    // One level only: the schema of a matcher would contain itself.
    fn schema() -> Json {
        json!({})
    }
}

/// A number of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound(Number);

impl Scalar for Bound {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        match node.to_json() {
            Json::Number(number) => Ok(Self(number)),
            _ => {
                let help = "a bound is a number without quotes: `{ gt = 5 }`";
                Err(unexpected_type(node, "a number").help(help))
            }
        }
    }

    fn schema() -> Json {
        json!({"type": "number"})
    }
}

impl Form for Matcher {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        if !matches!(node.content, NodeContent::Table(_)) {
            return Some(Self { conditions: vec![Condition::Equals(node.to_json())] });
        }
        let form = MatcherForm::read(node, problems)?;
        let before = problems.len();
        let conditions = form.conditions(problems);
        let has_entries = node.as_table().is_some_and(|table| !table.0.is_empty());
        if !has_entries {
            let problem = Problem::at(&node.span, code::EMPTY, "the matcher has no condition");
            problems.push(problem.help("for example `{ contains = \"text\" }`"));
        }
        (problems.len() == before).then_some(Self { conditions })
    }

    fn schema() -> Json {
        let table = MatcherForm::schema();
        json!({"anyOf": [{"type": ["string", "number", "boolean", "array"]}, table]})
    }
}

impl MatcherForm {
    fn conditions(self, problems: &mut Problems) -> Vec<Condition> {
        self.check_absent(problems);
        let json = |node: &SyntaxNode| node.to_json();
        let mut conditions = Vec::new();
        conditions.extend(self.contains.as_ref().map(|part| Condition::Contains(json(part))));
        let regex = self.regex.as_ref().and_then(|text| problems.note(compile(text)));
        conditions.extend(regex.map(Condition::Regex));
        conditions.extend(self.absent.map(|absent| Condition::Absent(absent.value)));
        let one_of = self.one_of.as_ref();
        conditions.extend(one_of.map(|all| Condition::OneOf(all.iter().map(json).collect())));
        conditions.extend(self.length.map(|length| Condition::Length(length.value)));
        conditions.extend(self.gt.map(|bound| Condition::GreaterThan(bound.value.0)));
        conditions.extend(self.lt.map(|bound| Condition::LessThan(bound.value.0)));
        conditions.extend(self.not.map(|inverted| Condition::Not(inverted.0)));
        conditions
    }

    /// Reports further conditions on a value that must be absent: none of them can hold.
    fn check_absent(&self, problems: &mut Problems) {
        let Some(absent) = self.absent.as_ref().filter(|absent| absent.value) else { return };
        let spans = [
            self.contains.as_ref().map(|node| &node.span),
            self.regex.as_ref().map(|text| &text.span),
            self.one_of.as_ref().and_then(|all| all.first()).map(|node| &node.span),
            self.length.as_ref().map(|length| &length.span),
            self.gt.as_ref().map(|bound| &bound.span),
            self.lt.as_ref().map(|bound| &bound.span),
        ];
        if let Some(span) = spans.into_iter().flatten().next() {
            let message = "a value that is absent meets no other condition";
            let problem = Problem::at(span, code::CONTRADICTION, message);
            problems.push(
                problem.also(&absent.span, "absent here").help("remove `absent` or the condition"),
            );
        }
    }
}

fn compile(text: &Spanned<String>) -> Result<RegexPattern, Problem> {
    let compiled = RegexBuilder::new(text).size_limit(MAX_REGEX).build();
    compiled.map(RegexPattern).map_err(|error| {
        let (message, help) = match error {
            regex::Error::CompiledTooBig(_) => (
                format!("the regular expression needs more than {} KiB", MAX_REGEX / 1024),
                "use smaller repetition counts",
            ),
            // The last line is the reason. The lines before it repeat the expression.
            error => (
                format!("invalid regular expression: {}", reason(&error.to_string())),
                "in TOML, write regular expressions in single quotes: `'\\d+'`. Lookaround and \
                 backreferences are not supported",
            ),
        };
        Problem::at(&text.span, code::INVALID_REGEX, message).help(help)
    })
}

fn reason(error: &str) -> &str {
    let last = error.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last)
}
