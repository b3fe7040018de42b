//! The live state of an account: its endpoints, runs and conversations. The driver wakes the
//! conversations, and passes on what people and programs want done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::account_memory::AccountMemory;
use super::actor::{ScriptWait, StepOutcome, StepOutput};
use super::call_inbox::CallInbox;
use super::describe::summarize;
use super::endpoint::{EndpointPlan, LiveEndpoint};
use super::incoming::{CallOutcome, IncomingCall, SentResponse};
use super::live_conversation::LiveConversation;
use super::overview::ConversationOverview;
use super::people::People;
use super::registry::Registry;
use super::reload::{EarlierRoutes, policies};
use super::requested::RequestedUnit;
use super::restore::RunFacts;
use super::router::{Router, Routes};
use super::scripted_run::{LiveRun, ScriptedRun};
use super::settling::SettlingCall;
use super::subscriptions::{NewSubscription, SubscriptionChange};
use crate::base::fast_map::FastMap;
use crate::base::redact::Redactor;
use crate::conversation::{Action, Conversation};
use crate::delivery::{ConversationKey, Delivery, Host, HostCommand, RunTimes};
use crate::fault::Faults;
use crate::journal::AccountStore;
use crate::platform::api::{Documents, HostedFiles, IssuedTokens, ThrottledCalls};
use crate::platform::{Account, Subscription};
use crate::record::{ActionSummary, ExpectationResult, RecordKind, RecordScope};
use crate::scenario::{ScriptInput, UpcomingStep};

/// Most conversations with virtual clocks of their own that are played at the same time. Others
/// start when one of these ends, which bounds the memory of a run.
const MAX_ACTIVE: u32 = 1_024;

/// A message to the live account.
pub(super) enum EmulatorMessage {
    /// Play a script. Reports when all its conversations have ended.
    Play {
        run: Box<ScriptedRun>,
        /// Whether all conversations have one clock.
        shares_clock: bool,
        done: oneshot::Sender<()>,
    },
    /// Restore a run. Reports whether that was possible.
    Restore {
        run: Box<ScriptedRun>,
        facts: Box<RunFacts>,
        done: oneshot::Sender<()>,
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// Perform actions in a conversation: all of them, or none.
    Act(ConversationKey, Vec<Action>, oneshot::Sender<Result<Vec<ActionSummary>, ActError>>),
    /// Add an endpoint, or replace the one with its number.
    AddEndpoint(EndpointPlan),
    /// Use another version of the account from now on.
    Reload(Arc<Account>),
    /// Restore what the account has kept, at this wall time, and keep what calls change from now on.
    Remember(Box<AccountMemory>, Timestamp),
    /// List the endpoints that calls have subscribed.
    Subscribed(oneshot::Sender<Vec<EndpointPlan>>),
    /// Return the subscriptions of calls, for other runs of the account.
    CallSubscriptions(oneshot::Sender<Vec<NewSubscription>>),
    /// Change subscriptions as a call has changed them at another run of the account.
    Subscribe(Box<SubscriptionChange>),
    /// Send no more events to the endpoint of this number.
    RemoveEndpoint(u32),
    /// Look at a conversation.
    Inspect(ConversationKey, oneshot::Sender<Option<Box<Conversation>>>),
    /// Return what the script of a conversation does next.
    Upcoming(ConversationKey, oneshot::Sender<Option<UpcomingStep>>),
    /// Give the deliveries of a run these faults from now on.
    SetFaults(u32, Faults),
    /// List the conversations.
    List(oneshot::Sender<Vec<ConversationOverview>>),
    /// Find the conversation to which an id belongs.
    Find(String, oneshot::Sender<Option<ConversationKey>>),
    /// Handle a call to the vendor's API.
    Call(Box<IncomingCall>, oneshot::Sender<CallOutcome>),
    /// The response to a call was sent. Deliveries and scripts have waited for that.
    ResponseSent(SentResponse),
    /// Complete the response to the call of this number, whose conversation has not settled in time.
    CompleteCall(u64),
    /// Return the run time of a conversation.
    Now(ConversationKey, oneshot::Sender<Option<Timestamp>>),
    /// Report when everything before this message has been recorded.
    Sync(oneshot::Sender<()>),
}

/// Why actions were not performed. The conversation has not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// There is no such conversation.
    #[error("there is no such conversation")]
    UnknownConversation,
    /// An action is not possible.
    #[error("{0}")]
    Refused(String),
    /// The emulator has stopped.
    #[error("the emulator has stopped")]
    Stopped,
}

