//! The emulator: one live account at a vendor. It plays scripts, lets others act in the same
//! conversations, and sends the events to every endpoint that subscribes to them.
//!
//! Conversations are state machines without I/O (`actor`). The account owns them (`host`), and a
//! driver wakes them when their time has come (`delivery::drive`). Callers judge and report: the
//! emulator only appends records.

mod account_memory;
mod actor;
mod call_acts;
mod call_commit;
mod call_finds;
mod call_finds_all;
mod call_inbox;
mod call_lists;
mod call_opening;
mod call_stages;
mod call_work;
mod calls;
mod describe;
mod endpoint;
mod examples;
mod expectation;
mod expected_calls;
mod graphql_call;
mod handshake;
mod host;
mod incoming;
mod live_conversation;
mod live_faults;
mod outbox;
mod overview;
mod people;
mod planned_delivery;
mod registry;
mod rehearsal;
mod reload;
mod remember;
mod replay;
mod requested;
mod restore;
mod router;
mod run_starter;
mod script_moves;
mod scripted_run;
mod settling;
mod settling_calls;
mod shared_subscription;
mod slot;
mod subscriptions;
mod unsettled;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::account_memory::AccountMemory;
use self::host::{AccountHost, EmulatorMessage};
use self::incoming::{
    CallOutcome, CallReply, Handshaker, IncomingCall, Opening, SentResponse, SettlingResponse,
};
use self::subscriptions::{NewSubscription, SubscriptionChange};
use crate::base::address::EgressPolicy;
use crate::conversation::{Action, Conversation};
use crate::delivery::{AttemptSlots, ConversationKey, DrivenRun, DriverHandle, Transport, drive};
use crate::fault::Faults;
use crate::journal::{AccountStore, JournalError};
use crate::platform::Account;
use crate::platform::api::{ApiCall, ApiResponse};
use crate::record::ActionSummary;
use crate::scenario::UpcomingStep;

pub use actor::{StepOutcome, StepOutput};
pub use endpoint::{EndpointPlan, SYNTHETIC, known_secrets};
pub use examples::{OperationExample, check_examples, describe_api, examples};
pub use handshake::{HandshakeEnd, HandshakeJob, challenge, shake};
pub use host::ActError;
pub use outbox::{FaultSource, Outbox};
pub use overview::ConversationOverview;
pub use planned_delivery::PlannedDelivery;
pub use rehearsal::{Rehearsal, RehearsedOutput, rehearse};
pub use restore::{RunFacts, RunRestore};
pub use run_starter::RunStarter;
pub use scripted_run::ScriptedRun;
pub use slot::{EmulatorSlot, SlotEntry};

/// A handle to a live account. Clones share the account, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Emulator {
    account: Arc<RwLock<Arc<Account>>>,
    driver: DriverHandle<EmulatorMessage>,
    handshaker: Handshaker,
    egress: EgressPolicy,
    /// Starts a run for a conversation that a call opens.
    on_open: Option<Arc<RunStarter>>,
    /// The highest number of an endpoint.
    numbers: Arc<AtomicU32>,
}

/// The response to a call. The deliveries that the call causes are sent when it is dropped, and a script
/// that waits for the call continues.
#[derive(Debug)]
pub struct CallResponse {
    /// The response.
    pub response: ApiResponse,
    /// Wall time before it is sent.
    pub delay: Option<Duration>,
    sent: Vec<SentResponse>,
    /// The subscriptions that it has changed.
    subscription: Option<Box<SubscriptionChange>>,
    /// Whether the call failed.
    is_error: bool,
    driver: DriverHandle<EmulatorMessage>,
}

/// What an account did about a call.
enum HandledCall {
    Response(CallResponse),
    /// It is a GraphQL request with this body, whose fields have to be handled.
    Graphql(Json, ApiCall),
}

impl Drop for CallResponse {
    fn drop(&mut self) {
        self.release();
    }
}

impl CallResponse {
    /// Lets deliveries and scripts continue.
    fn release(&mut self) {
        for sent in self.sent.drain(..) {
            self.driver.send(EmulatorMessage::ResponseSent(sent));
        }
    }
}

