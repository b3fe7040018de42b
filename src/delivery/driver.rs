//! Drives the engine and the conversations of an account on tokio: sends requests, runs timers and
//! advances the run time.
//!
//! The driver is one task, so its actions have one order. Each request is sent in a separate
//! task, and only after the journal has stored the record of the attempt.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::attempt::{Attempt, NOT_COMMITTED, prior_result, unsent};
use super::driven_run::{DrivenRun, RunState};
use super::engine::{Engine, EngineCommand, EngineInput, SentAttempt};
use super::host::{Host, HostCommand, RunTimes};
use super::pending::RedirectTarget;
use super::run_clock::{ALL, ClockGroup, RunClock, Waiter};
use super::slots::{AttemptSlot, AttemptSlots};
use super::transport::Transport;
use super::{AwaitedExpectation, ConversationKey, Delivery};
use crate::base::fast_map::FastMap;
use crate::base::limits::MAX_PENDING;
use crate::record::{AttemptResult, ExpectationResult, Method, RecordKind, RecordScope};

/// A message to the driver.
enum DriverMessage<M> {
    Join(DrivenRun),
    Host(M),
    Submit(Box<Delivery>),
    /// Report when every delivery of the conversation has settled.
    Drain(ConversationKey, oneshot::Sender<()>),
    Clock(u32, ClockChange),
    /// Send nothing more of this run.
    Cancel(u32),
    /// Send nothing more, and report when no attempt is in flight.
    Stop(oneshot::Sender<()>),
}

/// A change of the clock of a run.
enum ClockChange {
    Pause,
    Resume,
    Step,
    Speed(f64),
}

/// A handle to a driver of a host with messages `M`. Clones share the driver.
pub struct DriverHandle<M>(mpsc::UnboundedSender<DriverMessage<M>>);

impl<M> Clone for DriverHandle<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> fmt::Debug for DriverHandle<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DriverHandle").finish_non_exhaustive()
    }
}

impl<M> DriverHandle<M> {
    /// Adds a run. Its conversations, deliveries and records may follow.
    pub fn join(&self, run: DrivenRun) {
        self.queue(DriverMessage::Join(run));
    }

    /// Passes a message to the host.
    pub fn send(&self, message: M) {
        self.queue(DriverMessage::Host(message));
    }

    /// Submits a delivery.
    pub fn submit(&self, delivery: Delivery) {
        self.queue(DriverMessage::Submit(Box::new(delivery)));
    }

    /// Waits until every delivery of the conversation has settled, then ends the conversation.
    pub async fn drain(&self, conversation: ConversationKey) {
        let (done, drained) = oneshot::channel();
        self.queue(DriverMessage::Drain(conversation, done));
        let _ = drained.await;
    }

    /// Stops the run time of a run. Attempts in flight end, but nothing else happens.
    pub fn pause(&self, run: u32) {
        self.queue(DriverMessage::Clock(run, ClockChange::Pause));
    }

    /// Continues the run time of a paused run.
    pub fn resume(&self, run: u32) {
        self.queue(DriverMessage::Clock(run, ClockChange::Resume));
    }

    /// Advances a paused run until one conversation has done its next step.
    pub fn step(&self, run: u32) {
        self.queue(DriverMessage::Clock(run, ClockChange::Step));
    }

    /// Changes the speed of a run with a real clock, within `SPEEDS`. A virtual clock has no speed.
    pub fn set_speed(&self, run: u32, speed: f64) {
        self.queue(DriverMessage::Clock(run, ClockChange::Speed(speed)));
    }

    /// Cancels a run: nothing more of it happens or is sent. Attempts in flight end.
    pub fn cancel(&self, run: u32) {
        self.queue(DriverMessage::Cancel(run));
    }

    /// Stops sending, and waits until no attempt is in flight.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.queue(DriverMessage::Stop(done));
        let _ = stopped.await;
    }

    fn queue(&self, message: DriverMessage<M>) {
        // Fails only after `stop`, when nothing more may happen.
        let _ = self.0.send(message);
    }
}

