//! Calls of the receiver to the vendor's API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::call_content::{
    RecordedResponse, mask_query, named_secrets, request_headers, size_of_headers,
};
use crate::base::redact::Redactor;
use crate::base::secret::{MIN_SECRET, Secret};

crate::string_enum! {
    /// Whether a call presented the credentials that its route needs.
    pub enum CallAuth {
        /// The route needs none, or there is no route.
        NotNeeded = "not_needed",
        /// All are valid.
        Valid = "valid",
        /// One is missing.
        Missing = "missing",
        /// One is not valid.
        Invalid = "invalid",
        /// One is accepted without being verified.
        NotVerified = "not_verified",
    }
}

/// A call of the receiver to the vendor's API, with its response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Number among the calls of the account, from 1.
    pub number: u64,
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Query without `?`; empty if the URL has no query.
    pub query: String,
    /// Number among the elements of a batch, from 1.
    pub element: Option<usize>,
    /// Name of the route; `None` if no route covers the call.
    pub route: Option<String>,
    /// The most similar route of a call that no route covers, as method and path.
    pub nearest: Option<String>,
    /// Name of the operation, if one matches.
    pub operation: Option<String>,
    /// Vendor-neutral name of the call, such as `send_message`.
    pub call: Option<String>,
    /// Whether it presented valid credentials.
    pub auth: CallAuth,
    /// Whether its operation changes something at the vendor.
    #[serde(default)]
    pub acts: bool,
    /// Status of the response.
    pub status: u16,
    /// The condition under which it failed, such as `unknown.conversation`.
    pub error: Option<String>,
    /// Description of the error.
    pub why: Option<String>,
    /// What the vendor accepts although it is a mistake.
    pub warnings: Vec<String>,
    /// Arguments that it gives and its operation does not read: of the body as `doc.name`, of the query as
    /// `?name`.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// Named values of the call.
    pub fields: Map<String, Json>,
    /// Request headers by name, up to the size limit, without credentials.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The parsed body; null if it is missing, ignored or cannot be parsed.
    pub body: Json,
    /// The headers and the body of the response. `None` if a separate record follows, because the
    /// response waits for the conversation. For a GraphQL field and an element of a batch, the body is its
    /// part of the response.
    #[serde(default)]
    pub response: Option<Box<RecordedResponse>>,
}

/// The response to a call that waited for its conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettledCall {
    /// Number of the call.
    pub call: u64,
    /// Status of the response.
    pub status: u16,
    /// Its headers and its body.
    pub response: RecordedResponse,
}

/// The secrets of a call.
#[derive(Clone, Copy)]
pub struct CallSecrets<'a> {
    /// Pointers to secrets in the request body.
    pub pointers: &'a [String],
    /// Names of the parameters that are credentials.
    pub names: &'a [String],
    /// The credentials that the call presents or that it is issued.
    pub texts: &'a [&'a str],
}

/// A response as it is sent.
#[derive(Clone, Copy)]
pub struct SentContent<'a> {
    /// Headers, in order.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// What replaces a secret of a call.
const REDACTED: &str = "${call.secret}";

impl CallRecord {
    /// Returns whether its response is an error.
    pub fn has_failed(&self) -> bool {
        !(200..400).contains(&self.status)
    }

    /// Returns whether it changes something or fails. Other calls log in, or only read.
    pub fn is_noteworthy(&self) -> bool {
        self.acts || self.has_failed()
    }

    /// Describes it in a few words, such as `send_message (call 3)`.
    pub fn short_description(&self) -> String {
        let name = self.call.clone().unwrap_or_else(|| format!("{} {}", self.method, self.path));
        format!("{name} (call {})", self.number)
    }

    /// Returns the record without the HTTP messages, for scripts, which do not look at them.
    #[must_use]
    pub fn without_content(self) -> Self {
        Self { headers: Vec::new(), response: None, ..self }
    }

    /// Returns the approximate size of the texts in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        // The body was parsed; its text is about as long.
        let body = if self.body.is_null() { 0 } else { self.body.to_string().len() };
        let response = self.response.as_ref().map_or(0, |response| response.size());
        self.path.len() + self.query.len() + size_of_headers(&self.headers) + body + response
    }

    /// Adds the response, and replaces secrets, wherever they stand. Credentials in the response are
    /// found by the names of their keys, too.
    pub fn complete(&mut self, secrets: CallSecrets<'_>, sent: SentContent<'_>) {
        let own = self.take_secrets(secrets);
        let sent_json = serde_json::from_slice(sent.body).unwrap_or_default();
        let all = own.iter().cloned().chain(named_secrets(&sent_json));
        self.response =
            Some(Box::new(RecordedResponse::new(sent.headers, sent.body, &redactor(all))));
        self.headers = request_headers(&self.headers, REDACTED);
        let redactor = redactor(own.into_iter());
        let texts = [&mut self.path, &mut self.query].into_iter().chain(&mut self.why);
        let headers = self.headers.iter_mut().map(|(_, value)| value);
        let texts = texts.chain(&mut self.warnings).chain(&mut self.ignored).chain(headers);
        texts.for_each(|text| {
            redactor.redact(text);
        });
        mask_query(&mut self.query, REDACTED);
        let mut fields = Json::Object(std::mem::take(&mut self.fields));
        for json in [&mut self.body, &mut fields] {
            redactor.redact_json(json);
        }
        if let Json::Object(fields) = fields {
            self.fields = fields;
        }
    }

    /// Takes the secrets out of the body and the query. Returns them.
    fn take_secrets(&mut self, known: CallSecrets<'_>) -> Vec<Secret> {
        let CallSecrets { pointers, names, texts } = known;
        let mut secrets: Vec<Secret> =
            texts.iter().map(|text| Secret::private((*text).to_owned())).collect();
        for pointer in pointers {
            let steps: Vec<&str> = pointer.split('/').skip(1).collect();
            take_secrets(&mut self.body, &steps, &mut secrets);
        }
        for name in names {
            if let Some(value) = self.body.as_object_mut().and_then(|body| body.get_mut(name)) {
                *value = REDACTED.into();
            }
        }
        // An operation names its secrets.
        if self.operation.is_none() {
            secrets.extend(named_secrets(&self.body));
        }
        mask_parameters(&mut self.query, names);
        // A shorter text would be replaced everywhere.
        secrets.retain(|secret| secret.expose().len() >= MIN_SECRET);
        secrets
    }
}

