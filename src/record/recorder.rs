//! Where records come from: each gets its time, its place in the run, and loses its secrets.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Met, Record, What};
use crate::base::clock::Clock;
use crate::base::secret::Secret;

/// Writes the records of one run.
#[derive(Clone, Debug)]
pub struct Recorder {
    run: u32,
    clock: Clock,
    redactor: Arc<Redactor>,
    sink: mpsc::Sender<Record>,
}

/// What a record is about: the run's time, the conversation and the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The run's time.
    pub at: Timestamp,
    /// The conversation's number.
    pub conversation: Option<u32>,
    /// The step's number.
    pub step: Option<usize>,
}

impl Recorder {
    /// A recorder for the run of this number, into this sink.
    pub fn new(run: u32, clock: Clock, redactor: Redactor, sink: mpsc::Sender<Record>) -> Self {
        Self { run, clock, redactor: Arc::new(redactor), sink }
    }

    /// Records something. Waits while the sink is full; a sink that is gone wants no more.
    pub async fn tell(&self, scope: Scope, what: What) {
        let record = Record {
            seq: 0,
            run_time: scope.at,
            wall_time: self.clock.now(),
            run: self.run,
            conversation: scope.conversation,
            step: scope.step,
            what: self.redactor.what(what),
        };
        let _ = self.sink.send(record).await;
    }
}

/// Puts references in the place of secrets.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Vec<(String, String)>);

impl Redactor {
    /// A redactor of these secrets, by name. Built-in test credentials are public and stay.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a String, &'a Secret)>) -> Self {
        let mut pairs = Vec::new();
        for (name, secret) in secrets {
            if !secret.is_public() {
                let reference = format!("${{secret.{name}}}");
                let value = secret.expose().to_owned();
                let inside_json = serde_json::Value::from(value.as_str()).to_string();
                let inside_json = inside_json.trim_matches('"').to_owned();
                if inside_json != value {
                    pairs.push((inside_json, reference.clone()));
                }
                pairs.push((value, reference));
            }
        }
        Self(pairs)
    }

    fn text(&self, text: &mut String) {
        for (secret, reference) in &self.0 {
            if text.contains(secret) {
                *text = text.replace(secret, reference);
            }
        }
    }

    fn met(&self, met: &mut Met) {
        self.text(&mut met.answer);
        for text in met.location.iter_mut().chain(met.reason.iter_mut()) {
            self.text(text);
        }
    }

    fn what(&self, mut what: What) -> What {
        if self.0.is_empty() {
            return what;
        }
        match &mut what {
            What::HandshakeSent { url, body } => {
                self.text(url);
                self.text(body);
            }
            What::HandshakeAnswered { url, met, wrong, .. } => {
                self.text(url);
                self.met(met);
                wrong.iter_mut().for_each(|text| self.text(text));
            }
            What::DeliveryPlanned { body, .. } => self.text(body),
            What::AttemptStarted { url, headers, .. } => {
                self.text(url);
                headers.iter_mut().for_each(|(_, value)| self.text(value));
            }
            What::AttemptFinished { met, .. } => self.met(met),
            What::DeliverySettled(settled) => self.met(&mut settled.met),
            What::RunStarted(started) => self.text(&mut started.url),
            What::ActDone(told) | What::ActImplied(told) => self.text(&mut told.told),
            What::RunFinished(finished) => {
                finished.reason.iter_mut().for_each(|text| self.text(text));
            }
            What::ActSkipped { .. }
            | What::ActSilent { .. }
            | What::ActDropped { .. }
            | What::DeliveryUnsubscribed { .. } => {}
        }
        what
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_gives_way_to_its_reference_in_both_spellings() {
        let secret = Secret::given("s3\"cret".into());
        let test = Secret::test("public".into());
        let names = ["token".to_owned(), "other".to_owned()];
        let redactor = Redactor::new([(&names[0], &secret), (&names[1], &test)]);
        let mut text = r#"s3"cret {"t":"s3\"cret"} public"#.to_owned();
        redactor.text(&mut text);
        assert_eq!(text, r#"${secret.token} {"t":"${secret.token}"} public"#);
    }
}