/// Starts a driver. It ends when it is stopped, or when every handle has been dropped.
pub fn drive<H: Host, T: Transport>(
    host: H,
    transport: Arc<T>,
    slots: AttemptSlots,
) -> DriverHandle<H::Message> {
    let (messages, inbox) = mpsc::unbounded_channel();
    let driver = Driver {
        host,
        engine: Engine::default(),
        runs: Runs::default(),
        ending: FastMap::default(),
        transport,
        slots,
        attempts: JoinSet::new(),
        in_flight: FastMap::default(),
        expectations: JoinSet::new(),
        expecting: FastMap::default(),
        waiting: VecDeque::new(),
        touched: BTreeSet::new(),
        held: VecDeque::new(),
        stop: None,
    };
    tokio::spawn(driver.run(inbox));
    DriverHandle(messages)
}

struct Driver<H, T> {
    host: H,
    engine: Engine,
    runs: Runs,
    /// Conversations that end as soon as their deliveries have settled, and who waits for that.
    ending: FastMap<ConversationKey, Option<oneshot::Sender<()>>>,
    transport: Arc<T>,
    slots: AttemptSlots,
    attempts: JoinSet<AttemptResult>,
    /// The attempts in `attempts`.
    in_flight: FastMap<task::Id, (ConversationKey, SentAttempt)>,
    expectations: JoinSet<ExpectationResult>,
    /// The conversations that wait for the expectations in `expectations`.
    expecting: FastMap<task::Id, (ConversationKey, AbortHandle)>,
    /// Attempts that the engine has released and that wait for a slot of the process.
    waiting: VecDeque<(Arc<Delivery>, SentAttempt, RedirectTarget)>,
    /// Clocks that may be able to advance.
    touched: BTreeSet<(u32, ClockGroup)>,
    /// Conversations whose next step is due, but waits until fewer deliveries are pending.
    held: VecDeque<ConversationKey>,
    /// Set once the driver stops: notified when no attempt is in flight.
    stop: Option<oneshot::Sender<()>>,
}

/// The runs of a driver.
#[derive(Debug, Default)]
struct Runs(BTreeMap<u32, RunState>);

impl RunTimes for Runs {
    fn now(&mut self, conversation: ConversationKey) -> Option<Timestamp> {
        Some(self.0.get_mut(&conversation.run)?.clock.now(conversation.number))
    }

    fn passing(&mut self, run: u32) -> Option<Timestamp> {
        self.0.get_mut(&run)?.clock.passing()
    }
}

impl Runs {
    /// Returns whether the time of a run passes now, like wall time.
    fn is_awake(&self, run: u32) -> bool {
        self.0.get(&run).is_some_and(|run| run.clock.passes())
    }

    fn clock_of(&mut self, conversation: ConversationKey) -> Option<&mut RunClock> {
        self.0.get_mut(&conversation.run).map(|run| &mut run.clock)
    }
}

