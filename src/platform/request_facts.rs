//! The facts that the headers and signatures of one request can depend on besides the account.

use jiff::Timestamp;

use super::context::TemplateContext;
use super::forms::Purpose;
use crate::record::EventFacts;
use crate::template::{CapturedTexts, Object, TextTemplate, Value};

/// The roots that only the sender knows. A receiver reads their texts from the headers.
pub(super) const SENDER_ROOTS: &[&str] = &["event", "sent_at"];
/// The roots that neither a receiver nor the captured texts have.
const COMPUTED_ROOTS: &[&str] = &["signature", "attempt", "body"];

/// One request: its body, attempt, time and event.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    pub(super) purpose: Purpose,
    pub(super) body: &'a str,
    /// The attempt, from 1. Some vendors send it, so each attempt is signed separately.
    pub(super) attempt: u32,
    /// Run time of sending; `None` if it is known by its captured text only.
    sent_at: Option<Timestamp>,
    event: Option<&'a EventFacts>,
    captured: Option<&'a CapturedTexts>,
}

impl<'a> RequestFacts<'a> {
    /// Describes the request of an attempt (from 1) that is sent at this run time. `event` is
    /// required if [`Platform::signs_events`](super::Platform::signs_events) returns true.
    pub fn of_event(
        body: &'a str,
        attempt: u32,
        sent_at: Timestamp,
        event: Option<&'a EventFacts>,
    ) -> Self {
        let (purpose, sent_at) = (Purpose::Event, Some(sent_at));
        Self { purpose, body, attempt, sent_at, event, captured: None }
    }

    /// Describes the handshake request.
    pub fn of_handshake(body: &'a str, sent_at: Timestamp) -> Self {
        Self { purpose: Purpose::Handshake, ..Self::of_event(body, 1, sent_at, None) }
    }

    /// Describes a request as a receiver knows it: by its body and the texts of its headers.
    pub(super) fn received(purpose: Purpose, body: &'a str, captured: &'a CapturedTexts) -> Self {
        let (sent_at, event) = (None, None);
        Self { purpose, body, attempt: 1, sent_at, event, captured: Some(captured) }
    }

    /// Returns the same request with another attempt number.
    pub(super) fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// Returns the same request with another body.
    pub(super) fn with_body<'b>(self, body: &'b str) -> RequestFacts<'b>
    where
        'a: 'b,
    {
        RequestFacts { body, ..self }
    }

    /// Adds the roots of the request to those of the account.
    pub(super) fn roots(&self, account: &TemplateContext<'a>) -> TemplateContext<'a> {
        let mut roots = account
            .clone()
            .with_value("body", Value::from(self.body))
            .with_value("attempt", Value::Int(i64::from(self.attempt)));
        if let Some(sent_at) = self.sent_at {
            roots = roots.with_value("sent_at", Value::Time(sent_at));
        }
        match self.event {
            Some(event) => roots.with("event", event),
            None => roots,
        }
    }

    /// Renders a text of the request.
    pub(super) fn render(&self, text: &TextTemplate, roots: &TemplateContext<'_>) -> String {
        match self.captured {
            Some(captured) => text.render_captured(roots, captured),
            None => text.render(roots),
        }
    }
}

/// Reads the texts that only the sender knows from the value of a header.
pub(super) fn capture(
    template: &TextTemplate,
    value: &str,
    account: &TemplateContext<'_>,
    captured: &mut CapturedTexts,
) {
    template.capture(value, account, SENDER_ROOTS, COMPUTED_ROOTS, captured);
}

impl Object for EventFacts {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "type" => self.event_type.as_str().into(),
            "at" => Value::Time(self.at),
            _ => self.ids.get(name).map_or(Value::Absent, Value::data),
        }
    }
}
