//! Examples of operations: calls that succeed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::call::{ApiCall, CallBody};
use super::find::table_template;
use super::forms::ExampleForm;
use super::path_pattern::PathPattern;
use crate::diag::{Problem, Problems, SourceSpan, code};
use crate::template::{CompileContext, InputError, InputTemplate, Object, TextRules, TextTemplate};

/// URL of the API in examples: any.
const BASE: &str = "http://127.0.0.1";

/// The example of an operation, before it is rendered.
#[derive(Clone, Debug)]
pub struct CallExample {
    path: InputTemplate,
    query: InputTemplate,
    json: Option<InputTemplate>,
    /// Names of the arguments of a GraphQL field.
    pub(super) arguments: Vec<String>,
    /// The GraphQL query that takes the arguments as variables.
    pub(super) query_text: Option<String>,
    form: InputTemplate,
    headers: Vec<(String, TextTemplate)>,
    /// Claims of the tokens that it presents, by credential.
    claims: BTreeMap<String, Vec<(String, TextTemplate)>>,
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
    /// Body as a urlencoded form; empty for none.
    pub form: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
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
            None if !form.args.0.is_empty() => {
                Some(table_template(&form.args, &form.span, context, problems)?)
            }
            None => None,
        };
        let mut claims = BTreeMap::new();
        for (key, table) in form.claims.iter() {
            let own: &mut Vec<_> = claims.entry(key.name.clone()).or_default();
            for (name, text) in table.iter() {
                let text = TextTemplate::check(text, context, TextRules::default(), problems);
                own.extend(text.map(|text| (name.name.clone(), text)));
            }
        }
        let fields = table_template(&form.form, &form.span, context, problems);
        let mut headers = Vec::new();
        for (key, text) in form.header.iter() {
            let text = TextTemplate::check(text, context, TextRules::default(), problems);
            headers.extend(text.map(|text| (key.name.clone(), text)));
        }
        let span = form.span.clone();
        let arguments = form.args.iter().map(|(key, _)| key.name.clone()).collect();
        Some(Self {
            path: path?,
            query: query?,
            json,
            arguments,
            query_text: None,
            form: fields?,
            headers,
            claims,
            span,
        })
    }

    /// Returns the claims of the token that it presents for a credential; `None` for the default.
    pub(super) fn claims(&self, credential: &str, roots: &dyn Object) -> Option<Map<String, Json>> {
        let claims = self.claims.get(credential)?.iter();
        Some(claims.map(|(name, text)| (name.clone(), text.render(roots).into())).collect())
    }

    /// Renders the example for a path of its route.
    pub(super) fn render(
        &self,
        method: &str,
        path: Option<&PathPattern>,
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
        let (query, form) = (encoded(&table(&self.query)?), encoded(&table(&self.form)?));
        let json = self.json.as_ref().map(|json| json.render(roots)).transpose()?.flatten();
        let method = method.to_owned();
        let headers = self.headers.iter();
        let headers = headers.map(|(name, text)| (name.clone(), text.render(roots))).collect();
        let path = path.map(|path| path.fill(value)).unwrap_or_default();
        Ok(ExampleCall { method, path, query, json, form, headers })
    }
}

/// Checks the parameters of the path in an example. It is made for the first path of its route.
pub(super) fn check_path(form: &ExampleForm, paths: &[PathPattern], problems: &mut Problems) {
    let known: Vec<&str> = paths.iter().flat_map(PathPattern::parameters).collect();
    for (key, _) in form.path.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
        let message = format!("the path has no parameter `{}`", key.name);
        let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
        problems.push(problem.suggest_or_list(&key.name, known.iter().copied()));
    }
    let needed = paths.first().into_iter().flat_map(PathPattern::parameters);
    for name in needed.filter(|name| !form.path.contains(name)) {
        let message = format!("the example has no value for `{{{name}}}` of the path");
        let problem = Problem::at(&form.span, code::MISSING_KEY, message);
        problems.push(problem.help(format!("add `{name}` to `path` of the example")));
    }
}

impl ExampleCall {
    /// Returns the call as it arrives at this wall time, without credentials that it lacks.
    pub fn into_call(self, received_at: Timestamp) -> ApiCall {
        let Self { method, path, query, json, form, mut headers } = self;
        let mut body = CallBody::Whole(Vec::new());
        if let Some(json) = json {
            headers.push(("Content-Type".into(), "application/json".into()));
            body = CallBody::Whole(json.to_string().into_bytes());
        } else if !form.is_empty() {
            headers.push(("Content-Type".into(), "application/x-www-form-urlencoded".into()));
            body = CallBody::Whole(form.into_bytes());
        }
        let base = BASE.to_owned();
        ApiCall { method, path, query, base, headers, body, received_at }
    }
}

/// Returns values as they stand in a query or a form.
fn encoded(values: &Map<String, Json>) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in values {
        encoded.append_pair(name, &text_of(value));
    }
    encoded.finish()
}

/// Returns a value as it stands in a path or a query.
pub(super) fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
