//! The one shape of errors of the control API.

use actix_web::http::StatusCode;
use actix_web::http::header::WWW_AUTHENTICATE;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::diag::{NodeContent, Problem, Problems, SourceSpan, SyntaxNode};
use crate::server::live::LiveError;

/// An error of the control API.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", body.message)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// Stable code.
    code: &'static str,
    /// What is wrong, and what was expected.
    message: String,
    /// JSON pointer to the value in the request.
    pointer: Option<String>,
    /// How to fix it.
    hint: Option<String>,
    /// All problems of a scenario or of actions.
    problems: Vec<ApiProblem>,
}

/// A problem of a scenario or of actions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ApiProblem {
    /// Stable code, which `standin check --explain` explains.
    code: String,
    /// What is wrong, and what was expected.
    message: String,
    /// JSON pointer to the value in the request.
    pointer: Option<String>,
    /// Line in the scenario, from 1.
    line: Option<usize>,
    /// Column in the line, from 1.
    column: Option<usize>,
    /// How to fix it.
    hint: Option<String>,
}

/// The envelope of an error.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorResponse {
    /// What is wrong.
    error: ErrorBody,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let body = ErrorBody { code, message: message.into(), ..ErrorBody::default() };
        Self { status, body: Box::new(body) }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.body.hint = Some(hint.into());
        self
    }

    pub(super) fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.body.pointer = Some(pointer.into());
        self
    }

    /// An error about problems of a scenario.
    fn of_problems(problems: Problems, root: Option<&SyntaxNode>) -> Self {
        let problems: Vec<ApiProblem> =
            problems.sorted().iter().map(|problem| ApiProblem::of(problem, root)).collect();
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", "");
        if let Some(first) = problems.first() {
            error.body.message.clone_from(&first.message);
            error.body.pointer.clone_from(&first.pointer);
            error.body.hint.clone_from(&first.hint);
        }
        error.body.problems = problems;
        error
    }

    /// An error of the live server about a JSON document.
    pub(super) fn about(error: LiveError, root: &SyntaxNode) -> Self {
        match error {
            LiveError::Invalid(problems) => Self::of_problems(problems, Some(root)),
            other => other.into(),
        }
    }

    /// The response.
    pub(super) fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        // The rest of the request may be unread, so that the connection cannot be used again.
        if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&self.status) {
            response.force_close();
        }
        response.json(ErrorResponse { error: ErrorBody::clone(&self.body) })
    }
}

/// The server ended while it worked on a request.
pub(super) fn interrupted() -> ApiError {
    let message = "the server is about to end";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
}

impl ApiProblem {
    /// Describes a problem. With `root`, its place is in that document, else in a scenario.
    pub(super) fn of(problem: &Problem, root: Option<&SyntaxNode>) -> Self {
        let span = problem.span.as_ref();
        let place = span.filter(|_| root.is_none()).map(SourceSpan::line_column);
        let pointer = root.and_then(|root| pointer_to(root, span?.range.start));
        Self {
            code: problem.code.to_string(),
            message: problem.message.clone(),
            pointer,
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            hint: problem.help.clone(),
        }
    }
}

/// Returns the JSON pointer to the innermost value at a byte offset, or to that of the key there.
fn pointer_to(node: &SyntaxNode, at: usize) -> Option<String> {
    let child = match &node.content {
        NodeContent::Table(table) => table.0.iter().find_map(|(key, value)| {
            let name = key.name.replace('~', "~0").replace('/', "~1");
            let is_key = key.span.range.contains(&at);
            let inner = pointer_to(value, at).or_else(|| is_key.then(String::new))?;
            Some(format!("/{name}{inner}"))
        }),
        NodeContent::List(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(format!("/{index}{}", pointer_to(item, at)?))),
        _ => None,
    };
    child.or_else(|| node.span.range.contains(&at).then(String::new))
}

impl From<LiveError> for ApiError {
    fn from(error: LiveError) -> Self {
        let with_help = |error: Self, help: Option<String>| match help {
            Some(help) => error.hint(help),
            None => error,
        };
        match error {
            LiveError::Unknown { message, help } => with_help(Self::not_found(message), help),
            LiveError::Invalid(problems) => Self::of_problems(problems, None),
            LiveError::Conflict { message, help } => {
                with_help(Self::new(StatusCode::CONFLICT, "conflict", message), help)
            }
            LiveError::Unavailable { message, help } => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                with_help(Self::new(status, "unavailable", message), help)
            }
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

/// A handler that only fails.
impl actix_web::Responder for ApiError {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        self.response()
    }
}