impl Emulator {
    /// Starts an emulator on the current tokio runtime. It sends events to these endpoints.
    pub fn start<T: Transport>(
        account: Arc<Account>,
        endpoints: Vec<EndpointPlan>,
        transport: Arc<T>,
        slots: AttemptSlots,
    ) -> Self {
        let numbers = Arc::default();
        let host = AccountHost::new(Arc::clone(&account), endpoints, Arc::clone(&numbers));
        let handshaker = Handshaker::new(&transport);
        let driver = drive(host, transport, slots);
        let account = Arc::new(RwLock::new(account));
        let egress = EgressPolicy::default();
        Self { account, driver, handshaker, egress, on_open: None, numbers }
    }

    /// Lets calls subscribe URLs at these addresses [default: this machine and private networks].
    #[must_use]
    pub fn allowing(self, egress: EgressPolicy) -> Self {
        Self { egress, ..self }
    }

    /// Starts a run for each call that opens a conversation which no script expects. The script of that
    /// run plays in the conversation if it expects the call.
    #[must_use]
    pub fn on_open(self, starter: RunStarter) -> Self {
        Self { on_open: Some(Arc::new(starter)), ..self }
    }

    /// Restores what calls have made at the account, and stores what they change from now on. Endpoints
    /// that were not made by calls must have been added before.
    ///
    /// # Errors
    /// What is stored cannot be read.
    pub fn remember(&self, store: AccountStore, now: Timestamp) -> Result<(), JournalError> {
        let memory = AccountMemory::read(store)?;
        // At once, so that nobody gets its number for another endpoint.
        self.numbers.fetch_max(memory.last_endpoint(), Ordering::Relaxed);
        self.driver.send(EmulatorMessage::Remember(Box::new(memory), now));
        Ok(())
    }

    /// Returns the endpoints that calls have subscribed.
    pub async fn subscribed(&self) -> Vec<EndpointPlan> {
        let (reply, all) = oneshot::channel();
        self.driver.send(EmulatorMessage::Subscribed(reply));
        all.await.unwrap_or_default()
    }

    /// Returns the subscriptions of calls, for other runs of the account.
    async fn call_subscriptions(&self) -> Vec<NewSubscription> {
        let (reply, all) = oneshot::channel();
        self.driver.send(EmulatorMessage::CallSubscriptions(reply));
        all.await.unwrap_or_default()
    }

