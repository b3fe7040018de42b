//! Where records come from: each gets its time, its place in the run, and loses its secrets.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{AttemptResult, Record, RecordKind};
use crate::base::clock::Clock;
use crate::base::redact::Redactor;

/// Writes the records of one run.
#[derive(Clone, Debug)]
pub struct Recorder {
    run: u32,
    clock: Clock,
    redactor: Arc<Redactor>,
    sink: mpsc::Sender<PendingRecord>,
}

/// A record on its way, and who waits until it is kept.
#[derive(Debug)]
pub struct PendingRecord {
    /// The record.
    pub record: Record,
    kept: Option<oneshot::Sender<()>>,
}

impl PendingRecord {
    /// Says that the record is kept, and gives it. Dropped without this, it could not be kept.
    pub fn commit(self) -> Record {
        if let Some(kept) = self.kept {
            let _ = kept.send(());
        }
        self.record
    }
}

/// Something that was written down and is done once that is kept.
#[derive(Debug)]
pub struct PendingWrite(oneshot::Receiver<()>);

impl PendingWrite {
    /// Waits until it is kept; gives whether it could be.
    pub async fn committed(self) -> bool {
        self.0.await.is_ok()
    }
}

/// What a record is about: the run's time, the conversation and the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordScope {
    /// The run's time.
    pub at: Timestamp,
    /// The conversation's number.
    pub conversation: Option<u32>,
    /// The step's number.
    pub step: Option<usize>,
}

impl Recorder {
    /// A recorder for the run of this number, into this sink.
    pub fn new(
        run: u32,
        clock: Clock,
        redactor: Redactor,
        sink: mpsc::Sender<PendingRecord>,
    ) -> Self {
        Self { run, clock, redactor: Arc::new(redactor), sink }
    }

    /// Records something. Waits while the sink is full; a sink that is gone wants no more.
    pub fn append(&self, scope: RecordScope, what: RecordKind) -> impl Future<Output = ()> + Send {
        self.send(self.entry(scope, what))
    }

    /// Records something that must be kept before it is done.
    pub async fn append_intent(&self, scope: RecordScope, what: RecordKind) -> PendingWrite {
        let (kept, intent) = oneshot::channel();
        self.send(PendingRecord { kept: Some(kept), ..self.entry(scope, what) }).await;
        PendingWrite(intent)
    }

    /// A record of something, for whoever hands it on by themselves.
    pub fn entry(&self, scope: RecordScope, what: RecordKind) -> PendingRecord {
        let record = Record {
            seq: 0,
            run_time: scope.at,
            wall_time: self.clock.now(),
            run: self.run,
            conversation: scope.conversation,
            step: scope.step,
            kind: redacted(&self.redactor, what),
        };
        PendingRecord { record, kept: None }
    }

    async fn send(&self, entry: PendingRecord) {
        let _ = self.sink.send(entry).await;
    }
}

/// A record without the secrets in it.
fn redacted(redactor: &Redactor, mut what: RecordKind) -> RecordKind {
    if redactor.is_empty() {
        return what;
    }
    let text = |text: &mut String| redactor.text(text);
    let result = |result: &mut AttemptResult| {
        text(&mut result.body);
        result.headers.iter_mut().for_each(|(_, value)| text(value));
        result.location.iter_mut().chain(result.reason.iter_mut()).for_each(text);
    };
    match &mut what {
        RecordKind::HandshakeSent { url, body, .. } => {
            text(url);
            text(body);
        }
        RecordKind::HandshakeFinished { url, result: answered, error: wrong, .. } => {
            text(url);
            result(answered);
            wrong.iter_mut().for_each(text);
        }
        RecordKind::DeliveryPlanned { body, .. } => {
            let mut redacted = body.to_string();
            text(&mut redacted);
            *body = redacted.into();
        }
        RecordKind::AttemptStarted { url, headers, .. } => {
            text(url);
            headers.iter_mut().for_each(|(_, value)| text(value));
        }
        RecordKind::AuthHint(hint) => {
            hint.expected.iter_mut().for_each(|(_, value)| text(value));
            hint.mistakes.iter_mut().for_each(|mistake| text(&mut mistake.value));
        }
        RecordKind::AttemptFinished { result: finished, .. } => result(finished),
        RecordKind::DeliverySettled(settled) => result(&mut settled.result),
        RecordKind::RunStarted(started) => text(&mut started.url),
        RecordKind::ActionDone(told) | RecordKind::ActionImplied(told) => text(&mut told.summary),
        RecordKind::RunFinished(finished) => {
            finished.reason.iter_mut().chain(&mut finished.more_failures).for_each(text);
            finished.files.iter_mut().flat_map(|files| &mut files.unavailable).for_each(text);
        }
        RecordKind::ActionSkipped { .. }
        | RecordKind::ActionSilent { .. }
        | RecordKind::ActionDropped { .. }
        | RecordKind::DeliveryParked { .. }
        | RecordKind::GateChanged { .. }
        | RecordKind::DeliveryUnsubscribed { .. } => {}
    }
    what
}