impl<H: Host, T: Transport> Driver<H, T> {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<DriverMessage<H::Message>>) {
        loop {
            let next = self.runs.0.values().filter_map(|run| run.clock.next_due()).min();
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.handle(message).await,
                    None => return,
                },
                Some(ended) = self.attempts.join_next_with_id() => {
                    self.finish(ended).await;
                    // What else has ended meanwhile needs no further wait.
                    while let Some(ended) = self.attempts.try_join_next_with_id() {
                        self.finish(ended).await;
                    }
                }
                Some(ended) = self.expectations.join_next_with_id() => {
                    self.finish_expectation(ended).await;
                }
                Some(slot) = self.slots.acquire(), if !self.waiting.is_empty() => {
                    self.send_waiting(slot).await;
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    self.touch_real();
                }
            }
            if self.stop.is_some() && self.in_flight.is_empty() {
                return;
            }
            self.advance().await;
        }
    }

    async fn handle(&mut self, message: DriverMessage<H::Message>) {
        match message {
            DriverMessage::Join(run) => {
                self.runs.0.insert(run.number, run.into());
            }
            DriverMessage::Host(message) => {
                let commands = self.host.receive(message, &mut self.runs);
                self.carry_out(commands).await;
            }
            DriverMessage::Submit(delivery) => self.submit(*delivery).await,
            DriverMessage::Drain(conversation, done) => {
                self.ending.insert(conversation, Some(done));
                self.end_if_idle(conversation).await;
            }
            DriverMessage::Clock(run, change) => self.change_clock(run, change).await,
            DriverMessage::Cancel(run) => self.cancel(run).await,
            DriverMessage::Stop(done) => {
                self.stop = Some(done);
                self.waiting.clear();
            }
        }
    }

    async fn change_clock(&mut self, number: u32, change: ClockChange) {
        let Some(run) = self.runs.0.get_mut(&number) else { return };
        match change {
            ClockChange::Pause => run.clock.pause(),
            ClockChange::Resume => {
                run.clock.resume();
                let groups: Vec<ClockGroup> = run.clock.waiting_groups().collect();
                self.touched.extend(groups.into_iter().map(|group| (number, group)));
            }
            ClockChange::Speed(speed) => run.clock.set_speed(speed),
            // Neither a timer nor the moment before a step changes what people see.
            ClockChange::Step => {
                while let Some(waiter) =
                    self.runs.0.get_mut(&number).and_then(|run| run.clock.step())
                {
                    if self.wake(number, waiter).await {
                        break;
                    }
                }
            }
        }
    }

    async fn cancel(&mut self, number: u32) {
        let Some(run) = self.runs.0.get_mut(&number) else { return };
        run.clock.clear();
        self.host.cancelled(number);
        self.ending.retain(|conversation, _| conversation.run != number);
        self.held.retain(|conversation| conversation.run != number);
        for (_, task) in self.expecting.extract_if(|_, (key, _)| key.run == number) {
            task.1.abort();
        }
        let any = ConversationKey { run: number, number: ALL };
        self.step(any, EngineInput::Cancel(number)).await;
        // Attempts that wait for a slot are in flight for the engine, and never start.
        let (cancelled, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(delivery, ..)| delivery.conversation.run == number);
        self.waiting = waiting;
        for (delivery, sent, _) in cancelled {
            let result = unsent("not sent: the run was cancelled");
            self.end_attempt(delivery.conversation, sent, result).await;
        }
    }

    async fn carry_out(&mut self, commands: Vec<HostCommand>) {
        for command in commands {
            match command {
                HostCommand::Record(run, scope, kind) => {
                    if let Some(run) = self.runs.0.get(&run) {
                        run.log.append(scope, *kind).await;
                    }
                }
                HostCommand::Submit(delivery) => self.submit(*delivery).await,
                HostCommand::WaitUntil(conversation, at) => {
                    let Some(clock) = self.runs.clock_of(conversation) else { continue };
                    clock.wait(conversation.number, at, Waiter::Wake(conversation.number));
                    self.touch(conversation);
                }
                HostCommand::Expect(expectation) => self.expect(*expectation).await,
                HostCommand::End(conversation) => {
                    self.ending.insert(conversation, None);
                    // Boxed because what follows from an end is carried out in turn.
                    Box::pin(self.end_if_idle(conversation)).await;
                }
                HostCommand::Forget(conversation) => {
                    if let Some(clock) = self.runs.clock_of(conversation) {
                        clock.forget(conversation.number);
                    }
                }
            }
        }
    }

    /// Notes that a clock may be able to advance.
    fn touch(&mut self, conversation: ConversationKey) {
        if let Some(clock) = self.runs.clock_of(conversation) {
            let group = clock.group(conversation.number);
            self.touched.insert((conversation.run, group));
        }
    }

    /// Notes that the clocks that pass like wall time may be able to advance.
    fn touch_real(&mut self) {
        let real = self.runs.0.iter().filter(|(_, run)| run.clock.next_due().is_some());
        self.touched.extend(real.map(|(number, _)| (*number, ALL)));
    }

    /// Wakes every waiter that is due, and ends the conversations that have nothing left to do.
    async fn advance(&mut self) {
        loop {
            while let Some((number, group)) = self.touched.pop_first() {
                let has_ready = self.has_ready(number, group);
                let Some(run) = self.runs.0.get_mut(&number) else { continue };
                if let Some(waiter) = run.clock.jump(group, has_ready) {
                    self.touched.insert((number, group));
                    self.wake(number, waiter).await;
                }
            }
            self.wake_held().await;
            let idle = self.engine.take_idle();
            if idle.is_empty() {
                return;
            }
            for conversation in idle {
                self.end_if_idle(conversation).await;
            }
        }
    }

    /// Returns whether a group has a delivery that only waits for a slot of its host.
    fn has_ready(&self, run: u32, group: ClockGroup) -> bool {
        if group == ALL {
            self.engine.is_any_ready()
        } else {
            self.engine.is_ready(ConversationKey { run, number: group })
        }
    }

    /// Wakes a waiter. Returns whether something happened in a conversation.
    async fn wake(&mut self, run: u32, waiter: Waiter) -> bool {
        match waiter {
            Waiter::Wake(number) if self.has_to_wait(run) => {
                self.held.push_back(ConversationKey { run, number });
                false
            }
            Waiter::Wake(number) => self.wake_conversation(ConversationKey { run, number }).await,
            Waiter::Timer(timer) => {
                if let Some(conversation) = self.engine.conversation(timer) {
                    self.step(conversation, EngineInput::Due(timer)).await;
                }
                false
            }
        }
    }

    /// Lets a conversation do its next step. Returns whether something happened.
    async fn wake_conversation(&mut self, conversation: ConversationKey) -> bool {
        let Some(now) = self.runs.now(conversation) else { return false };
        let commands = self.host.due(conversation, now);
        let is_visible = |command: &HostCommand| {
            matches!(command, HostCommand::Record(..) | HostCommand::Submit(_))
        };
        let has_happened = commands.iter().any(is_visible);
        self.carry_out(commands).await;
        has_happened
    }

    /// Returns whether the conversations of a run have to wait until fewer deliveries are pending.
    // Under a virtual clock each conversation waits for its own deliveries anyway.
    fn has_to_wait(&self, run: u32) -> bool {
        self.runs.is_awake(run) && self.engine.pending() >= MAX_PENDING
    }

    /// Wakes the conversations that had to wait, in their order, as long as there is room.
    async fn wake_held(&mut self) {
        while self.engine.pending() < MAX_PENDING {
            let is_awake = |key: &ConversationKey| self.runs.is_awake(key.run);
            let Some(next) = self.held.iter().position(is_awake) else { return };
            let Some(conversation) = self.held.remove(next) else { return };
            self.wake_conversation(conversation).await;
        }
    }

    /// Ends a conversation that waits to end, if it has no pending delivery.
    async fn end_if_idle(&mut self, conversation: ConversationKey) {
        if !self.engine.is_idle(conversation) {
            return;
        }
        let Some(done) = self.ending.remove(&conversation) else { return };
        if let Some(done) = done {
            let _ = done.send(());
        }
        let commands = self.host.ended(conversation);
        self.carry_out(commands).await;
    }

    async fn submit(&mut self, delivery: Delivery) {
        self.step(delivery.conversation, EngineInput::Submit(delivery)).await;
    }

    /// Passes an input about a conversation to the engine, and carries out its commands.
    async fn step(&mut self, conversation: ConversationKey, input: EngineInput) {
        self.touch(conversation);
        let Some(now) = self.runs.now(conversation) else { return };
        let mut caused = Vec::new();
        for command in self.engine.step(now, input) {
            match command {
                EngineCommand::Send(delivery, sent, target) => {
                    self.send(delivery, sent, target).await;
                }
                EngineCommand::SetTimer(conversation, timer, at) => {
                    if let Some(clock) = self.runs.clock_of(conversation) {
                        clock.wait(conversation.number, at, Waiter::Timer(timer));
                        self.touch(conversation);
                    }
                }
                EngineCommand::Record(delivery, kind) => {
                    // One time for both: a journal must tell when the script continued.
                    let Some(at) = self.runs.now(delivery.conversation) else { continue };
                    caused.extend(self.host.recorded(&delivery, &kind, at));
                    let conversation = Some(delivery.conversation.number);
                    let scope = RecordScope { at, conversation, step: delivery.step };
                    if let Some(run) = self.runs.0.get(&delivery.conversation.run) {
                        run.log.append(scope, *kind).await;
                    }
                }
            }
        }
        if !caused.is_empty() {
            // Boxed because the deliveries that follow are submitted in turn.
            Box::pin(self.carry_out(caused)).await;
        }
    }

    /// Sends an attempt, or queues it for a slot of the process.
    async fn send(&mut self, delivery: Arc<Delivery>, sent: SentAttempt, target: RedirectTarget) {
        if self.stop.is_some() {
            return;
        }
        if let Some(clock) = self.runs.clock_of(delivery.conversation) {
            clock.begin_attempt(delivery.conversation.number);
        }
        let slot = if self.waiting.is_empty() { self.slots.try_acquire() } else { None };
        match slot {
            Some(slot) => self.start(delivery, sent, target, slot).await,
            None => self.waiting.push_back((delivery, sent, target)),
        }
    }

    async fn send_waiting(&mut self, slot: AttemptSlot) {
        if let Some((delivery, sent, target)) = self.waiting.pop_front() {
            self.start(delivery, sent, target, slot).await;
        }
    }

    /// Records an attempt and sends it.
    async fn start(
        &mut self,
        delivery: Arc<Delivery>,
        sent: SentAttempt,
        target: RedirectTarget,
        slot: AttemptSlot,
    ) {
        let scope = self.scope(&delivery);
        let Some(run) = self.runs.0.get(&delivery.conversation.run) else { return };
        let endpoint = &delivery.endpoint;
        let (method, url) = target.unwrap_or_else(|| (Method::Post, endpoint.url.clone()));
        let headers = (endpoint.signer)(&delivery.body, sent.attempt, scope.at);
        let (origin, stored) = prior_result(&run.prior, &delivery, sent);
        let faults = delivery.faults.for_attempt(sent.attempt);
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
        let intent = run.log.append_intent(scope, kind).await;
        let request = Attempt::request(&delivery, &faults, method, url, headers);
        let attempt = Attempt { request, stored, lag: faults.duplicate_delay() };
        let transport = Arc::clone(&self.transport);
        let task = self.attempts.spawn(attempt.send(transport, intent, slot));
        self.in_flight.insert(task.id(), (delivery.conversation, sent));
    }

    /// Passes the result of an attempt to the engine.
    async fn finish(&mut self, ended: Result<(task::Id, AttemptResult), task::JoinError>) {
        let (id, result) = match ended {
            Ok(ended) => ended,
            // A panic in a transport must not leave the conversation waiting forever.
            Err(error) => {
                (error.id(), unsent(&format!("internal error in the transport: {error}")))
            }
        };
        let Some((conversation, sent)) = self.in_flight.remove(&id) else { return };
        self.end_attempt(conversation, sent, result).await;
    }

    async fn end_attempt(
        &mut self,
        conversation: ConversationKey,
        sent: SentAttempt,
        result: AttemptResult,
    ) {
        if let Some(clock) = self.runs.clock_of(conversation) {
            clock.end_attempt(conversation.number);
        }
        self.step(conversation, EngineInput::Finished(sent, result)).await;
    }

    /// Records an expectation and waits for it in a task.
    async fn expect(&mut self, expectation: AwaitedExpectation) {
        let AwaitedExpectation { conversation, scope, facts: request, wait } = expectation;
        let Some(run) = self.runs.0.get_mut(&conversation.run) else { return };
        run.clock.begin_attempt(conversation.number);
        let (origin, stored) =
            run.prior.expectation(conversation.number, scope.step, request.round);
        let stored = stored.cloned();
        let started = RecordKind::ExpectationStarted { origin, request };
        let intent = run.log.append_intent(scope, started).await;
        let transport = Arc::clone(&self.transport);
        let task = self.expectations.spawn(async move {
            match stored {
                Some(result) => result,
                // A request can change something at the receiver.
                None if !intent.committed().await => ExpectationResult::unsent(NOT_COMMITTED),
                None => wait.end(transport).await,
            }
        });
        self.expecting.insert(task.id(), (conversation, task));
    }

    /// Passes the result of an expectation to the host.
    async fn finish_expectation(
        &mut self,
        ended: Result<(task::Id, ExpectationResult), task::JoinError>,
    ) {
        let (id, result) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), ExpectationResult::unsent(&error.to_string())),
        };
        // One of a cancelled run has no conversation any more.
        let Some((conversation, _)) = self.expecting.remove(&id) else { return };
        if let Some(clock) = self.runs.clock_of(conversation) {
            clock.end_attempt(conversation.number);
        }
        self.touch(conversation);
        let Some(now) = self.runs.now(conversation) else { return };
        let commands = self.host.expected(conversation, result, now);
        self.carry_out(commands).await;
    }

    fn scope(&mut self, delivery: &Delivery) -> RecordScope {
        let conversation = delivery.conversation;
        let at = self.runs.now(conversation).unwrap_or(delivery.at);
        RecordScope { at, conversation: Some(conversation.number), step: delivery.step }
    }
}
