//! The live state of an account: its endpoints, runs and conversations. The driver wakes the
//! conversations, and passes on what people and programs want done.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::actor::{ConversationActor, StepOutcome};
use super::describe::summarize;
use super::endpoint::{EndpointPlan, LiveEndpoint};
use super::outbox::Outbox;
use super::registry::Registry;
use super::router::{Router, Routes};
use super::scripted_run::{LiveRun, ScriptedRun};
use crate::conversation::{Action, Conversation};
use crate::delivery::{ConversationKey, Host, HostCommand, RunTimes};
use crate::platform::{Account, Subscription};
use crate::record::ActionSummary;

/// Most conversations with virtual clocks of their own that are played at the same time. Others
/// start when one of these ends, which bounds the memory of a run.
const MAX_ACTIVE: u32 = 1_024;

/// A message to the live account.
pub(super) enum EmulatorMessage {
    /// Play a script. Reports when all its conversations have ended.
    Play(Box<ScriptedRun>, oneshot::Sender<()>),
    /// Perform actions in a conversation: all of them, or none.
    Act(ConversationKey, Vec<Action>, oneshot::Sender<Result<Vec<ActionSummary>, ActError>>),
    /// Add an endpoint.
    AddEndpoint(EndpointPlan),
    /// Send no more events to the endpoint of this number.
    RemoveEndpoint(u32),
    /// Look at a conversation.
    Inspect(ConversationKey, oneshot::Sender<Option<Box<Conversation>>>),
    /// Find the conversation to which an id belongs.
    Find(String, oneshot::Sender<Option<ConversationKey>>),
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
    routes: Routes,
    runs: HashMap<u32, LiveRun>,
    // Boxed: a table of ten thousand has almost as many free slots.
    conversations: HashMap<ConversationKey, Box<LiveConversation>>,
    registry: Registry,
}

/// A conversation with its outgoing deliveries.
struct LiveConversation {
    actor: ConversationActor,
    outbox: Outbox,
    /// The run time at which its script continues; `None` after its end.
    due: Option<Timestamp>,
}

impl AccountHost {
    pub(super) fn new(account: Arc<Account>, endpoints: Vec<EndpointPlan>) -> Self {
        let types = account.platform.event_types().into_iter();
        let policies = types.map(|name| (name.to_owned(), Arc::new(account.policy(name))));
        let policies = policies.collect();
        let (live, subscriptions) = (Vec::new(), Vec::new());
        let mut host = Self {
            routes: Routes { account, endpoints: live, subscriptions, policies },
            runs: HashMap::new(),
            conversations: HashMap::new(),
            registry: Registry::default(),
        };
        endpoints.into_iter().for_each(|endpoint| host.add_endpoint(endpoint));
        host
    }

    fn add_endpoint(&mut self, plan: EndpointPlan) {
        self.routes.subscriptions.push(plan.subscription.clone());
        self.routes.endpoints.push(LiveEndpoint::new(plan, &self.routes.account));
    }

    fn remove_endpoint(&mut self, number: u32) {
        // Planned deliveries refer to endpoints by index, so that the endpoint stays in the list.
        let all = self.routes.endpoints.iter().zip(&mut self.routes.subscriptions);
        for (_, subscription) in all.filter(|(endpoint, _)| endpoint.plan.number == number) {
            *subscription = Subscription::default();
        }
    }

    fn play(&mut self, run: &ScriptedRun, done: oneshot::Sender<()>) -> Vec<HostCommand> {
        let mut live = LiveRun::new(run, &self.routes.account, done);
        let shares_clock = run.shares_clock(&self.routes.account);
        let most = if shares_clock { u32::MAX } else { MAX_ACTIVE };
        live.started = run.conversations.min(most);
        let first = (1..=live.started).map(|number| {
            HostCommand::WaitUntil(ConversationKey { run: run.number, number }, live.start)
        });
        let commands = first.collect();
        self.runs.insert(run.number, live);
        commands
    }

