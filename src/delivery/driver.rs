//! Drives the engine on tokio: sends requests, runs timers and advances the run time.
//!
//! The driver is one task, so its actions have one order. Each request is sent in a separate
//! task, and only after the journal has stored the record of the attempt.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::engine::{Engine, EngineCommand, EngineInput, SentAttempt};
use super::pending::RedirectTarget;
use super::transport::{Request, Transport, WireFault};
use super::virtual_clock::{ClockGroup, ClockMode, VirtualClocks, Waiter};
use super::{ConversationNumber, Delivery};
use crate::base::fail_points;
use crate::base::seed::SeedScope;
use crate::policy::InDoubt;
use crate::record::{
    AttemptOutcome, AttemptResult, Method, Origin, PriorAttempts, RecordKind, RecordLog,
    RecordScope,
};

/// Reason of an attempt that was not sent because the journal could not store its record.
pub const NOT_COMMITTED: &str = "not sent: the journal could not store the attempt";

/// Configuration of a driver.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// How run time passes.
    pub clock: ClockMode,
    /// The run time at which the run starts.
    pub start: Timestamp,
    /// Number of conversations. They are numbered from 1. Each one sleeps and finally drains.
    pub conversations: u32,
    /// Whether a failure in one conversation can block another one. All share one virtual clock
    /// then.
    pub shared: bool,
    /// The seed scope for jitter.
    pub seeds: SeedScope,
    /// The attempts of earlier runs that this one resumes.
    pub prior: Arc<PriorAttempts>,
}

/// A message to the driver.
enum DriverMessage {
    Submit(Delivery),
    /// Wake the conversation at this run time.
    Sleep(ConversationNumber, Timestamp, oneshot::Sender<()>),
    /// Report when every delivery of the conversation has settled.
    Drain(ConversationNumber, oneshot::Sender<()>),
    Finished(ConversationNumber, SentAttempt, AttemptResult),
    /// Send nothing more, and report when no attempt is in flight.
    Stop(oneshot::Sender<()>),
}

/// A handle to a driver.
#[derive(Clone, Debug)]
pub struct DriverHandle(mpsc::UnboundedSender<DriverMessage>);

impl DriverHandle {
    /// Submits a delivery.
    pub fn submit(&self, delivery: Delivery) {
        let _ = self.0.send(DriverMessage::Submit(delivery));
    }

    /// Waits until the run time of the conversation has reached `at`.
    pub async fn sleep_until(&self, conversation: ConversationNumber, at: Timestamp) {
        let (wake, woken) = oneshot::channel();
        let _ = self.0.send(DriverMessage::Sleep(conversation, at, wake));
        let _ = woken.await;
    }

    /// Stops sending, and waits until no attempt is in flight.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        let _ = self.0.send(DriverMessage::Stop(done));
        let _ = stopped.await;
    }

    /// Waits until every delivery of the conversation has settled, then ends the conversation.
    pub async fn drain(&self, conversation: ConversationNumber) {
        let (done, drained) = oneshot::channel();
        let _ = self.0.send(DriverMessage::Drain(conversation, done));
        let _ = drained.await;
    }
}

/// Starts a driver for one run. It ends when every handle has been dropped.
pub fn drive<T: Transport>(
    transport: Arc<T>,
    log: RecordLog,
    config: DriverConfig,
) -> DriverHandle {
    let (messages, inbox) = mpsc::unbounded_channel();
    let shared = config.shared || config.clock != ClockMode::Virtual;
    let players = usize::try_from(config.conversations).unwrap_or(usize::MAX);
    let driver = Driver {
        engine: Engine::new(config.seeds),
        clocks: VirtualClocks::new(config.start, shared, players),
        drainers: HashMap::new(),
        transport,
        log,
        clock: config.clock,
        start: config.start,
        began: Instant::now(),
        // Weak, so that the driver does not keep itself alive.
        messages: messages.downgrade(),
        prior: config.prior,
        in_flight: 0,
        stop: None,
    };
    tokio::spawn(driver.run(inbox));
    DriverHandle(messages)
}