/// The live account.
pub(super) struct AccountHost {
    pub(super) routes: Routes,
    pub(super) runs: FastMap<u32, LiveRun>,
    // Boxed: a table of ten thousand has almost as many free slots.
    pub(super) conversations: FastMap<ConversationKey, Box<LiveConversation>>,
    pub(super) registry: Registry,
    /// People whom calls have named.
    pub(super) people: People,
    /// The tokens that calls have issued.
    pub(super) tokens: IssuedTokens,
    /// The calls that limits have counted.
    pub(super) throttled: ThrottledCalls,
    /// The files that calls have uploaded.
    pub(super) files: Arc<HostedFiles>,
    /// The documents of the account.
    pub(super) documents: Arc<Documents>,
    /// Where the account keeps what calls change, if it does.
    pub(super) store: Option<AccountStore>,
    /// Number of calls so far.
    pub(super) calls: u64,
    /// Calls in no conversation of a script, which a script can expect.
    pub(super) calls_outside: CallInbox,
    /// Calls whose responses wait for their conversations.
    pub(super) settling: Vec<SettlingCall>,
    /// The people of all calls of a run that is being restored.
    pub(super) people_to_come: People,
    /// Numbers of the calls of earlier processes, by wall time.
    pub(super) restored_calls: BTreeMap<Timestamp, u64>,
}

impl AccountHost {
    pub(super) fn new(
        account: Arc<Account>,
        endpoints: Vec<EndpointPlan>,
        numbers: Arc<AtomicU32>,
    ) -> Self {
        let policies = policies(&account);
        let (live, subscriptions) = (Vec::new(), Vec::new());
        let documents = Documents::new(
            &account.platform.api.documents,
            &account.roots(),
            &account.fixed_seeds(),
        );
        let mut host = Self {
            routes: Routes {
                account,
                endpoints: live,
                subscriptions,
                policies,
                redactor: Redactor::default(),
                version: 1,
                numbers,
            },
            runs: FastMap::default(),
            conversations: FastMap::default(),
            registry: Registry::default(),
            people: People::default(),
            tokens: IssuedTokens::default(),
            throttled: ThrottledCalls::default(),
            files: Arc::default(),
            documents: Arc::new(documents),
            store: None,
            calls: 0,
            calls_outside: CallInbox::default(),
            settling: Vec::new(),
            people_to_come: People::default(),
            restored_calls: BTreeMap::new(),
        };
        endpoints.into_iter().for_each(|endpoint| host.add_endpoint(endpoint));
        host
    }

    fn add_endpoint(&mut self, plan: EndpointPlan) {
        self.routes.numbers.fetch_max(plan.number, Ordering::Relaxed);
        let Routes { account, endpoints, subscriptions, version, .. } = &mut self.routes;
        let known = endpoints.iter().position(|endpoint| endpoint.plan.number == plan.number);
        let (subscription, endpoint) =
            (plan.subscription.clone(), LiveEndpoint::new(plan, account));
        // Each run adds its endpoints again after the handshake, mostly without a change.
        if known.is_none_or(|index| subscriptions[index] != subscription) {
            *version += 1;
        }
        if let Some(index) = known {
            (subscriptions[index], endpoints[index]) = (subscription, endpoint);
        } else {
            subscriptions.push(subscription);
            endpoints.push(endpoint);
        }
    }

