//! Responses of the API: status, headers and body.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::call_match::CallMatchers;
use super::condition::CallCondition;
use super::find::file_table;
use super::forms::ReplyForm;
use crate::base::limits::HANG;
use crate::diag::{Key, NodeContent, Problem, Problems, SyntaxNode, Table, code};
use crate::platform::context::TemplateContext;
use crate::template::{
    CompileContext, Field, FieldType, InputTemplate, JsonStyle, JsonTemplate, Object, TableType,
    TextRules, TextTemplate, TooLarge, compile,
};

/// A response to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Wall time before the response.
    pub delay: Option<Duration>,
}

impl ApiResponse {
    /// Returns a response with a status only.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: None }
    }

    /// Returns the response with this JSON in place of its body.
    #[must_use]
    pub fn with_json(mut self, body: Vec<u8>) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        let media_type = "application/json; charset=utf-8";
        self.headers.push(("Content-Type".to_owned(), media_type.to_owned()));
        Self { body, ..self }
    }
}

/// A response before it is rendered.
#[derive(Clone, Debug)]
pub struct ResponseRule {
    status: u16,
    headers: Vec<(String, TextTemplate)>,
    with: InputTemplate,
    body: BodyTemplate,
    delay: Option<Duration>,
}

#[derive(Clone, Debug)]
enum BodyTemplate {
    Json(JsonTemplate),
    Text(TextTemplate),
    /// The file of this name.
    File(String),
    Empty,
}

/// A response to calls that fail.
#[derive(Clone, Debug)]
pub struct ErrorRule {
    pub(super) when: ErrorTrigger,
    /// The response.
    pub response: ResponseRule,
}

/// When an error rule applies.
#[derive(Clone, Debug)]
pub(super) enum ErrorTrigger {
    /// Under one of these conditions.
    Conditions(Vec<CallCondition>),
    /// If the matchers hold.
    Matchers(CallMatchers),
}

impl ErrorRule {
    /// Returns true if the rule is about this condition.
    pub fn covers(&self, condition: &CallCondition) -> bool {
        match &self.when {
            ErrorTrigger::Conditions(all) => all.iter().any(|known| known.covers(condition)),
            ErrorTrigger::Matchers(_) => false,
        }
    }

    /// Describes when the rule applies.
    pub(super) fn describe(&self) -> String {
        match &self.when {
            ErrorTrigger::Conditions(all) => {
                all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            ErrorTrigger::Matchers(_) => "a call that meets a condition of the vendor".to_owned(),
        }
    }

    /// Returns the matchers of the rule, if it has some.
    pub fn matchers(&self) -> Option<&CallMatchers> {
        match &self.when {
            ErrorTrigger::Conditions(_) => None,
            ErrorTrigger::Matchers(matchers) => Some(matchers),
        }
    }
}

/// Checks responses.
pub(super) struct ResponseChecker<'a> {
    pub(super) context: CompileContext<'a>,
    pub(super) style: JsonStyle,
    pub(super) problems: &'a mut Problems,
}

