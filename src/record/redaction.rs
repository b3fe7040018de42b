//! Redaction of records.
//!
//! It works on the serialised record, so that a new field cannot be forgotten. Only binary response
//! bodies are redacted before: their base64 form hides secrets.

use super::{AttemptOutcome, AttemptResult, RecordKind, RecordedResponse, ResponseBody};
use crate::base::redact::Redactor;
use crate::base::text::mask;

impl RecordKind {
    /// Replaces every secret with its reference, such as `${secret.token}`.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        if let Some(result) = self.result_mut() {
            mask_user_info(result);
        }
        // Serialising is slow. Without secrets, only texts that are sent again are looked at.
        // Most have no `$`, which is found faster than a text.
        let has_reference = |text: &str| text.contains('$') && text.contains("${");
        if redactor.is_empty() && !self.is_sent_again(has_reference) {
            return self;
        }
        let content = self
            .result_mut()
            .map(|result| (redacted_body(result, redactor), redacted_headers(result, redactor)));
        let sent = self.call_response_mut().map(|response| {
            response.redact(redactor);
            std::mem::take(response)
        });
        let mut redacted = self.redacted_strings(redactor);
        if let (Some(place), Some(sent)) = (redacted.call_response_mut(), sent) {
            *place = sent;
        }
        if let (Some(result), Some((body, headers))) = (redacted.result_mut(), content) {
            (result.body, result.headers) = (body, headers);
        }
        redacted
    }

    fn redacted_strings(self, redactor: &Redactor) -> Self {
        let Ok(mut json) = serde_json::to_value(&self) else { return self };
        if !redactor.redact_json(&mut json) {
            return self;
        }
        // Only strings changed, so it still parses.
        serde_json::from_value(json).unwrap_or(self)
    }

    /// Returns true for a text of the record that redelivery sends, for which `is_match` is true.
    fn is_sent_again(&self, is_match: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::DeliveryPlanned { body, .. } => is_match(body),
            Self::AttemptStarted { url, headers, .. } => {
                is_match(url) || headers.iter().any(|(_, value)| is_match(value))
            }
            _ => false,
        }
    }

    /// Returns the response to a call, if the record has one.
    fn call_response_mut(&mut self) -> Option<&mut RecordedResponse> {
        match self {
            Self::CallReceived(call) => call.response.as_deref_mut(),
            Self::CallResponded(settled) => Some(&mut settled.response),
            _ => None,
        }
    }

    /// Returns the result of a request, if the record has one.
    fn result_mut(&mut self) -> Option<&mut AttemptResult> {
        match self {
            Self::HandshakeFinished { result, .. }
            | Self::ProbeFinished { result, .. }
            | Self::AttemptFinished { result, .. } => Some(result),
            Self::DeliverySettled(settled) => Some(&mut settled.result),
            _ => None,
        }
    }
}

/// Takes the body out of a result, and redacts it. A second pass would quote its references.
fn redacted_body(result: &mut AttemptResult, redactor: &Redactor) -> ResponseBody {
    let mut body = std::mem::replace(&mut result.body, Vec::new().into());
    // If the rest is missing, a secret may be cut.
    let is_cut = result.truncated || result.outcome != AttemptOutcome::Responded;
    body.edit_text(|text| {
        let _ = if is_cut { redactor.redact_cut(text) } else { redactor.redact(text) };
    });
    body
}

/// Takes the headers out of a result, and redacts them, for the same reason.
fn redacted_headers(result: &mut AttemptResult, redactor: &Redactor) -> Vec<(String, String)> {
    let mut headers = std::mem::take(&mut result.headers);
    let is_cut = result.headers_truncated;
    for text in headers.iter_mut().flat_map(|(name, value)| [name, value]) {
        let _ = if is_cut { redactor.redact_cut(text) } else { redactor.redact(text) };
    }
    headers
}

/// Masks the password in the target of a redirect. It is a secret of the receiver.
fn mask_user_info(result: &mut AttemptResult) {
    let is_location = |name: &str| name.eq_ignore_ascii_case("location");
    let headers = result.headers.iter_mut().filter(|(name, _)| is_location(name));
    for location in headers.map(|(_, value)| value).chain(&mut result.location) {
        if location.contains('@') {
            *location = mask(location);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::record::AttemptOutcome;

    #[test]
    fn a_secret_in_a_binary_response_body_is_redacted() {
        let secret = Secret::private("private-key".into());
        let redactor = Redactor::new([("${secret.key}".to_owned(), &secret)]);
        let failure = AttemptResult::failure(AttemptOutcome::Responded, "", 1);
        let record = RecordKind::AttemptFinished {
            delivery: "1".into(),
            attempt: 1,
            hop: 0,
            result: AttemptResult { body: b"\xff private-key".to_vec().into(), ..failure },
            retry_in_ms: None,
        };
        let mut redacted = record.redacted(&redactor);
        let body = redacted.result_mut().unwrap().body.text().into_owned();
        assert_eq!(body, "\u{fffd} ${secret.key}");
    }
}