    /// Uses another version of the account from now on.
    fn reload(&mut self, account: Arc<Account>) {
        let (seeds, roots) = (account.fixed_seeds(), account.roots());
        let fresh = Documents::new(&account.platform.api.documents, &roots, &seeds);
        Arc::make_mut(&mut self.documents).add_kinds(fresh);
        let endpoints = self.routes.endpoints.iter();
        let endpoints = endpoints.map(|endpoint| endpoint.reloaded(&account)).collect();
        let earlier = Arc::new(EarlierRoutes {
            endpoints: std::mem::replace(&mut self.routes.endpoints, endpoints),
            policies: std::mem::replace(&mut self.routes.policies, policies(&account)),
        });
        for run in self.runs.values_mut() {
            run.earlier.get_or_insert_with(|| Arc::clone(&earlier));
        }
        drop(roots);
        self.routes.account = account;
    }

    fn list(&self) -> Vec<ConversationOverview> {
        let all = self.conversations.iter();
        let all =
            all.map(|(key, found)| ConversationOverview::of(*key, found.actor.conversation()));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|overview| overview.key);
        all
    }

    fn remove_endpoint(&mut self, number: u32) {
        // Planned deliveries refer to endpoints by index, so that the endpoint stays in the list.
        let all = self.routes.endpoints.iter().zip(&mut self.routes.subscriptions);
        for (_, subscription) in all.filter(|(endpoint, _)| endpoint.plan.number == number) {
            *subscription = Subscription::default();
        }
        self.routes.version += 1;
    }

    fn play(
        &mut self,
        run: ScriptedRun,
        shares_clock: bool,
        done: oneshot::Sender<()>,
    ) -> Vec<HostCommand> {
        let number = run.number;
        let first = if shares_clock { run.scripted() } else { run.scripted().min(MAX_ACTIVE) };
        run.log.redact(self.routes.redactor.clone());
        let mut live = LiveRun::new(run, &self.routes.account, done);
        live.calls_before = self.calls;
        self.runs.insert(number, live);
        (0..first).filter_map(|_| self.start_next(number)).collect()
    }

    /// Starts the next conversation of a run, if it has not started all of them.
    fn start_next(&mut self, run: u32) -> Option<HostCommand> {
        let live = self.runs.get_mut(&run)?;
        let key = ConversationKey { run, number: live.start_conversation()? };
        let account = Arc::clone(&live.account);
        let conversation = LiveConversation::of_script(live, &account, key.number);
        let conversation = self.conversations.entry(key).insert_entry(Box::new(conversation));
        conversation.into_mut().next_command(key)
    }

    pub(super) fn act(
        &mut self,
        key: ConversationKey,
        actions: &[Action],
        times: &mut dyn RunTimes,
    ) -> Result<(Vec<ActionSummary>, Vec<HostCommand>), ActError> {
        let unknown = ActError::UnknownConversation;
        let run = self.runs.get_mut(&key.run).ok_or(unknown.clone())?;
        let conversation = self.conversations.get_mut(&key).ok_or(unknown.clone())?;
        let at = times.now(key).ok_or(unknown)?;
        let outputs = conversation.actor.act(actions, at, &self.routes.subscriptions);
        let outputs = outputs.map_err(|error| ActError::Refused(error.to_string()))?;
        let state = conversation.actor.conversation();
        let summary = |output: &StepOutput| match &output.outcome {
            StepOutcome::Done { action, result, .. } => Some(summarize(action, result, state)),
            StepOutcome::Skipped { .. }
            | StepOutcome::Dropped { .. }
            | StepOutcome::Expected(_) => None,
        };
        let summaries = outputs.iter().filter_map(summary).collect();
        if conversation.reopen() {
            run.reopen_conversation();
        }
        let mut router = Router::new(&self.routes, run, key);
        router.commands.extend(conversation.release(u64::MAX));
        if run.plan.is_resumable {
            let scope = RecordScope { at, conversation: Some(key.number), step: None };
            let requested = RequestedUnit::of(actions).to_record();
            router.record(scope, RecordKind::ActionsRequested(requested));
        }
        conversation.route(outputs, &mut router, &mut self.registry);
        conversation.end_outbox(at, &mut router);
        router.commands.extend(conversation.next_command(key));
        Ok((summaries, router.commands))
    }

    /// Continues a script whose expectation has this result.
    pub(super) fn settle_expectation(
        &mut self,
        key: ConversationKey,
        result: &ExpectationResult,
        now: Timestamp,
    ) -> Vec<HostCommand> {
        let Some(run) = self.runs.get(&key.run) else { return Vec::new() };
        let Some(conversation) = self.conversations.get_mut(&key) else { return Vec::new() };
        let mut router = Router::new(&self.routes, run, key);
        if let Some(awaited) = conversation.expectation.take() {
            router.settle(*awaited, result, now);
        }
        let mut commands = router.commands;
        commands.extend(self.continue_script(key, ScriptInput::Expected(result, now), now));
        commands
    }
}

