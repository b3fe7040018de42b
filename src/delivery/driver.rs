//! Drives the engine on tokio: sends, waits, and lets run time pass.
//!
//! The driver is one task, so that what it does is in one order. A request goes out only once it
//! has been written down.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::engine::{Engine, EngineCommand, EngineInput, RedirectTarget, SentAttempt};
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

/// Why a request is not sent whose intent could not be kept.
pub const NOT_COMMITTED: &str = "it could not be written down, so it was not sent";

/// What a driver drives.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// How run time passes.
    pub pace: ClockMode,
    /// When it begins.
    pub start: Timestamp,
    /// How many conversations there are, numbered from 1. Each sleeps and at last drains.
    pub conversations: u32,
    /// Whether a failure in one can hold up another, so that they share one time.
    pub shared: bool,
    /// What everything random is drawn from.
    pub seeds: SeedScope,
    /// What is known of attempts from before the run was interrupted.
    pub known: Arc<PriorAttempts>,
}

/// What players ask of the driver.
enum DriverMessage {
    Submit(Delivery),
    Sleep(ConversationNumber, Timestamp, oneshot::Sender<()>),
    Drain(ConversationNumber, oneshot::Sender<()>),
    Finished(ConversationNumber, SentAttempt, AttemptResult),
    Stop(oneshot::Sender<()>),
}

/// A player's way to the driver.
#[derive(Clone, Debug)]
pub struct DriverHandle(mpsc::UnboundedSender<DriverMessage>);

impl DriverHandle {
    /// Hands over a delivery.
    pub fn submit(&self, delivery: Delivery) {
        let _ = self.0.send(DriverMessage::Submit(delivery));
    }

    /// Waits until the conversation's run time is at least this.
    pub async fn sleep_until(&self, conversation: ConversationNumber, at: Timestamp) {
        let (wake, woken) = oneshot::channel();
        let _ = self.0.send(DriverMessage::Sleep(conversation, at, wake));
        let _ = woken.await;
    }

    /// Starts nothing more, and waits until what is under way has ended.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        let _ = self.0.send(DriverMessage::Stop(done));
        let _ = stopped.await;
    }

    /// Waits until everything of the conversation has settled. It is over then.
    pub async fn drain(&self, conversation: ConversationNumber) {
        let (done, drained) = oneshot::channel();
        let _ = self.0.send(DriverMessage::Drain(conversation, done));
        let _ = drained.await;
    }
}

/// Starts a driver for one run. It ends when every handle is gone.
pub fn drive<T: Transport>(
    transport: Arc<T>,
    log: RecordLog,
    config: DriverConfig,
) -> DriverHandle {
    let (messages, inbox) = mpsc::unbounded_channel();
    let shared = config.shared || config.pace != ClockMode::Virtual;
    let players = usize::try_from(config.conversations).unwrap_or(usize::MAX);
    let driver = Driver {
        engine: Engine::new(config.seeds),
        times: VirtualClocks::new(config.start, shared, players),
        drainers: HashMap::new(),
        transport,
        log,
        pace: config.pace,
        start: config.start,
        began: Instant::now(),
        messages: messages.downgrade(),
        known: config.known,
        in_flight: 0,
        stop: None,
    };
    tokio::spawn(driver.run(inbox));
    DriverHandle(messages)
}

struct Driver<T> {
    engine: Engine,
    times: VirtualClocks,
    drainers: HashMap<ConversationNumber, oneshot::Sender<()>>,
    transport: Arc<T>,
    log: RecordLog,
    pace: ClockMode,
    start: Timestamp,
    began: Instant,
    messages: mpsc::WeakUnboundedSender<DriverMessage>,
    known: Arc<PriorAttempts>,
    in_flight: usize,
    /// Who waits until what is under way has ended, where nothing more is to be started.
    stop: Option<oneshot::Sender<()>>,
}

