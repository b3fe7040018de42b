//! What a record keeps of the HTTP messages of a call, without their credentials.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use url::Url;

use super::ResponseBody;
use crate::base::limits::{MAX_KEPT_CALL_BODY, MAX_KEPT_HEADERS};
use crate::base::redact::{Redactor, is_credential_key, is_credential_name, query_secrets};
use crate::base::secret::Secret;

/// The headers and the body of a response to a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordedResponse {
    /// Response headers that the vendor's definition sets, in order.
    pub headers: Vec<(String, String)>,
    /// Response body, up to the size limit.
    pub body: ResponseBody,
    /// Whether the body was longer than the limit.
    pub truncated: bool,
}

impl RecordedResponse {
    /// Creates the record of a response without these secrets.
    pub(super) fn new(headers: &[(String, String)], body: &[u8], redactor: &Redactor) -> Self {
        let truncated = body.len() > MAX_KEPT_CALL_BODY;
        let mut recorded =
            Self { headers: headers.to_vec(), body: beginning(body).to_vec().into(), truncated };
        recorded.redact(redactor);
        recorded
    }

    /// Replaces secrets in the headers and the body.
    pub(super) fn redact(&mut self, redactor: &Redactor) {
        for (_, value) in &mut self.headers {
            redactor.redact(value);
        }
        let truncated = self.truncated;
        self.body.edit_text(|text| {
            // If the rest is missing, a secret may be cut.
            let _ = if truncated { redactor.redact_cut(text) } else { redactor.redact(text) };
        });
    }

    /// Returns the approximate size of the texts in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + size_of_headers(&self.headers) + self.body.len()
    }
}

/// Returns the part of a body that is kept. A text is not cut inside a character.
fn beginning(body: &[u8]) -> &[u8] {
    let Some(cut) = body.get(..MAX_KEPT_CALL_BODY) else { return body };
    match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
        _ => cut,
    }
}

/// Returns the size of headers, in bytes.
pub(super) fn size_of_headers(headers: &[(String, String)]) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Returns the headers of a request by name, up to the size limit, with marks in place of credentials.
pub(super) fn request_headers(headers: &[(String, String)], mark: &str) -> Vec<(String, String)> {
    let mut headers = headers.to_vec();
    // The server does not keep the order of different names. Equal calls must have equal records.
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut size = 0;
    let kept = headers.into_iter().take_while(|(name, value)| {
        size += name.len() + value.len();
        size <= MAX_KEPT_HEADERS
    });
    kept.map(|(name, value)| {
        let is_secret = is_credential_name(&name) || name.to_lowercase().contains("cookie");
        let value =
            if is_secret { masked(&value, mark) } else { without_query_secrets(value, mark) };
        (name, value)
    })
    .collect()
}

/// Replaces credentials in the query of a value that is a URL, such as that of `referer`.
fn without_query_secrets(value: String, mark: &str) -> String {
    match value.split_once('?') {
        Some((url, query)) if url.contains("://") => {
            let mut query = query.to_owned();
            mask_query(&mut query, mark);
            format!("{url}?{query}")
        }
        _ => value,
    }
}

/// Replaces what may be a credential in a query, whether or not the route takes it there.
pub(super) fn mask_query(query: &mut String, mark: &str) {
    let Ok(url) = Url::parse(&format!("http://query.invalid/?{query}")) else { return };
    let secrets = query_secrets(&url);
    Redactor::new(secrets.iter().map(|(_, secret)| (mark.to_owned(), secret))).redact(query);
}

/// Replaces a credential. A scheme such as `Bearer` stays, because its absence is a common mistake.
fn masked(value: &str, mark: &str) -> String {
    let is_scheme = |word: &&str| word.chars().all(|char| char.is_ascii_alphabetic());
    match value.split_once(' ').map(|(scheme, _)| scheme).filter(is_scheme) {
        Some(scheme) if scheme.len() <= 12 => format!("{scheme} {mark}"),
        _ => mark.to_owned(),
    }
}

/// Minimum length of such a value, in bytes. A shorter one occurs in unrelated text.
const MIN_NAMED_SECRET: usize = 6;

/// Returns the values of a JSON document that are credentials by the names of their keys.
pub(super) fn named_secrets(json: &Json) -> Vec<Secret> {
    let mut found = BTreeSet::new();
    collect(json, false, &mut found);
    found.into_iter().map(Secret::private).collect()
}

// A set: a list can repeat a credential, and redaction takes time for each.
fn collect(json: &Json, is_secret: bool, found: &mut BTreeSet<String>) {
    match json {
        Json::String(text) if is_secret && text.len() >= MIN_NAMED_SECRET => {
            found.insert(text.clone());
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, is_secret, found)),
        Json::Object(table) => {
            for (key, value) in table {
                collect(value, is_credential_key(key), found);
            }
        }
        _ => {}
    }
}
