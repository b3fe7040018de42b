//! Where records come from: each gets its time, its place in the run, and loses its secrets.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{Met, Record, What};
use crate::base::clock::Clock;
use crate::base::redact::Redactor;

/// Writes the records of one run.
#[derive(Clone, Debug)]
pub struct Recorder {
    run: u32,
    clock: Clock,
    redactor: Arc<Redactor>,
    sink: mpsc::Sender<Entry>,
}

/// A record on its way, and who waits until it is kept.
#[derive(Debug)]
pub struct Entry {
    /// The record.
    pub record: Record,
    kept: Option<oneshot::Sender<()>>,
}

impl Entry {
    /// Says that the record is kept, and gives it. Dropped without this, it could not be kept.
    pub fn keep(self) -> Record {
        if let Some(kept) = self.kept {
            let _ = kept.send(());
        }
        self.record
    }
}

/// Something that was written down and is done once that is kept.
#[derive(Debug)]
pub struct Intent(oneshot::Receiver<()>);

impl Intent {
    /// Waits until it is kept; gives whether it could be.
    pub async fn kept(self) -> bool {
        self.0.await.is_ok()
    }
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
    pub fn new(run: u32, clock: Clock, redactor: Redactor, sink: mpsc::Sender<Entry>) -> Self {
        Self { run, clock, redactor: Arc::new(redactor), sink }
    }

    /// Records something. Waits while the sink is full; a sink that is gone wants no more.
    pub fn tell(&self, scope: Scope, what: What) -> impl Future<Output = ()> + Send {
        self.send(self.entry(scope, what))
    }

    /// Records something that must be kept before it is done.
    pub async fn intend(&self, scope: Scope, what: What) -> Intent {
        let (kept, intent) = oneshot::channel();
        self.send(Entry { kept: Some(kept), ..self.entry(scope, what) }).await;
        Intent(intent)
    }

    /// A record of something, for whoever hands it on by themselves.
    pub fn entry(&self, scope: Scope, what: What) -> Entry {
        let record = Record {
            seq: 0,
            run_time: scope.at,
            wall_time: self.clock.now(),
            run: self.run,
            conversation: scope.conversation,
            step: scope.step,
            what: redacted(&self.redactor, what),
        };
        Entry { record, kept: None }
    }

    async fn send(&self, entry: Entry) {
        let _ = self.sink.send(entry).await;
    }
}

/// A record without the secrets in it.
fn redacted(redactor: &Redactor, mut what: What) -> What {
    if redactor.is_empty() {
        return what;
    }
    let text = |text: &mut String| redactor.text(text);
    let met = |met: &mut Met| {
        text(&mut met.answer);
        met.headers.iter_mut().for_each(|(_, value)| text(value));
        met.location.iter_mut().chain(met.reason.iter_mut()).for_each(text);
    };
    match &mut what {
        What::HandshakeSent { url, body, .. } => {
            text(url);
            text(body);
        }
        What::HandshakeAnswered { url, met: answered, wrong, .. } => {
            text(url);
            met(answered);
            wrong.iter_mut().for_each(text);
        }
        What::DeliveryPlanned { body, .. } => {
            let mut redacted = body.to_string();
            text(&mut redacted);
            *body = redacted.into();
        }
        What::AttemptStarted { url, headers, .. } => {
            text(url);
            headers.iter_mut().for_each(|(_, value)| text(value));
        }
        What::AuthHint(hint) => {
            hint.right.iter_mut().for_each(|(_, value)| text(value));
            hint.mistakes.iter_mut().for_each(|mistake| text(&mut mistake.value));
        }
        What::AttemptFinished { met: finished, .. } => met(finished),
        What::DeliverySettled(settled) => met(&mut settled.met),
        What::RunStarted(started) => text(&mut started.url),
        What::ActDone(told) | What::ActImplied(told) => text(&mut told.told),
        What::RunFinished(finished) => {
            finished.reason.iter_mut().chain(&mut finished.also).for_each(text);
            finished.files.iter_mut().flat_map(|files| &mut files.cannot).for_each(text);
        }
        What::ActSkipped { .. }
        | What::ActSilent { .. }
        | What::ActDropped { .. }
        | What::DeliveryParked { .. }
        | What::GateChanged { .. }
        | What::DeliveryUnsubscribed { .. } => {}
    }
    what
}