struct Driver<T> {
    engine: Engine,
    clocks: VirtualClocks,
    drainers: HashMap<ConversationNumber, oneshot::Sender<()>>,
    transport: Arc<T>,
    log: RecordLog,
    clock: ClockMode,
    start: Timestamp,
    began: Instant,
    messages: mpsc::WeakUnboundedSender<DriverMessage>,
    prior: Arc<PriorAttempts>,
    in_flight: usize,
    /// Set once the driver stops: notified when no attempt is in flight.
    stop: Option<oneshot::Sender<()>>,
}

impl<T: Transport> Driver<T> {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<DriverMessage>) {
        loop {
            let next = self.next_due();
            let message = tokio::select! {
                message = inbox.recv() => message.map(Some),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    Some(None)
                }
            };
            let Some(message) = message else { return };
            let conversation = match message {
                Some(message) => self.handle(message).await,
                None => None,
            };
            if self.stop.is_some() && self.in_flight == 0 {
                return;
            }
            self.advance(conversation).await;
        }
    }

    /// Handles a message. Returns the conversation whose clock may advance.
    async fn handle(&mut self, message: DriverMessage) -> Option<ConversationNumber> {
        let conversation = match message {
            DriverMessage::Submit(delivery) => {
                let conversation = delivery.conversation;
                self.step(self.clocks.group(conversation), EngineInput::Submit(delivery)).await;
                conversation
            }
            DriverMessage::Sleep(conversation, at, wake) => {
                self.clocks.of_conversation(conversation).busy -= 1;
                self.clocks.wait(conversation, at, Waiter::Wake(wake));
                conversation
            }
            DriverMessage::Drain(conversation, done) => {
                self.clocks.of_conversation(conversation).busy -= 1;
                self.drainers.insert(conversation, done);
                conversation
            }
            DriverMessage::Finished(conversation, sent, result) => {
                self.in_flight -= 1;
                self.clocks.of_conversation(conversation).busy -= 1;
                self.step(self.clocks.group(conversation), EngineInput::Finished(sent, result))
                    .await;
                conversation
            }
            DriverMessage::Stop(done) => {
                self.stop = Some(done);
                return None;
            }
        };
        Some(conversation)
    }

    /// Wakes every waiter that is due, and ends the conversations that have drained.
    async fn advance(&mut self, conversation: Option<ConversationNumber>) {
        let group = conversation.map_or(0, |conversation| self.clocks.group(conversation));
        loop {
            // A real clock never runs ahead of the time that has passed; a virtual one jumps.
            let limit = match self.elapsed() {
                Some(now) => now,
                None if self.can_jump(group) => Timestamp::MAX,
                None => break,
            };
            match self.clocks.jump(group, limit) {
                Some(Waiter::Wake(wake)) => {
                    self.clocks.of(group).busy += 1;
                    let _ = wake.send(());
                }
                Some(Waiter::Timer(timer)) => self.step(group, EngineInput::Due(timer)).await,
                None => break,
            }
        }
        self.end_drained(conversation);
    }

    /// Returns whether a virtual clock can jump: nothing in its group is running.
    fn can_jump(&mut self, group: ClockGroup) -> bool {
        // A ready delivery has no task yet, so `busy` does not count it.
        let is_ready = if self.clocks.is_shared() {
            self.engine.is_any_ready()
        } else {
            self.engine.is_ready(group)
        };
        self.clocks.of(group).busy == 0 && !is_ready
    }

    /// Ends the conversations that wait to end and have no pending delivery.
    fn end_drained(&mut self, conversation: Option<ConversationNumber>) {
        // A scan of all that wait, after every event, would be quadratic in their number. The
        // conversation of the message may have been idle before it asked to end.
        for conversation in conversation.into_iter().chain(self.engine.take_idle()) {
            if self.engine.is_idle(conversation)
                && let Some(done) = self.drainers.remove(&conversation)
            {
                let _ = done.send(());
                self.clocks.forget(conversation);
            }
        }
    }

    async fn step(&mut self, group: ClockGroup, input: EngineInput) {
        let now = self.now(group);
        for command in self.engine.step(now, input) {
            match command {
                EngineCommand::Send(delivery, sent, target) if self.stop.is_none() => {
                    self.send(delivery, sent, target).await;
                }
                EngineCommand::Send(..) => {} // the driver is stopping
                EngineCommand::SetTimer(conversation, timer, at) => {
                    self.clocks.wait(conversation, at, Waiter::Timer(timer));
                }
                EngineCommand::Record(delivery, kind) => {
                    let scope = self.scope(&delivery);
                    self.log.append(scope, kind).await;
                }
            }
        }
    }

    async fn send(&mut self, delivery: Arc<Delivery>, sent: SentAttempt, target: RedirectTarget) {
        let endpoint = &delivery.endpoint;
        let (method, url) = target.unwrap_or_else(|| (Method::Post, endpoint.url.clone()));
        let headers = (endpoint.signer)(&delivery.body, sent.attempt);
        let faults = delivery.faults.for_attempt(sent.attempt);
        let (origin, result) = self.prior.attempt(&delivery.id, sent.attempt, sent.hop);
        let is_reported =
            origin == Origin::Recovered && delivery.policy.in_doubt == InDoubt::Report;
        let result = is_reported.then(in_doubt).or_else(|| result.cloned());
        let kind = RecordKind::AttemptStarted {
            delivery: delivery.id.clone(),
            attempt: sent.attempt,
            hop: sent.hop,
            faults: faults.clone(),
            origin,
            method,
            url: url.to_string(),
            headers: headers.clone(),
        };
        let scope = self.scope(&delivery);
        let intent = self.log.append_intent(scope, kind).await;
        let body = if method == Method::Post { Arc::clone(&delivery.body) } else { "".into() };
        let request = Request {
            method,
            url,
            headers,
            body,
            connect: delivery.policy.connect.unsigned_abs(),
            total: delivery.policy.total.unsigned_abs(),
            fault: WireFault::of(&faults),
        };
        let lag = faults.duplicate_delay();
        let conversation = delivery.conversation;
        self.clocks.of_conversation(conversation).busy += 1;
        self.in_flight += 1;
        let Some(messages) = self.messages.upgrade() else { return };
        let transport = Arc::clone(&self.transport);
        let result = tokio::spawn(async move {
            // The journal must know of the attempt before the receiver does, or a crash would lose it.
            if !intent.committed().await {
                return unsent(NOT_COMMITTED);
            }
            fail_points::hit("intent");
            let result = match (result, lag) {
                (Some(result), _) => result,
                (None, lag) => {
                    if let Some(lag) = lag {
                        sleep(lag).await;
                    }
                    transport.send(request).await
                }
            };
            fail_points::hit("met");
            result
        });
        tokio::spawn(async move {
            // A panic in a transport must not leave the conversation waiting for ever.
            let failed = |error| unsent(&format!("internal error in the transport: {error}"));
            let result = result.await.unwrap_or_else(failed);
            let _ = messages.send(DriverMessage::Finished(conversation, sent, result));
        });
    }

    fn scope(&mut self, delivery: &Delivery) -> RecordScope {
        let at = self.now(self.clocks.group(delivery.conversation));
        RecordScope { at, conversation: Some(delivery.conversation), step: Some(delivery.step) }
    }

    /// The current run time of a group.
    fn now(&mut self, group: ClockGroup) -> Timestamp {
        let elapsed = self.elapsed();
        let clock = self.clocks.of(group);
        clock.now = clock.now.max(elapsed.unwrap_or(clock.now));
        clock.now
    }

    /// The current run time under a real clock.
    fn elapsed(&self) -> Option<Timestamp> {
        let ClockMode::Real(speed) = self.clock else { return None };
        let elapsed = self.began.elapsed().mul_f64(speed);
        Some(self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX))
    }

    /// The instant at which the next waiter is due under a real clock.
    fn next_due(&self) -> Option<Instant> {
        let ClockMode::Real(speed) = self.clock else { return None };
        let after: Duration = self.clocks.next()?.duration_since(self.start).try_into().ok()?;
        Some(self.began + after.div_f64(speed))
    }
}

fn in_doubt() -> AttemptResult {
    let reason =
        "it may have been sent before the run was interrupted; this vendor never sends twice";
    AttemptResult::failure(AttemptOutcome::InDoubt, reason, 0)
}

fn unsent(reason: &str) -> AttemptResult {
    AttemptResult::failure(AttemptOutcome::Unsendable, reason, 0)
}