impl Host for AccountHost {
    type Message = EmulatorMessage;

    fn due(&mut self, key: ConversationKey, now: Timestamp) -> Vec<HostCommand> {
        let Some(run) = self.runs.get(&key.run) else { return Vec::new() };
        let Some(conversation) = self.conversations.get_mut(&key) else { return Vec::new() };
        // An earlier wake may have replaced one that still comes.
        conversation.wake_at.take_if(|wake_at| *wake_at <= now);
        let mut router = Router::new(&self.routes, run, key);
        // Deliveries keep the order of the actions that caused them.
        router.commands.extend(conversation.release(u64::MAX));
        conversation.submit_due(now, &mut router);
        if let Some(unsettled) = &mut conversation.unsettled {
            unsettled.add(&router.commands);
        }
        let mut commands = router.commands;
        match conversation.due().filter(|due| *due <= now) {
            Some(at) => commands.extend(self.continue_script(key, ScriptInput::Due, at)),
            None => commands.extend(conversation.next_command(key)),
        }
        commands
    }

    fn receive(&mut self, message: EmulatorMessage, times: &mut dyn RunTimes) -> Vec<HostCommand> {
        match message {
            EmulatorMessage::Play { run, shares_clock, done } => {
                return self.play(*run, shares_clock, done);
            }
            EmulatorMessage::Restore { run, facts, done, reply } => {
                let restored = self.restore(*run, *facts, done);
                let (commands, restored) = match restored {
                    Ok(commands) => (commands, Ok(())),
                    Err(reason) => (Vec::new(), Err(reason)),
                };
                let _ = reply.send(restored);
                return commands;
            }
            EmulatorMessage::Act(key, actions, reply) => match self.act(key, &actions, times) {
                Ok((summaries, commands)) => {
                    let _ = reply.send(Ok(summaries));
                    return commands;
                }
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            },
            EmulatorMessage::AddEndpoint(plan) => self.add_endpoint(plan),
            EmulatorMessage::Reload(account) => self.reload(account),
            EmulatorMessage::Remember(memory, now) => self.remember(*memory, now),
            EmulatorMessage::Subscribed(reply) => {
                let _ = reply.send(self.routes.subscribed_by_calls());
            }
            EmulatorMessage::CallSubscriptions(reply) => {
                let _ = reply.send(self.routes.subscriptions_of_calls());
            }
            EmulatorMessage::Subscribe(change) => return self.subscribe(&change, times),
            EmulatorMessage::RemoveEndpoint(number) => self.remove_endpoint(number),
            EmulatorMessage::Inspect(key, reply) => {
                let found = self.conversations.get(&key);
                let state = found.map(|found| Box::new(found.actor.conversation().clone()));
                let _ = reply.send(state);
            }
            EmulatorMessage::Upcoming(key, reply) => {
                let found = self.conversations.get(&key);
                let _ = reply.send(found.and_then(|found| found.actor.upcoming()));
            }
            EmulatorMessage::SetFaults(run, faults) => return self.set_faults(run, faults, times),
            EmulatorMessage::List(reply) => {
                let _ = reply.send(self.list());
            }
            EmulatorMessage::Find(id, reply) => {
                let get = |key| Some(self.conversations.get(&key)?.actor.conversation());
                let _ = reply.send(self.registry.find(&id, get));
            }
            EmulatorMessage::Call(incoming, reply) => {
                let result = self.call(*incoming, times);
                let mut commands = result.commands;
                // A client that has hung up must not hold back what its call has caused.
                if let Err(CallOutcome::Respond(lost)) = reply.send(result.outcome) {
                    for sent in lost.sent {
                        commands.extend(self.response_sent(sent, times));
                    }
                }
                return commands;
            }
            EmulatorMessage::ResponseSent(sent) => {
                let mut commands = self.response_sent(sent, times);
                commands.extend(self.note_settling(sent.call, times));
                return commands;
            }
            EmulatorMessage::CompleteCall(call) => return self.complete_call(call, times),
            EmulatorMessage::Now(key, reply) => {
                let _ = reply.send(times.now(key));
            }
            EmulatorMessage::Sync(reply) => {
                let _ = reply.send(());
            }
        }
        Vec::new()
    }

