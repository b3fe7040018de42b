//! Reads the bodies of requests: JSON and files, of limited size, within limited time.

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, web};
use futures_util::Stream;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::ApiError;
use crate::base::limits::{BODY_TIMEOUT, MAX_API_REQUEST, MAX_ATTACHMENT};
use crate::diag::{Problems, Source, SyntaxNode, json};
use crate::server::live::LiveError;
use crate::server::request_body::{UnreadBody, read_body};

/// Reads a JSON body into a type. An empty body is an empty object.
pub(super) async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<T, ApiError> {
    let bytes = bytes(request, payload).await?;
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let pointer = pointer(error.path());
        ApiError::invalid(error.into_inner().to_string()).pointer(pointer)
    })?;
    parser.end().map_err(|error| ApiError::invalid(error.to_string()))?;
    Ok(value)
}

/// Reads a JSON body as a document, whose problems have pointers.
pub(super) async fn document(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<SyntaxNode, ApiError> {
    let bytes = bytes(request, payload).await?;
    let text = String::from_utf8(bytes)
        .map_err(|error| ApiError::invalid(format!("the body is not UTF-8: {error}")))?;
    // The parser of documents is recursive; serde_json limits the depth.
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    match json::parse(&Source::new("the request", text)) {
        (Some(node), problems) if problems.is_empty() => Ok(node),
        (_, problems) => Err(invalid(problems)),
    }
}

fn invalid(problems: Problems) -> ApiError {
    LiveError::from(problems).into()
}

async fn bytes(request: &HttpRequest, payload: web::Payload) -> Result<Vec<u8>, ApiError> {
    refuse_encoding(request)?;
    let body = collect_in_time(payload, MAX_API_REQUEST).await?;
    // Without a body, no type is needed. Browsers cannot send this type to other sites.
    if has_type(request, "application/json") || body.is_empty() {
        return Ok(body);
    }
    Err(unsupported("the body must be JSON").hint("send `Content-Type: application/json`"))
}

/// Returns the maximum size of the body of a request, which depends on its type.
pub(super) fn most(request: &HttpRequest) -> usize {
    if has_type(request, UPLOAD) { MAX_ATTACHMENT } else { MAX_API_REQUEST }
}

/// Media type of an upload.
// Browsers cannot send this type to other sites, like that of JSON.
const UPLOAD: &str = "application/octet-stream";

/// Reads the body of an upload: bytes of any kind.
pub(super) async fn file(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Vec<u8>, ApiError> {
    refuse_encoding(request)?;
    if !has_type(request, UPLOAD) {
        let error = unsupported("the body must be the content of the file");
        return Err(error.hint("send `Content-Type: application/octet-stream`"));
    }
    collect_in_time(payload, MAX_ATTACHMENT).await
}

fn unsupported(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
}

fn header<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn has_type(request: &HttpRequest, expected: &str) -> bool {
    let value = header(request, &CONTENT_TYPE).and_then(|value| value.split(';').next());
    value.is_some_and(|name| name.trim() == expected)
}

fn refuse_encoding(request: &HttpRequest) -> Result<(), ApiError> {
    match header(request, &CONTENT_ENCODING) {
        None | Some("identity") => Ok(()),
        Some(_) => Err(unsupported("compressed requests are not supported")),
    }
}

/// Collects a body of limited size within limited time.
pub(super) async fn collect_in_time(
    payload: impl Stream<Item = Result<web::Bytes, PayloadError>> + Unpin,
    most: usize,
) -> Result<Vec<u8>, ApiError> {
    let Ok(read) = timeout(BODY_TIMEOUT, read_body(payload, most)).await else {
        let message = format!("the body did not arrive within {BODY_TIMEOUT:?}");
        return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", message));
    };
    read.map_err(|error| match error {
        UnreadBody::Broken(error) => ApiError::invalid(error.to_string()),
        UnreadBody::TooLarge => {
            let message = format!("the body has more than {most} bytes");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
        }
        UnreadBody::NoMemory => {
            let message = "other requests with large bodies are being read";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
                .hint("send the request again later")
        }
    })
}

/// Returns the JSON pointer of a path.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let segment = |segment: &serde_path_to_error::Segment| match segment {
        serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
        // The place of a syntax error is in the message.
        serde_path_to_error::Segment::Unknown => String::new(),
        other => format!("/{}", other.to_string().replace('~', "~0").replace('/', "~1")),
    };
    path.iter().map(segment).collect()
}