impl ResponseChecker<'_> {
    pub(super) fn check(&mut self, form: &ReplyForm) -> Option<ResponseRule> {
        let status = form.status.as_ref().map_or(200, |status| status.value);
        let status = u16::try_from(status).ok().filter(|status| (200..600).contains(status));
        if let (None, Some(found)) = (status, &form.status) {
            let message = format!("the status must be from 200 to 599, found {}", found.value);
            self.problems.push(Problem::at(&found.span, code::OUT_OF_RANGE, message));
        }
        let with = self.with(form);
        let with_type = FieldType::table(TableType::new("the values", with_fields(form)));
        let outer = self.context.root.clone();
        let mut headers = Vec::new();
        for (key, text) in form.header.iter() {
            let rules = TextRules::default();
            let text = TextTemplate::check(text, &self.context, rules, self.problems);
            headers.extend(text.map(|text| (key.name.clone(), text)));
        }
        self.context.root = outer.clone().always("with", with_type);
        let body = self.body(form);
        self.context.root = outer;
        let delay = self.delay(form);
        Some(ResponseRule { status: status?, headers, with: with?, body: body?, delay })
    }

    fn delay(&mut self, form: &ReplyForm) -> Option<Duration> {
        let hangs = form.hang.as_ref().is_some_and(|hang| hang.value);
        if let (true, Some(delay)) = (hangs, &form.delay) {
            let message = "a call that never gets a response has no `delay`";
            let problem = Problem::at(&delay.span, code::CONTRADICTION, message);
            self.problems.push(problem.help("remove `delay` or `hang`"));
        }
        if hangs { Some(HANG) } else { form.delay.as_ref().map(|delay| delay.value.unsigned_abs()) }
    }

    fn with(&mut self, form: &ReplyForm) -> Option<InputTemplate> {
        let content = NodeContent::Table(Table(form.with.entries()));
        let node = SyntaxNode { span: form.span.clone(), content };
        InputTemplate::check(&node, &self.context, self.problems)
    }

    fn body(&mut self, form: &ReplyForm) -> Option<BodyTemplate> {
        let given = [form.json.is_some(), form.template.is_some()];
        let others = [form.text.is_some(), form.file.is_some()];
        if given.into_iter().chain(others).filter(|is_there| *is_there).count() > 1 {
            let message = "a response has at most one of `json`, `template`, `text` and `file`";
            let problem = Problem::at(&form.span, code::CONTRADICTION, message);
            self.problems.push(problem.help("keep the one that is the body"));
            return None;
        }
        if let Some(text) = &form.text {
            let rules = TextRules::default();
            return TextTemplate::check(text, &self.context, rules, self.problems)
                .map(BodyTemplate::Text);
        }
        if let Some(name) = &form.file {
            let file = FieldType::table(file_table());
            let is_file = self.context.root.get(name).is_some_and(|root| root.field_type == file);
            if !is_file {
                let message = format!("unknown file `{}`", name.value);
                let problem = Problem::at(&name.span, code::UNKNOWN_PATH, message);
                self.problems.push(problem.help("`find` gives files their names"));
            }
            return is_file.then(|| BodyTemplate::File(name.value.clone()));
        }
        if let Some(node) = &form.json {
            return compile(node, &self.context, self.style, self.problems).map(BodyTemplate::Json);
        }
        let Some(name) = &form.template else { return Some(BodyTemplate::Empty) };
        let Some(node) = (self.context.files)(name) else {
            let message = format!("unknown template `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_TEMPLATE, message);
            let help = "the path is relative to the vendor's folder";
            self.problems.push(problem.help(help));
            return None;
        };
        compile(&node, &self.context, self.style, self.problems).map(BodyTemplate::Json)
    }
}

/// Returns the types of the values for a template.
fn with_fields(form: &ReplyForm) -> Vec<Field> {
    let field = |(key, node): (&Key, &SyntaxNode)| {
        let json = node.to_json();
        let has_hole = json.to_string().contains("${");
        let field_type = if has_hole { FieldType::Any } else { FieldType::of_json(&json) };
        Field::always(&key.name, field_type)
    };
    form.with.iter().map(field).collect()
}

impl ResponseRule {
    /// Returns the status.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Returns the media type of the body, unless a header says another; `None` for an empty body.
    pub(super) fn media_type(&self) -> Option<&'static str> {
        match self.body {
            BodyTemplate::Json(_) => Some("application/json"),
            BodyTemplate::Text(_) => Some("text/plain; charset=utf-8"),
            BodyTemplate::File(_) => Some("application/octet-stream"),
            BodyTemplate::Empty => None,
        }
    }

    /// Returns the media type of the body, with the headers of every response; `None` for an empty body.
    pub(super) fn sent_media_type(
        &self,
        shared: &[(String, TextTemplate)],
        roots: &dyn Object,
    ) -> Option<String> {
        let media_type = self.media_type()?;
        // The file has its own media type.
        let mut headers = self.headers.iter().chain(shared).filter(|_| self.file().is_none());
        let own = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        Some(own.map_or_else(|| media_type.to_owned(), |(_, text)| text.render(roots)))
    }

    /// Returns the name of the file that is the body.
    pub fn file(&self) -> Option<&str> {
        match &self.body {
            BodyTemplate::File(name) => Some(name),
            _ => None,
        }
    }

    /// Renders the response. `shared` are the headers of every response.
    pub fn render(
        &self,
        roots: &TemplateContext<'_>,
        shared: &[(String, TextTemplate)],
    ) -> Result<ApiResponse, TooLarge> {
        let with = match self.with.render(roots) {
            Ok(Some(Json::Object(with))) => with,
            _ => Map::new(),
        };
        let roots = roots.clone().with("with", &with);
        let body = match &self.body {
            BodyTemplate::Json(template) => template.render(&roots)?,
            BodyTemplate::Text(template) => template.render(&roots),
            BodyTemplate::File(_) | BodyTemplate::Empty => String::new(),
        };
        // The file has its own media type.
        let media_type = self.media_type().filter(|_| self.file().is_none());
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in self.headers.iter().chain(shared) {
            if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                headers.push((name.clone(), value.render(&roots)));
            }
        }
        let has_type = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(media_type) = media_type.filter(|_| !has_type) {
            headers.push(("Content-Type".to_owned(), media_type.to_owned()));
        }
        Ok(ApiResponse { status: self.status, headers, body: body.into_bytes(), delay: self.delay })
    }
}
