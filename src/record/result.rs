//! The result of an attempt: the response or the reason of its absence, and the durations.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

crate::string_enum! {
    /// How a request ended: with a response, or why no response was received.
    pub enum AttemptOutcome {
        /// A complete response.
        Responded = "response",
        /// Connection refused: no server is listening.
        Refused = "refused",
        /// Connection closed or reset before a response.
        Reset = "reset",
        /// No route to the host or network.
        Unreachable = "unreachable",
        /// The host name does not resolve.
        Dns = "dns",
        /// Timeout while connecting.
        TimeoutConnect = "timeout_connect",
        /// Timeout before the response head.
        TimeoutHead = "timeout_head",
        /// Timeout before the end of the response body.
        TimeoutBody = "timeout_body",
        /// TLS handshake failed, or the certificate is invalid.
        Tls = "tls",
        /// The response is not valid HTTP.
        Protocol = "protocol",
        /// The response head exceeds the size limit.
        HeadTooLarge = "head_too_large",
        /// The response body ended early.
        BodyIncomplete = "body_incomplete",
        /// Not sent: the outbound policy blocks the address.
        EgressBlocked = "egress_blocked",
        /// This machine ran out of a resource, such as file descriptors. The receiver is not the
        /// cause.
        LocalError = "local_error",
        /// Unknown: the process ended before the result was recorded.
        InDoubt = "in_doubt",
        /// Not sent: the request could not be built or recorded.
        Unsendable = "unsendable",
        /// Not sent: the vendor's retention time was over.
        Expired = "expired",
        /// Not sent: the vendor has disabled the endpoint.
        Disabled = "disabled",
        /// Not sent: the fault `drop`.
        Dropped = "dropped",
    }
}

impl AttemptOutcome {
    /// Returns whether the time for the attempt was over.
    pub fn is_timeout(self) -> bool {
        matches!(self, Self::TimeoutConnect | Self::TimeoutHead | Self::TimeoutBody)
    }

    /// Returns whether a connection to the receiver was established and the request was sent on it.
    pub fn reached_receiver(self) -> bool {
        match self {
            Self::Responded
            | Self::Reset
            | Self::TimeoutHead
            | Self::TimeoutBody
            | Self::Protocol
            | Self::HeadTooLarge
            | Self::BodyIncomplete => true,
            Self::Refused
            | Self::Unreachable
            | Self::Dns
            | Self::TimeoutConnect
            | Self::Tls
            | Self::EgressBlocked
            | Self::LocalError
            | Self::InDoubt
            | Self::Unsendable
            | Self::Expired
            | Self::Disabled
            | Self::Dropped => false,
        }
    }
}

/// The result of a request. Flags that are not set and texts that are missing have no key in JSON: each
/// record of an attempt has a result, and they would be a tenth of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact")]
pub struct AttemptResult {
    /// Response, or kind of failure.
    pub outcome: AttemptOutcome,
    /// Response status.
    pub status: Option<u16>,
    /// Response body, up to the size limit, byte for byte.
    #[serde(default)]
    pub body: ResponseBody,
    /// Whether the response body was longer than the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Response headers, in order, up to the size limit.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Whether headers were longer than the limit, so that some are cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headers_truncated: bool,
    /// `Location` of a redirect, unless it was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Reason of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about a failure, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether the request was written twice: the receiver closed a kept connection after the
    /// request was written and before any response, so it was sent again on a new connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reconnected: bool,
    /// Whether the response came before the whole request was written, so that the receiver has
    /// not read all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
    /// Durations of the parts of the attempt.
    pub timings: Timings,
}

/// The keys of [`AttemptResult`] in a settled delivery.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact")]
struct ResultWithoutContent<'a> {
    outcome: AttemptOutcome,
    status: Option<u16>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    headers_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reconnected: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    early: bool,
    timings: Timings,
}

/// Durations of the parts of an attempt, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Until the connection was established, TLS included; absent on a reused connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    /// From the start of the attempt until the first byte of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// The whole attempt.
    pub total_us: u64,
}

impl Timings {
    /// Returns the duration of the whole attempt in milliseconds, for display.
    pub fn total_ms(&self) -> u64 {
        self.total_us / 1000
    }
}

impl AttemptResult {
    /// Creates the result of a request without a response, after this many microseconds.
    pub fn failure(outcome: AttemptOutcome, reason: impl Into<String>, total_us: u64) -> Self {
        Self {
            outcome,
            status: None,
            body: ResponseBody::default(),
            truncated: false,
            headers: Vec::new(),
            headers_truncated: false,
            location: None,
            reason: Some(reason.into()),
            help: None,
            reconnected: false,
            early: false,
            timings: Timings { total_us, ..Timings::default() },
        }
    }

