//! Checks `eventually` and `request`, and prepares them for execution.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use url::Url;

use super::capture::Capture;
use super::expectation_form::{EventuallyForm, RequestForm};
use super::matcher_texts::MatcherTexts;
use super::request_expectation::{RequestPlan, ResponseCheck, TargetPlan};
use super::text::Texts;
use super::want::{check_status, check_want, check_within};
use crate::config::{check_header_name, check_header_value};
use crate::diag::{Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code};
use crate::matcher::ResponseMatcher;
use crate::policy::StatusSet;
use crate::record::Method;
use crate::template::TextTemplate;

/// Time that `eventually` waits without `within`.
const DEFAULT_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// Checks what a scenario requires of the receiver's own API.
pub(super) struct ExpectationChecker<'a> {
    pub(super) texts: &'a Texts,
    /// The origins that the operator granted.
    pub(super) origins: &'a [Url],
    pub(super) problems: &'a mut Problems,
}

impl ExpectationChecker<'_> {
    pub(super) fn eventually(
        &mut self,
        form: &EventuallyForm,
        captures: Vec<Capture>,
        declared: Json,
    ) -> Option<RequestPlan> {
        let status = form.status.as_ref().and_then(|status| check_status(status, self.problems));
        let within = check_within(form.within.as_ref(), self.problems).unwrap_or(DEFAULT_WITHIN);
        let body = form.body.as_ref();
        let texts = self.matcher_texts(body.map(|body| &body.node));
        let body = body.map(|body| body.form.clone()).unwrap_or_default();
        let response = ResponseMatcher { body, ..ResponseMatcher::default() };
        let status = status.unwrap_or_else(StatusSet::success);
        let target = self.target(&form.get);
        let headers = self.headers(&form.headers);
        Some(RequestPlan {
            key: "eventually",
            method: Method::Get,
            target: target?,
            headers,
            json: None,
            within: Some(within),
            check: Arc::new(ResponseCheck { status, response, texts, captures }),
            declared,
        })
    }

    pub(super) fn request(
        &mut self,
        form: &RequestForm,
        captures: Vec<Capture>,
        declared: Json,
    ) -> Option<RequestPlan> {
        let target = self.method(form);
        let target = target.map(|(method, target)| (method, self.target(target)));
        let headers = self.headers(&form.headers);
        let want = form.want.as_ref().map(|want| check_want(want, self.problems));
        let texts = self.matcher_texts(form.want.as_ref().map(|want| &want.node));
        if let Some(attempts) = form.want.as_ref().and_then(|want| want.attempts()) {
            let message = "a request is sent once, so `attempts` has no effect";
            let problem = Problem::at(attempts, code::CONTRADICTION, message);
            self.problems.push(problem.help("remove it, or use `eventually`"));
        }
        let json = form
            .json
            .as_ref()
            .map(|json| self.texts.compile_data(&json.entries(), &form.span, self.problems));
        let (status, response) = want.map(|want| (want.status, want.response)).unwrap_or_default();
        let status = status.unwrap_or_else(StatusSet::success);
        let (method, target) = target?;
        Some(RequestPlan {
            key: "request",
            method,
            target: target?,
            headers,
            json: match json {
                Some(json) => Some(json?),
                None => None,
            },
            within: None,
            check: Arc::new(ResponseCheck { status, response, texts, captures }),
            declared,
        })
    }

    /// Compiles the texts of matchers that have placeholders.
    fn matcher_texts(&mut self, matchers: Option<&SyntaxNode>) -> MatcherTexts {
        let compile = |node| MatcherTexts::compile(node, self.texts, self.problems);
        matchers.and_then(compile).unwrap_or_default()
    }

    /// Returns the only method of a request, with its path or URL.
    fn method<'a>(&mut self, form: &'a RequestForm) -> Option<(Method, &'a Spanned<String>)> {
        let methods = [
            (Method::Get, &form.get),
            (Method::Post, &form.post),
            (Method::Put, &form.put),
            (Method::Patch, &form.patch),
            (Method::Delete, &form.delete),
        ];
        let mut named =
            methods.into_iter().filter_map(|(method, path)| Some((method, path.as_ref()?)));
        match (named.next(), named.next()) {
            (Some(only), None) => Some(only),
            (Some((_, first)), Some((_, second))) => {
                let message = "a request has exactly one method";
                let problem = Problem::at(&second.span, code::CONTRADICTION, message);
                let problem = problem.also(&first.span, "first method");
                self.problems.push(problem.help("move it to a separate step"));
                None
            }
            (None, _) => {
                let message = "the request has no method";
                let problem = Problem::at(&form.span, code::MISSING_KEY, message);
                self.problems.push(problem.help("for example `request = { post = \"/start\" }`"));
                None
            }
        }
    }

    fn headers(&mut self, headers: &TableOf<Spanned<String>>) -> Vec<(String, TextTemplate)> {
        let mut checked = Vec::new();
        for (key, value) in headers.iter() {
            self.problems.note(check_header_name(&key.name).map_err(|message| {
                let problem = Problem::at(&key.span, code::INVALID_HEADER, message);
                problem.help("write the name alone, such as `Authorization`")
            }));
            if !value.contains("${") {
                self.problems.note(check_header_value(&value.value, &value.span));
            }
            let value = self.texts.compile_text(value, self.problems);
            checked.extend(value.map(|value| (key.name.clone(), value)));
        }
        checked
    }

    /// Checks a path below the receiver's origin, or a URL whose origin is granted.
    fn target(&mut self, text: &Spanned<String>) -> Option<TargetPlan> {
        let (origin, path) = match split(text) {
            Ok(parts) => parts,
            Err(message) => {
                let problem = Problem::at(&text.span, code::INVALID_URL, message);
                self.problems.push(problem.help(
                    "write a path such as `/orders/1`, or a URL such as \
                     `http://localhost:8080/orders/1`",
                ));
                return None;
            }
        };
        if let Some(origin) = &origin
            && !self.origins.iter().any(|granted| granted.origin() == origin.origin())
        {
            self.problems.push(not_granted(origin, &text.span));
        }
        let path = Spanned { value: path, span: text.span.clone() };
        let path = self.texts.compile_text(&path, self.problems)?;
        Some(TargetPlan { origin, path })
    }
}

