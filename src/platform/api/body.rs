//! Bodies of calls: how each protocol reads them.

use futures_util::{FutureExt as _, stream};
use multer::Multipart;
use serde_json::{Map, Value as Json};

use super::call::{ApiCall, CallBody};
use super::condition::{CallCondition, CallError};
use super::forms::BodyProtocol;
use crate::base::limits::MAX_CALL_BODY;

/// Maximum number of elements of a batch: each is a separate call.
const MAX_BATCH: usize = 100;

/// The body of a call, read by a protocol.
#[derive(Clone, Debug, Default)]
pub struct ParsedBody {
    /// What templates see as `call.body`.
    pub json: Json,
    /// The elements of a batch, each with its own response.
    pub batch: Option<Vec<Json>>,
    /// The file that the call transfers.
    pub file: Option<CallFile>,
}

/// A file that a call transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFile {
    /// Media type, as the call states it.
    pub media_type: Option<String>,
    /// Content.
    pub bytes: Vec<u8>,
}

/// A part of a multipart body.
struct Part {
    name: String,
    is_file: bool,
    file: CallFile,
}

/// Reads the body of a call.
pub fn parse_body(protocol: BodyProtocol, call: &ApiCall) -> Result<ParsedBody, CallError> {
    let upgrade = call.header("upgrade").unwrap_or_default();
    // Before the body, which such a call leaves open.
    if protocol == BodyProtocol::Graphql && upgrade.eq_ignore_ascii_case("websocket") {
        return Err(bad("subscriptions over WebSocket are not served: only queries and mutations"));
    }
    let bytes = match &call.body {
        CallBody::Whole(bytes) => bytes,
        CallBody::TooLarge => {
            let message = "the body is larger than the limit";
            return Err(CallError::new(CallCondition::too_large(), message));
        }
        CallBody::Incomplete => return Err(bad("the end of the body did not arrive")),
    };
    // Only files can be larger.
    if protocol != BodyProtocol::File && bytes.len() > MAX_CALL_BODY {
        let message = "the body is larger than the limit";
        return Err(CallError::new(CallCondition::too_large(), message));
    }
    let of = |json| ParsedBody { json, ..ParsedBody::default() };
    match protocol {
        BodyProtocol::None => Ok(ParsedBody::default()),
        BodyProtocol::Json => json(bytes).map(of),
        BodyProtocol::JsonBatch => batch(bytes),
        BodyProtocol::Form => form(call, bytes).map(of),
        BodyProtocol::File => file(call, bytes),
        BodyProtocol::Graphql => graphql(call, bytes).map(of),
    }
}

/// Returns the parameters of the query and the body together. A parameter of the body replaces one of the query.
pub fn parameters(call: &ApiCall, body: &Json) -> Map<String, Json> {
    let query = call.query_pairs().into_iter().map(|(name, value)| (name, value.into()));
    let mut params: Map<String, Json> = query.collect();
    params.extend(body.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    params
}

fn bad(message: impl Into<String>) -> CallError {
    CallError::new(CallCondition::bad_body(), message)
}

fn json(bytes: &[u8]) -> Result<Json, CallError> {
    serde_json::from_slice(bytes).map_err(|error| bad(format!("the body is not JSON: {error}")))
}

/// Reads a GraphQL request: a JSON document, or the parameters of the query of a GET.
fn graphql(call: &ApiCall, bytes: &[u8]) -> Result<Json, CallError> {
    if call.method != "GET" {
        return json(bytes);
    }
    let pairs = call.query_pairs().into_iter();
    Ok(Json::Object(pairs.map(|(name, value)| (name, value.into())).collect()))
}

fn batch(bytes: &[u8]) -> Result<ParsedBody, CallError> {
    let json = json(bytes)?;
    let elements = match &json {
        Json::Array(elements) if elements.is_empty() => return Err(bad("the list is empty")),
        Json::Array(elements) if elements.len() > MAX_BATCH => {
            return Err(bad(format!("the list has more than {MAX_BATCH} elements")));
        }
        Json::Array(elements) => elements.clone(),
        _ => return Err(bad("the body is not a list")),
    };
    Ok(ParsedBody { json, batch: Some(elements), file: None })
}

/// Reads a form: urlencoded, multipart, a JSON object, or nothing, whatever the call says that it is.
// Clients send an empty or urlencoded body as JSON, and the other way round.
fn form(call: &ApiCall, bytes: &[u8]) -> Result<Json, CallError> {
    if let Some(parts) = multipart(call, bytes)? {
        let fields = parts.into_iter().filter(|part| !part.is_file);
        let text =
            |part: Part| (part.name, String::from_utf8_lossy(&part.file.bytes).into_owned().into());
        return Ok(Json::Object(fields.map(text).collect()));
    }
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => Ok(Json::Object(Map::new())),
        Some(b'{') => json(bytes),
        Some(_) if std::str::from_utf8(bytes).is_err() => Err(bad("the body is not a form")),
        Some(_) => {
            let pairs = url::form_urlencoded::parse(bytes).into_owned();
            Ok(Json::Object(pairs.map(|(name, value)| (name, value.into())).collect()))
        }
    }
}