    /// Returns the account.
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&self.account.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses another version of the account from now on. Runs keep the version with which they started.
    pub fn reload(&self, account: Arc<Account>) {
        *self.account.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&account);
        self.driver.send(EmulatorMessage::Reload(account));
    }

    /// Plays a script. The receiver is notified when all conversations have ended, with every
    /// delivery settled.
    pub fn play(&self, run: ScriptedRun) -> oneshot::Receiver<()> {
        let (done, ended) = oneshot::channel();
        let shares_clock = run.shares_clock(&self.account());
        self.driver.join(DrivenRun {
            number: run.number,
            log: run.log.clone(),
            clock: run.clock,
            start: run.start,
            shared: shares_clock,
            prior: Arc::clone(&run.prior),
        });
        if run.is_paused {
            self.driver.pause(run.number);
        }
        let run = Box::new(run);
        self.driver.send(EmulatorMessage::Play { run, shares_clock, done });
        ended
    }

    /// Restores a run from its records, and continues it. The receiver is notified as by
    /// [`Emulator::play`].
    ///
    /// # Errors
    ///
    /// Fails with the reason if the run would not be the same. It is not there then.
    pub async fn restore(&self, restore: RunRestore) -> Result<oneshot::Receiver<()>, String> {
        let RunRestore { run, at, facts } = restore;
        let (done, ended) = oneshot::channel();
        let number = run.number;
        self.driver.join(DrivenRun {
            number,
            log: run.log.clone(),
            clock: run.clock,
            start: at,
            shared: run.shares_clock(&self.account()),
            prior: Arc::clone(&run.prior),
        });
        if run.is_paused {
            self.driver.pause(number);
        }
        let (reply, restored) = oneshot::channel();
        let (run, facts) = (Box::new(run), Box::new(facts));
        self.driver.send(EmulatorMessage::Restore { run, facts, done, reply });
        let restored = restored.await.unwrap_or_else(|_| Err("the emulator has stopped".into()));
        if let Err(reason) = restored {
            self.driver.cancel(number);
            return Err(reason);
        }
        Ok(ended)
    }

    /// Returns the present run time of a conversation. With a real clock, all of a run have the same.
    pub async fn now(&self, conversation: ConversationKey) -> Option<Timestamp> {
        let (reply, now) = oneshot::channel();
        self.driver.send(EmulatorMessage::Now(conversation, reply));
        now.await.ok().flatten()
    }

    /// Waits until everything that was asked before has been recorded in the logs of its runs.
    pub async fn sync(&self) {
        let (reply, synced) = oneshot::channel();
        self.driver.send(EmulatorMessage::Sync(reply));
        let _ = synced.await;
    }

    /// Performs actions in a conversation as one unit: all of them happen, or none. Returns what
    /// happened, with the actions that they imply.
    ///
    /// # Errors
    ///
    /// Fails if there is no such conversation, or if an action is not possible in its state.
    pub async fn act(
        &self,
        conversation: ConversationKey,
        actions: Vec<Action>,
    ) -> Result<Vec<ActionSummary>, ActError> {
        let (reply, result) = oneshot::channel();
        self.driver.send(EmulatorMessage::Act(conversation, actions, reply));
        result.await.unwrap_or(Err(ActError::Stopped))
    }

    /// Handles a call to the vendor's API. Returns `None` if there is no run in which it could
    /// happen. The response must be dropped when it has been sent.
    pub async fn call(&self, call: ApiCall) -> Option<CallResponse> {
        self.handle(self.incoming(call)).await
    }

    /// Handles a call if it belongs to a conversation of the account, or a script waits for it. Nothing
    /// happens otherwise.
    async fn call_if_known(&self, call: ApiCall) -> Option<CallResponse> {
        self.handle(IncomingCall { only_known: true, ..self.incoming(call) }).await
    }

    fn incoming(&self, call: ApiCall) -> IncomingCall {
        let incoming = IncomingCall::new(call, self.egress);
        let opening = if self.on_open.is_some() { Opening::WaitsForTurn } else { Opening::Opens };
        IncomingCall { opening, ..incoming }
    }

    async fn handle(&self, incoming: IncomingCall) -> Option<CallResponse> {
        let only_known = incoming.only_known;
        match self.handle_part(incoming).await? {
            HandledCall::Response(response) => Some(response),
            HandledCall::Graphql(body, call) => self.execute_graphql(call, &body, only_known).await,
        }
    }

    async fn handle_part(&self, mut incoming: IncomingCall) -> Option<HandledCall> {
        // Held until the call has opened its conversation: another one must not take its run.
        let mut turn = None;
        loop {
            let mut handshakes = incoming.handshakes.clone();
            let (reply, outcome) = oneshot::channel();
            self.driver.send(EmulatorMessage::Call(Box::new(incoming), reply));
            match outcome.await.ok()? {
                CallOutcome::Respond(reply) => {
                    drop(turn);
                    return self.respond(reply).await.map(HandledCall::Response);
                }
                // The account handles the call again, with the result.
                CallOutcome::Shake(job, call) => {
                    handshakes.push(self.handshaker.shake(*job).await);
                    incoming = IncomingCall { handshakes, ..*call };
                }
                CallOutcome::Graphql(body, call) => {
                    return Some(HandledCall::Graphql(body, call));
                }
                CallOutcome::Wait(call) => {
                    let opening = match (&self.on_open, call.opening) {
                        (Some(starter), Opening::WaitsForTurn) => {
                            turn = Some(starter.turn().await);
                            Opening::WaitsForRun
                        }
                        (Some(starter), Opening::WaitsForRun) => {
                            starter.start().await;
                            Opening::Opens
                        }
                        (None, _) | (_, Opening::Opens) => Opening::Opens,
                    };
                    incoming = IncomingCall { opening, ..*call };
                }
                CallOutcome::NoRun => return None,
            }
        }
    }

    /// Returns a response when it is stored; `None` if it cannot be stored.
    async fn respond(&self, reply: CallReply) -> Option<CallResponse> {
        let CallReply { response, sent, change, logs, settling, is_error, is_kept } = reply;
        // It would be gone after a restart.
        if !is_kept {
            return None;
        }
        let delay = sent.iter().filter_map(|sent| sent.delay).max();
        let (subscription, driver) = (change, self.driver.clone());
        let mut response = CallResponse { response, delay, sent, subscription, is_error, driver };
        // A client must find after a crash what was confirmed before it.
        if !logs.is_empty() {
            self.sync().await;
        }
        for log in logs {
            if !log.flushed().committed().await {
                return None;
            }
        }
        if let Some(settling) = settling {
            // Scripts continue before the response, which contains what they do.
            response.release();
            response.response = self.settled(settling).await?;
        }
        Some(response)
    }

    /// Returns a response when its conversation has settled, or its time is over.
    async fn settled(&self, settling: SettlingResponse) -> Option<ApiResponse> {
        let SettlingResponse { call, within, mut response } = settling;
        if let Ok(response) = timeout(within, &mut response).await {
            return response.ok();
        }
        self.driver.send(EmulatorMessage::CompleteCall(call));
        response.await.ok()
    }

    /// Returns a number for a new endpoint.
    pub fn next_endpoint(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds an endpoint, or replaces the one with its number. It gets the events that happen from now
    /// on.
    pub fn add_endpoint(&self, endpoint: EndpointPlan) {
        // At once, so that nobody gets its number for another endpoint.
        self.numbers.fetch_max(endpoint.number, Ordering::Relaxed);
        self.driver.send(EmulatorMessage::AddEndpoint(endpoint));
    }

    /// Changes subscriptions as a call has changed them at another run of the account.
    fn subscribe(&self, change: Box<SubscriptionChange>) {
        self.driver.send(EmulatorMessage::Subscribe(change));
    }

    /// Sends no more events to the endpoint of this number. Deliveries under way are finished.
    pub fn remove_endpoint(&self, number: u32) {
        self.driver.send(EmulatorMessage::RemoveEndpoint(number));
    }

    /// Returns a copy of the current state of a conversation.
    pub async fn conversation(&self, conversation: ConversationKey) -> Option<Box<Conversation>> {
        let (reply, state) = oneshot::channel();
        self.driver.send(EmulatorMessage::Inspect(conversation, reply));
        state.await.ok().flatten()
    }

    /// Returns what the script of a conversation does next; `None` at its end.
    pub async fn upcoming(&self, conversation: ConversationKey) -> Option<UpcomingStep> {
        let (reply, upcoming) = oneshot::channel();
        self.driver.send(EmulatorMessage::Upcoming(conversation, reply));
        upcoming.await.ok().flatten()
    }

    /// Gives the deliveries of a run these faults from now on, except those of steps with faults of their
    /// own. The run records it.
    pub fn set_faults(&self, run: u32, faults: Faults) {
        self.driver.send(EmulatorMessage::SetFaults(run, faults));
    }

    /// Returns what a list shows about each conversation, in the order of runs and numbers.
    pub async fn conversations(&self) -> Vec<ConversationOverview> {
        let (reply, all) = oneshot::channel();
        self.driver.send(EmulatorMessage::List(reply));
        all.await.unwrap_or_default()
    }

    /// Returns the conversation to which an id of the vendor belongs.
    pub async fn find(&self, id: &str) -> Option<ConversationKey> {
        let (reply, found) = oneshot::channel();
        self.driver.send(EmulatorMessage::Find(id.to_owned(), reply));
        found.await.ok().flatten()
    }

    /// Stops the run time of a run. Attempts in flight end, but nothing else happens.
    pub fn pause(&self, run: u32) {
        self.driver.pause(run);
    }

    /// Continues a paused run.
    pub fn resume(&self, run: u32) {
        self.driver.resume(run);
    }

    /// Advances a paused run until one conversation has done its next step.
    pub fn step(&self, run: u32) {
        self.driver.step(run);
    }

    /// Changes the speed of a run with a real clock, within `delivery::SPEEDS`. A virtual clock has no
    /// speed.
    pub fn set_speed(&self, run: u32, speed: f64) {
        self.driver.set_speed(run, speed);
    }

    /// Cancels a run: its conversations end where they are. Attempts in flight end too.
    pub fn cancel(&self, run: u32) {
        self.driver.cancel(run);
    }

    /// Stops sending, and waits until no attempt is in flight.
    pub async fn stop(&self) {
        self.driver.stop().await;
    }
}