    /// Returns the result without the content of the response, which is stored with its attempt.
    #[must_use]
    pub fn without_content(self) -> Self {
        Self { body: ResponseBody::default(), headers: Vec::new(), ..self }
    }

    /// Serializes the result without the keys of the content of the response.
    pub(super) fn serialize_without_content<S: Serializer>(
        &self,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        ResultWithoutContent {
            outcome: self.outcome,
            status: self.status,
            truncated: self.truncated,
            headers_truncated: self.headers_truncated,
            location: self.location.as_deref(),
            reason: self.reason.as_deref(),
            help: self.help.as_deref(),
            reconnected: self.reconnected,
            early: self.early,
            timings: self.timings,
        }
        .serialize(serializer)
    }

    /// Returns the approximate size of the texts in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        let location = self.location.as_ref().map_or(0, String::len);
        self.body.len() + headers.sum::<usize>() + location
    }

    /// Returns the status of the response, or the name of the outcome without one.
    pub fn label(&self) -> String {
        match (self.outcome, self.status) {
            (AttemptOutcome::Responded, Some(status)) => status.to_string(),
            (AttemptOutcome::BodyIncomplete, Some(status)) => format!("{status}, body cut"),
            (outcome, _) => outcome.to_string(),
        }
    }

    /// Returns the first response header of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// Returns the status by which the attempt is judged.
    pub fn final_status(&self) -> Option<u16> {
        // The status decides even if the body was cut. A body that is too late is a timeout.
        let outcomes = [AttemptOutcome::Responded, AttemptOutcome::BodyIncomplete];
        self.status.filter(|_| outcomes.contains(&self.outcome))
    }

    /// Returns whether the connection was closed before the end of the response body.
    pub fn is_cut(&self) -> bool {
        self.outcome == AttemptOutcome::BodyIncomplete && self.status.is_some()
    }

    /// Returns how the response body is compressed, as `gzip`.
    pub fn compression(&self) -> Option<&str> {
        let header = self.header("content-encoding").map(str::trim);
        let is_plain = |word: &&str| word.is_empty() || word.eq_ignore_ascii_case("identity");
        // A misconfigured server may leave the header out. These are the first bytes of gzip.
        let is_gzip = self.body.as_bytes().starts_with(&[0x1f, 0x8b]);
        header.filter(|word| !is_plain(word)).or_else(|| is_gzip.then_some("gzip"))
    }
}

/// The bytes of a response body. In JSON a string if they are UTF-8, else `{"base64": "…"}`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ResponseBody(Vec<u8>);

impl ResponseBody {
    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the body as text, for display. Invalid sequences become replacement characters.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Edits the body as text. A binary body becomes text only if the edit changes it.
    pub(super) fn edit_text(&mut self, edit: impl FnOnce(&mut String)) {
        let before = self.text();
        let mut after = before.clone().into_owned();
        edit(&mut after);
        if after != before {
            self.0 = after.into_bytes();
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), formatter)
    }
}

impl From<Vec<u8>> for ResponseBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&str> for ResponseBody {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

/// The key of a body that is not text.
const BASE64: &str = "base64";

impl Serialize for ResponseBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(BASE64, &STANDARD.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for ResponseBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(text) => Ok(Self(text.into_bytes())),
            json => {
                let encoded = json.get(BASE64).and_then(Json::as_str);
                let encoded = encoded.ok_or_else(|| D::Error::missing_field(BASE64))?;
                STANDARD.decode(encoded).map(Self).map_err(D::Error::custom)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_json_byte_for_byte() {
        for (bytes, json) in [
            (&b""[..], r#""""#),
            (b"{\"ok\": true}\n", r#""{\"ok\": true}\n""#),
            (&[0x1f, 0x8b, 0xff], r#"{"base64":"H4v/"}"#),
            ("\u{fffd}".as_bytes(), "\"\u{fffd}\""),
        ] {
            let body = ResponseBody::from(bytes.to_vec());
            let written = serde_json::to_string(&body).unwrap();
            assert_eq!(written, json);
            assert_eq!(serde_json::from_str::<ResponseBody>(&written).unwrap(), body);
        }
    }

    #[test]
    fn editing_the_text_keeps_a_binary_body_that_does_not_change() {
        let mut body = ResponseBody::from(b"key \xff".to_vec());
        body.edit_text(|text| *text = text.replace("secret", "*"));
        assert_eq!(body.as_bytes(), b"key \xff");
        body.edit_text(|text| *text = text.replace("key", "*"));
        assert_eq!(body.as_bytes(), "* \u{fffd}".as_bytes());
    }
}