/// Splits a path or URL into the origin, which no placeholder can change, and the path.
fn split(text: &str) -> Result<(Option<Url>, String), String> {
    if text.starts_with('/') {
        return match text.as_bytes().get(1) {
            Some(b'/' | b'\\') => Err(format!("`{text}` names another host")),
            _ => Ok((None, text.to_owned())),
        };
    }
    let scheme = ["http://", "https://"].into_iter().find(|scheme| text.starts_with(scheme));
    let Some(scheme) = scheme else {
        return Err(format!("`{text}` is neither a path nor an `http` or `https` URL"));
    };
    let rest = &text[scheme.len()..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if host.contains("${") {
        return Err("the host of a URL cannot have a placeholder".to_owned());
    }
    // A backslash counts as a slash in browsers, and a user name hides the host from readers.
    if host.contains(['@', '\\']) {
        return Err(format!("`{host}` is not the name of a host"));
    }
    let origin = Url::parse(&format!("{scheme}{host}/"));
    let origin = origin.map_err(|error| format!("`{host}` is not the name of a host: {error}"))?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((Some(origin), path))
}

fn not_granted(origin: &Url, span: &SourceSpan) -> Problem {
    let origin = origin.origin().ascii_serialization();
    let message = format!("this file may not send requests to `{origin}`");
    Problem::at(span, code::ORIGIN_NOT_GRANTED, message).help(format!(
        "allow it with `--allow-origin {origin}`, or with `allow_origin` in the configuration. A path \
         such as `/orders/1` belongs to the receiver"
    ))
}

/// Returns a step as it is written, for the identity of a run.
pub(super) fn declared(key: &str, node: &Json, captures: &[Capture]) -> Json {
    let captures: Vec<Json> = captures
        .iter()
        .map(|capture| json!([capture.name, capture.pointer, capture.example]))
        .collect();
    json!({key: node, "capture": captures})
}