    fn act(
        &mut self,
        key: ConversationKey,
        actions: &[Action],
        times: &mut dyn RunTimes,
    ) -> Result<(Vec<ActionSummary>, Vec<HostCommand>), ActError> {
        let unknown = ActError::UnknownConversation;
        let run = self.runs.get(&key.run).ok_or(unknown.clone())?;
        let LiveConversation { actor, outbox, .. } =
            &mut **self.conversations.get_mut(&key).ok_or(unknown.clone())?;
        let at = times.now(key).ok_or(unknown)?;
        let outputs = actor.act(actions, at, &self.routes.subscriptions);
        let outputs = outputs.map_err(|error| ActError::Refused(error.to_string()))?;
        let mut summaries = Vec::new();
        let mut router =
            Router { routes: &self.routes, run, conversation: key, commands: Vec::new() };
        for output in outputs {
            if let StepOutcome::Done { action, result, .. } = &output.outcome {
                summaries.push(summarize(action, &result.event, actor.conversation()));
            }
            if output.opens_conversation() {
                self.registry.add(key, actor.conversation());
            }
            router.route(output, actor.conversation(), outbox);
        }
        Ok((summaries, router.commands))
    }

    /// Starts the next conversation of a run that has not started all of them.
    fn start_next(&mut self, run: u32) -> Vec<HostCommand> {
        let Some(live) = self.runs.get_mut(&run) else { return Vec::new() };
        if live.started == live.conversations {
            return Vec::new();
        }
        live.started += 1;
        let key = ConversationKey { run, number: live.started };
        vec![HostCommand::WaitUntil(key, live.start)]
    }
}

impl LiveConversation {
    fn of_script(run: &LiveRun, account: &Arc<Account>, number: u32) -> Self {
        Self {
            actor: ConversationActor::scripted(&run.script, account, &run.staff, number),
            outbox: Outbox::new(&run.script, account, &run.seeds, number)
                .with_controls(run.controls_of(number)),
            due: Some(run.start),
        }
    }

    /// The run time at which something happens next; `None` if nothing does without others.
    fn next_due(&self) -> Option<Timestamp> {
        self.due.into_iter().chain(self.outbox.next_due()).min()
    }
}

impl Host for AccountHost {
    type Message = EmulatorMessage;

    fn due(&mut self, key: ConversationKey, now: Timestamp) -> Vec<HostCommand> {
        let Some(run) = self.runs.get(&key.run) else { return Vec::new() };
        let start = || Box::new(LiveConversation::of_script(run, &self.routes.account, key.number));
        let conversation = self.conversations.entry(key).or_insert_with(start);
        let LiveConversation { actor, outbox, due } = &mut **conversation;
        let mut router =
            Router { routes: &self.routes, run, conversation: key, commands: Vec::new() };
        while let Some(planned) = outbox.due(now) {
            router.submit([planned]);
        }
        if let Some(at) = due.filter(|due| *due <= now) {
            let mut outputs = Vec::new();
            *due = actor.advance(&self.routes.subscriptions, &mut outputs);
            for output in outputs {
                if output.opens_conversation() {
                    self.registry.add(key, actor.conversation());
                }
                router.route(output, actor.conversation(), outbox);
            }
            if due.is_none() {
                let held = outbox.end(at);
                router.submit(held);
            }
        }
        let mut commands = router.commands;
        commands.push(match conversation.next_due() {
            Some(at) => HostCommand::WaitUntil(key, at),
            None => HostCommand::End(key),
        });
        commands
    }

    fn receive(&mut self, message: EmulatorMessage, times: &mut dyn RunTimes) -> Vec<HostCommand> {
        match message {
            EmulatorMessage::Play(run, done) => return self.play(&run, done),
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
            EmulatorMessage::RemoveEndpoint(number) => self.remove_endpoint(number),
            EmulatorMessage::Inspect(key, reply) => {
                let found = self.conversations.get(&key);
                let state = found.map(|found| Box::new(found.actor.conversation().clone()));
                let _ = reply.send(state);
            }
            EmulatorMessage::Find(id, reply) => {
                let _ = reply.send(self.registry.find(&id));
            }
        }
        Vec::new()
    }

    fn cancelled(&mut self, run: u32) {
        // Dropping the run notifies the caller of `play`.
        self.runs.remove(&run);
        for (_, conversation) in self.conversations.extract_if(|key, _| key.run == run) {
            self.registry.remove(conversation.actor.conversation());
        }
    }

    fn ended(&mut self, key: ConversationKey) -> Vec<HostCommand> {
        let Some(run) = self.runs.get_mut(&key.run) else { return Vec::new() };
        run.end_conversation();
        if !run.keeps_conversations
            && let Some(ended) = self.conversations.remove(&key)
        {
            self.registry.remove(ended.actor.conversation());
        }
        self.start_next(key.run)
    }
}