    fn recorded(
        &mut self,
        delivery: &Delivery,
        kind: &RecordKind,
        now: Timestamp,
    ) -> Vec<HostCommand> {
        let (key, holder) = (delivery.conversation, self.script_holder(delivery.conversation));
        let Some(conversation) = self.conversations.get_mut(&key) else { return Vec::new() };
        let Some(unsettled) = &mut conversation.unsettled else { return Vec::new() };
        match (kind, delivery.step) {
            (RecordKind::AttemptFinished { result, .. }, Some(step)) => {
                if let Some(holder) = self.conversations.get_mut(&holder) {
                    holder.actor.note_response(step, &delivery.id, result);
                }
            }
            (RecordKind::DeliverySettled(_), Some(step)) => unsettled.remove(step),
            _ => {}
        }
        let wait = self.conversations.get(&holder).map(|holder| holder.wait);
        let Some(ScriptWait::Deliveries(step)) = wait else { return Vec::new() };
        if !self.have_settled(holder, step) {
            return Vec::new();
        }
        self.continue_script(holder, ScriptInput::Settled(now), now)
    }

    fn expected(
        &mut self,
        key: ConversationKey,
        result: ExpectationResult,
        now: Timestamp,
    ) -> Vec<HostCommand> {
        let result = self.result_of(key, result);
        self.settle_expectation(key, &result, now)
    }

    fn cancelled(&mut self, run: u32) {
        // Dropping the run notifies the caller of `play`.
        self.runs.remove(&run);
        self.settling.retain(|known| known.place.conversation.run != run);
        for (key, conversation) in self.conversations.extract_if(|key, _| key.run == run) {
            self.registry.remove(key, conversation.actor.conversation());
        }
    }

    fn ended(&mut self, key: ConversationKey) -> Vec<HostCommand> {
        let Some(run) = self.runs.get_mut(&key.run) else { return Vec::new() };
        if let Some(conversation) = self.conversations.get_mut(&key) {
            // A call has acted in it meanwhile. It ends when those deliveries have settled.
            if !conversation.held.is_empty() {
                conversation.has_ended = false;
                return Vec::new();
            }
            conversation.is_settled = true;
        }
        run.end_conversation();
        let mut commands = Vec::new();
        // Later calls ask for the entities of earlier ones.
        let is_called = key.number > run.scripted();
        let keeps_entities = is_called
            && self
                .conversations
                .get(&key)
                .is_some_and(|live| !live.actor.conversation().entities.is_empty());
        if !run.plan.keeps_conversations
            && !keeps_entities
            && let Some(ended) = self.conversations.remove(&key)
        {
            self.registry.remove(key, ended.actor.conversation());
            commands.push(HostCommand::Forget(key));
        }
        commands.extend(self.start_next(key.run));
        commands
    }
}