fn redactor(secrets: impl Iterator<Item = Secret>) -> Redactor {
    let secrets: Vec<Secret> = secrets.collect();
    Redactor::new(secrets.iter().map(|secret| (REDACTED.to_owned(), secret)))
}

/// Takes the values at a pointer out of a document. The step `*` stands for each key and element.
fn take_secrets(json: &mut Json, steps: &[&str], secrets: &mut Vec<Secret>) {
    let Some((first, rest)) = steps.split_first() else {
        let value = std::mem::replace(json, REDACTED.into());
        secrets.extend(value.as_str().map(|text| Secret::private(text.to_owned())));
        return;
    };
    match json {
        Json::Object(table) if *first == "*" => {
            table.values_mut().for_each(|value| take_secrets(value, rest, secrets));
        }
        Json::Array(items) if *first == "*" => {
            items.iter_mut().for_each(|item| take_secrets(item, rest, secrets));
        }
        _ => {
            if let Some(value) = json.pointer_mut(&format!("/{first}")) {
                take_secrets(value, rest, secrets);
            }
        }
    }
}

/// Replaces the values of these parameters in a query, however short they are.
fn mask_parameters(query: &mut String, names: &[String]) {
    let is_secret = |pair: &str| {
        let pair = url::form_urlencoded::parse(pair.as_bytes()).next();
        pair.is_some_and(|(name, _)| names.contains(&name.into_owned()))
    };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(pair) => format!("{name}={REDACTED}"),
        _ => pair.to_owned(),
    };
    *query = query.split('&').map(mask).collect::<Vec<_>>().join("&");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::MAX_KEPT_CALL_BODY;

    /// A call as an earlier version has stored it.
    const EARLIER: &str = r#"{"number":1,"method":"POST","path":"/","query":"","element":null,
        "route":null,"nearest":null,"operation":null,"call":null,"auth":"valid","status":200,
        "error":null,"why":null,"warnings":[],"fields":{},"body":null}"#;

    fn completed(headers: &[(&str, &str)], body: &[u8]) -> CallRecord {
        let mut record: CallRecord = serde_json::from_str(EARLIER).unwrap();
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        record.headers = headers.iter().map(pair).collect();
        let secrets = CallSecrets { pointers: &[], names: &[], texts: &["presented-key"] };
        record.complete(secrets, SentContent { headers: &[], body });
        record
    }

    #[test]
    fn credentials_of_headers_and_responses_are_not_recorded() {
        let headers = [
            ("authorization", "Bearer abcdef"),
            ("cookie", "a=1; b=2"),
            ("x-api-key", "abcdef"),
            ("x-other", "is presented-key"),
            ("accept", "*/*"),
            ("referer", "http://localhost/page?user_token=abcdef&of=page"),
        ];
        let body = br#"{"token_type": "Bearer", "data": [{"clientSecret": "s3cret"}],
            "again": "s3cret", "csrf": "s4cret", "api_keys": ["s5cret"],
            "tokenPassMethod": "cookie", "kept": "cookie"}"#;
        let record = completed(&headers, body);
        let values: Vec<&str> = record.headers.iter().map(|(_, value)| value.as_str()).collect();
        let mark = "${call.secret}";
        // By name: the server does not keep the order.
        let referer = format!("http://localhost/page?user_token={mark}&of=page");
        let (bearer, other) = (format!("Bearer {mark}"), format!("is {mark}"));
        assert_eq!(values, ["*/*", &bearer, mark, &referer, mark, &other]);
        let text = record.response.unwrap().body.text().into_owned();
        assert_eq!(text.matches(mark).count(), 4, "{text}");
        assert!(text.contains("Bearer") && text.matches("cookie").count() == 2, "{text}");
    }

    #[test]
    fn long_and_binary_responses_are_bounded() {
        let text = "€".repeat(MAX_KEPT_CALL_BODY);
        let response = completed(&[], text.as_bytes()).response.unwrap();
        assert!(response.truncated && response.body.len() <= MAX_KEPT_CALL_BODY);
        assert!(response.body.text().chars().all(|char| char == '€'), "no character is cut");
        let response = completed(&[], b"\xff\x00").response.unwrap();
        assert_eq!(serde_json::to_value(&response).unwrap()["body"]["base64"], "/wA=");
        assert!(!response.truncated);
    }
}