/// Reads a file: the body itself, or the first file of a multipart form.
fn file(call: &ApiCall, bytes: &[u8]) -> Result<ParsedBody, CallError> {
    let file = match multipart(call, bytes)? {
        Some(parts) => {
            let file = parts.into_iter().find(|part| part.is_file).map(|part| part.file);
            file.ok_or_else(|| bad("the form has no file"))?
        }
        None => CallFile {
            media_type: call.header("content-type").map(str::to_owned),
            bytes: bytes.to_vec(),
        },
    };
    Ok(ParsedBody { json: Json::Null, batch: None, file: Some(file) })
}

/// Returns the parts of a multipart body; `None` for another body.
fn multipart(call: &ApiCall, bytes: &[u8]) -> Result<Option<Vec<Part>>, CallError> {
    let content_type = call.header("content-type").unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(content_type) else { return Ok(None) };
    let whole = stream::iter([Ok::<_, std::io::Error>(bytes.to_vec())]);
    // The stream never waits, so that the future is ready at once.
    let parts = parts(Multipart::new(whole, boundary)).now_or_never();
    match parts {
        Some(Ok(parts)) => Ok(Some(parts)),
        Some(Err(error)) => Err(bad(format!("the multipart body is not valid: {error}"))),
        None => Err(bad("the multipart body is not complete")),
    }
}

async fn parts(mut multipart: Multipart<'_>) -> Result<Vec<Part>, multer::Error> {
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field.file_name().is_some();
        let media_type = field.content_type().map(ToString::to_string);
        let bytes = field.bytes().await?.to_vec();
        parts.push(Part { name, is_file, file: CallFile { media_type, bytes } });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn call(content_type: &str, body: &str) -> ApiCall {
        ApiCall {
            method: "POST".into(),
            path: "/".into(),
            query: "a=1&b=2".into(),
            base: String::new(),
            headers: vec![("Content-Type".into(), content_type.into())],
            body: CallBody::Whole(body.into()),
            received_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_form_is_read_whatever_the_call_says_that_it_is() {
        let form = |content_type: &str, body: &str| {
            parse_body(BodyProtocol::Form, &call(content_type, body)).map(|body| body.json)
        };
        let urlencoded = "application/x-www-form-urlencoded";
        for content_type in [urlencoded, "application/json", ""] {
            assert_eq!(form(content_type, "x=1&y=a%20b").unwrap(), json!({"x": "1", "y": "a b"}));
            assert_eq!(form(content_type, r#"{"x":1}"#).unwrap(), json!({"x": 1}));
            assert_eq!(form(content_type, " ").unwrap(), json!({}));
            assert!(form(content_type, "{x").is_err());
        }
        let multipart = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--\r\n";
        assert_eq!(form("multipart/form-data; boundary=b", multipart).unwrap(), json!({"x": "1"}));
        assert!(form("multipart/form-data; boundary=b", "--b\r\n").is_err());
        assert_eq!(
            Json::Object(parameters(&call(urlencoded, ""), &json!({"b": "body"}))),
            json!({"a": "1", "b": "body"})
        );
    }

    #[test]
    fn a_file_is_the_body_or_the_first_file_of_a_form() {
        let file = |content_type: &str, body: &str| {
            let parsed = parse_body(BodyProtocol::File, &call(content_type, body));
            parsed.map(|body| body.file.unwrap())
        };
        let plain = file("image/png", "bytes").unwrap();
        assert_eq!(
            (plain.media_type.as_deref(), &*plain.bytes),
            (Some("image/png"), &b"bytes"[..])
        );
        let form = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.gif\"\r\n\
                    Content-Type: image/gif\r\n\r\nGIF\r\n--b--\r\n";
        let part = file("multipart/form-data; boundary=b", form).unwrap();
        assert_eq!((part.media_type.as_deref(), &*part.bytes), (Some("image/gif"), &b"GIF"[..]));
    }

    #[test]
    fn a_batch_is_a_list_with_elements() {
        let batch = |body: &str| parse_body(BodyProtocol::JsonBatch, &call("", body));
        assert_eq!(batch("[1,{}]").unwrap().batch.unwrap(), [json!(1), json!({})]);
        let long = format!("[{}0]", "0,".repeat(MAX_BATCH));
        for body in ["[]", "{}", "", &long] {
            assert!(batch(body).is_err(), "{body}");
        }
    }
}
