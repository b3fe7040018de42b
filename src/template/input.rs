//! Templates of input: values that are read from a request, and that it may lack.
//!
//! A path without `?` and without a default is required: rendering fails if it has no value. A path
//! with `?` leaves the value out. What a branch of `$if` requires is required only where the branch is taken.

use serde_json::Value as Json;

use super::compile::compile_value;
use super::context::CompileContext;
use super::expr::{self, Expr, ExprScope, PresenceRule, RenderFrame};
use super::json_style::JsonStyle;
use super::json_template::{JsonTemplate, RequiredValue, TooLarge};
use super::placeholder::parse_bare;
use super::value::{Object, Value};
use crate::diag::{Problems, SourceSpan, SyntaxNode};

/// A compiled template of a value that can be absent.
#[derive(Clone, Debug, PartialEq)]
pub struct InputTemplate {
    template: JsonTemplate,
    required: Box<[RequiredValue]>,
    optional: bool,
}

/// Why a value cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A required value is missing.
    #[error("`{0}` has no value")]
    Missing(String),
    /// The value is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl InputTemplate {
    /// Compiles the template of a value.
    pub fn check(
        node: &SyntaxNode,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let scope = ExprScope { presence: PresenceRule::Required, ..ExprScope::default() };
        let compiled = compile_value(scope, node, context, JsonStyle::COMPACT, problems)?;
        let required = compiled.required.into();
        Some(Self { template: compiled.template, required, optional: compiled.optional })
    }

    /// Returns true if the value can be absent without an error.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// Returns true if rendering fails without some value.
    pub fn has_required(&self) -> bool {
        !self.required.is_empty()
    }

    /// Renders the value; `None` if it is absent.
    pub fn render(&self, root: &dyn Object) -> Result<Option<Json>, InputError> {
        let frame = RenderFrame::new(root);
        if let Some(missing) = self.required.iter().find(|value| value.is_missing(&frame)) {
            return Err(InputError::Missing(missing.expr.path(&[])));
        }
        let text = self.template.render(root)?;
        // An absent value writes nothing, which is not JSON.
        Ok(serde_json::from_str(&text).ok())
    }
}

/// A path to a value that may be absent.
#[derive(Clone, Debug, PartialEq)]
pub struct ValuePath(Expr);

impl ValuePath {
    /// Checks a path with filters, without `${` and `}`.
    pub fn check(
        text: &str,
        span: &SourceSpan,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let placeholder = parse_bare(text, span, problems)?;
        let scope = ExprScope { presence: PresenceRule::Ignored, ..ExprScope::default() };
        expr::check(&placeholder, context, &scope, problems).map(|checked| Self(checked.expr))
    }

    /// Returns the value; `None` if it is absent. An object of the model is an empty table.
    pub fn value(&self, root: &dyn Object) -> Option<Json> {
        match self.0.value(&RenderFrame::new(root)) {
            Value::Absent => None,
            Value::Object(_) => Some(Json::Object(serde_json::Map::new())),
            value => Some(value.into_json()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::diag::{Source, toml};
    use crate::template::{FieldType, TableType};

    fn render(template: &str, input: &Json) -> Result<Option<Json>, InputError> {
        let mut problems = Problems::new();
        let (node, _) = toml::parse(&Source::new("t.toml", format!("value = {template}")));
        let words = BTreeMap::new();
        let root = TableType::new("roots", Vec::new()).always("call", FieldType::Any);
        let context = CompileContext::without_files(root, &words);
        let node = node.as_table().unwrap().get("value").unwrap().clone();
        let template = InputTemplate::check(&node, &context, &mut problems).unwrap();
        let root: serde_json::Map<String, Json> =
            [("call".to_owned(), input.clone())].into_iter().collect();
        template.render(&root)
    }

    #[test]
    fn values_are_required_optional_or_have_a_default() {
        let input = json!({"a": 1, "n": null});
        assert_eq!(render("'${call.a}'", &input), Ok(Some(json!(1))));
        assert_eq!(render("'${call.b?}'", &input), Ok(None));
        assert_eq!(render("'${call.b | or:2}'", &input), Ok(Some(json!(2))));
        assert_eq!(
            render("{ x = '${call.b?}', y = '${call.a}' }", &input),
            Ok(Some(json!({"y": 1})))
        );
        let chosen = |path: &str| {
            let branch =
                "{ '$if' = 'call.a', '$is' = 1, '$then' = '${call.PATH}', '$else' = '${call.b}' }";
            render(&branch.replace("PATH", path), &input)
        };
        assert_eq!(chosen("a"), Ok(Some(json!(1))), "the other branch is not taken");
        assert_eq!(chosen("b"), Err(InputError::Missing("call.b".to_owned())));
        for missing in ["b", "n"] {
            let error = InputError::Missing(format!("call.{missing}"));
            assert_eq!(render(&format!("{{ x = '<${{call.{missing}}}>' }}"), &input), Err(error));
        }
    }
}
