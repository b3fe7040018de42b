//! Examples of operations: calls that succeed.

use serde_json::{Map, Value as Json};

use super::find::table_template;
use super::forms::ExampleForm;
use super::path_pattern::PathPattern;
use crate::diag::{Problems, SourceSpan};
use crate::template::{CompileContext, InputError, InputTemplate, Object};

/// The example of an operation, before it is rendered.
#[derive(Clone, Debug)]
pub struct CallExample {
    path: InputTemplate,
    query: InputTemplate,
    json: Option<InputTemplate>,
    /// Where the file has it.
    pub span: SourceSpan,
}

/// A rendered example.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleCall {
    /// HTTP method.
    pub method: String,
    /// Path, with its percent-encoding.
    pub path: String,
    /// Query without `?`; empty if the URL has no query.
    pub query: String,
    /// JSON body.
    pub json: Option<Json>,
}

impl CallExample {
    pub(super) fn check(
        form: &ExampleForm,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let path = table_template(&form.path, &form.span, context, problems);
        let query = table_template(&form.query, &form.span, context, problems);
        let json = match &form.json {
            Some(node) => Some(InputTemplate::check(node, context, problems)?),
            None => None,
        };
        Some(Self { path: path?, query: query?, json, span: form.span.clone() })
    }

    /// Renders the example for a path of its route.
    pub(super) fn render(
        &self,
        method: &str,
        path: &PathPattern,
        roots: &dyn Object,
    ) -> Result<ExampleCall, InputError> {
        let table = |template: &InputTemplate| -> Result<Map<String, Json>, InputError> {
            Ok(match template.render(roots)? {
                Some(Json::Object(table)) => table,
                _ => Map::new(),
            })
        };
        let parameters = table(&self.path)?;
        let value = |name: &str| parameters.get(name).map(text_of).unwrap_or_default();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &table(&self.query)? {
            query.append_pair(name, &text_of(value));
        }
        let json = self.json.as_ref().map(|json| json.render(roots)).transpose()?.flatten();
        let method = method.to_owned();
        Ok(ExampleCall { method, path: path.fill(value), query: query.finish(), json })
    }
}

/// Returns a value as it stands in a path or a query.
fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