impl<T: Transport> Driver<T> {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<DriverMessage>) {
        loop {
            let next = self.next_moment();
            let message = tokio::select! {
                message = inbox.recv() => message.map(Some),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    Some(None)
                }
            };
            let Some(message) = message else { return };
            let conversation = match message {
                Some(message) => self.answer(message).await,
                None => None,
            };
            if self.stop.is_some() && self.in_flight == 0 {
                return;
            }
            self.advance(conversation).await;
        }
    }

    /// Does what is asked; gives whose time may go on.
    async fn answer(&mut self, message: DriverMessage) -> Option<ConversationNumber> {
        let conversation = match message {
            DriverMessage::Submit(delivery) => {
                let conversation = delivery.conversation;
                self.step(self.times.group(conversation), EngineInput::Submit(delivery)).await;
                conversation
            }
            DriverMessage::Sleep(conversation, at, wake) => {
                self.times.of_conversation(conversation).busy -= 1;
                self.times.wait(conversation, at, Waiter::Wake(wake));
                conversation
            }
            DriverMessage::Drain(conversation, done) => {
                self.times.of_conversation(conversation).busy -= 1;
                self.drainers.insert(conversation, done);
                conversation
            }
            DriverMessage::Finished(conversation, sent, result) => {
                self.in_flight -= 1;
                self.times.of_conversation(conversation).busy -= 1;
                self.step(self.times.group(conversation), EngineInput::Finished(sent, result))
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

    /// Lets everything go on whose moment has come, and those end whose deliveries have settled.
    async fn advance(&mut self, conversation: Option<ConversationNumber>) {
        let group = conversation.map_or(0, |conversation| self.times.group(conversation));
        loop {
            let limit = match self.passed() {
                Some(now) => now,
                None if self.rests(group) => Timestamp::MAX,
                None => break,
            };
            match self.times.jump(group, limit) {
                Some(Waiter::Wake(wake)) => {
                    self.times.of(group).busy += 1;
                    let _ = wake.send(());
                }
                Some(Waiter::Timer(timer)) => self.step(group, EngineInput::Due(timer)).await,
                None => break,
            }
        }
        self.dismiss(conversation);
    }

    /// Whether nothing goes on in a time, so that it can jump.
    fn rests(&mut self, group: ClockGroup) -> bool {
        let is_ready = if self.times.is_shared() {
            self.engine.is_any_ready()
        } else {
            self.engine.is_ready(group)
        };
        self.times.of(group).busy == 0 && !is_ready
    }

    /// Tells those who wait for the end of their conversation.
    fn dismiss(&mut self, conversation: Option<ConversationNumber>) {
        let waiting: Vec<ConversationNumber> = match conversation {
            Some(conversation) if !self.times.is_shared() => vec![conversation],
            _ => self.drainers.keys().copied().collect(),
        };
        for conversation in waiting {
            if self.engine.is_idle(conversation)
                && let Some(done) = self.drainers.remove(&conversation)
            {
                let _ = done.send(());
                self.times.forget(conversation);
            }
        }
    }

    async fn step(&mut self, group: ClockGroup, input: EngineInput) {
        let now = self.now(group);
        for command in self.engine.step(now, input) {
            match command {
                EngineCommand::Send(delivery, sent, address) if self.stop.is_none() => {
                    self.send(delivery, sent, address).await;
                }
                EngineCommand::Send(..) => {}
                EngineCommand::SetTimer(conversation, timer, at) => {
                    self.times.wait(conversation, at, Waiter::Timer(timer));
                }
                EngineCommand::Record(delivery, what) => {
                    let scope = self.scope(&delivery);
                    self.log.append(scope, what).await;
                }
            }
        }
    }

    async fn send(&mut self, delivery: Arc<Delivery>, sent: SentAttempt, address: RedirectTarget) {
        let endpoint = &delivery.endpoint;
        let (method, url) = address.unwrap_or_else(|| (Method::Post, endpoint.url.clone()));
        let headers = (endpoint.signer)(&delivery.body, sent.attempt);
        let faults = delivery.faults.for_attempt(sent.attempt);
        let (origin, result) = self.known.attempt(&delivery.id, sent.attempt, sent.hop);
        let is_reported =
            origin == Origin::Recovered && delivery.policy.in_doubt == InDoubt::Report;
        let result = is_reported.then(in_doubt).or_else(|| result.cloned());
        let what = RecordKind::AttemptStarted {
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
        let intent = self.log.append_intent(scope, what).await;
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
        self.times.of_conversation(conversation).busy += 1;
        self.in_flight += 1;
        let Some(messages) = self.messages.upgrade() else { return };
        let transport = Arc::clone(&self.transport);
        let result = tokio::spawn(async move {
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
            let broke = |error| unsent(&format!("the transport broke: {error}"));
            let result = result.await.unwrap_or_else(broke);
            let _ = messages.send(DriverMessage::Finished(conversation, sent, result));
        });
    }

    fn scope(&mut self, delivery: &Delivery) -> RecordScope {
        let at = self.now(self.times.group(delivery.conversation));
        RecordScope { at, conversation: Some(delivery.conversation), step: Some(delivery.step) }
    }

    /// The run time of a group.
    fn now(&mut self, group: ClockGroup) -> Timestamp {
        let passed = self.passed();
        let time = self.times.of(group);
        time.now = time.now.max(passed.unwrap_or(time.now));
        time.now
    }

    /// Under a real clock, the run time that has passed.
    fn passed(&self) -> Option<Timestamp> {
        let ClockMode::Real(speed) = self.pace else { return None };
        let passed = self.began.elapsed().mul_f64(speed);
        Some(self.start.checked_add(passed).unwrap_or(Timestamp::MAX))
    }

    /// Under a real clock, when the next moment comes.
    fn next_moment(&self) -> Option<Instant> {
        let ClockMode::Real(speed) = self.pace else { return None };
        let after: Duration = self.times.next()?.duration_since(self.start).try_into().ok()?;
        Some(self.began + after.div_f64(speed))
    }
}

fn in_doubt() -> AttemptResult {
    let reason = "it may have gone out before the run was interrupted, and is not sent twice";
    AttemptResult::failure(AttemptOutcome::InDoubt, reason, 0)
}

fn unsent(reason: &str) -> AttemptResult {
    AttemptResult::failure(AttemptOutcome::Unsendable, reason, 0)
}
