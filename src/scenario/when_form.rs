//! The table `when` of a step.

use serde_json::{Value as Json, json};

use crate::diag::scalar::unexpected_type;
use crate::diag::{Form, Key, Problem, Problems, SourceSpan, SyntaxNode, code};
use crate::matcher::Matcher;

/// The roots of the values that a condition can be about.
const ROOTS: [&str; 2] = ["captured", "vars"];

/// Conditions as they are written: the path of each value, such as `vars.plan`, and its matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionsForm {
    pub(super) conditions: Vec<(Key, Matcher)>,
    pub(super) node: SyntaxNode,
}

impl ConditionsForm {
    /// Returns the names of the captured values, with their places.
    pub(super) fn captured(&self) -> impl Iterator<Item = (&str, &SourceSpan)> {
        self.conditions
            .iter()
            .filter_map(|(key, _)| Some((key.name.strip_prefix("captured.")?, &key.span)))
    }
}

impl Form for ConditionsForm {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let Some(table) = node.as_table() else {
            let problem = unexpected_type(node, "a table");
            problems.push(problem.help("for example `when = { \"vars.plan\" = \"gold\" }`"));
            return None;
        };
        if table.0.is_empty() {
            let problem = Problem::at(&node.span, code::EMPTY, "`when` has no condition");
            problems.push(problem.help("for example `when = { \"vars.plan\" = \"gold\" }`"));
        }
        let mut conditions = Vec::new();
        for (key, value) in &table.0 {
            match value.as_table().filter(|_| ROOTS.contains(&key.name.as_str())) {
                // Without quotes, `vars.plan` is a table in a table.
                Some(values) => conditions.extend(values.0.iter().map(|(name, value)| {
                    let path = format!("{}.{}", key.name, name.name);
                    (Key { name: path, span: name.span.clone() }, value)
                })),
                None => conditions.push((key.clone(), value)),
            }
        }
        let read = |(key, value)| Some((key, Matcher::read(value, problems)?));
        let conditions = conditions.into_iter().filter_map(read).collect();
        Some(Self { conditions, node: node.clone() })
    }

    fn schema() -> Json {
        let by_name = json!({"type": "object", "additionalProperties": Matcher::schema()});
        json!({
            "type": "object",
            "minProperties": 1,
            "properties": {"captured": by_name, "vars": by_name},
            "patternProperties": {"^(captured|vars)\\.": Matcher::schema()},
            "additionalProperties": false,
        })
    }
}
