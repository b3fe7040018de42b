//! One conversation at a vendor: the model with the vendor's ids, bodies and counters, and the
//! payloads that its events become.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::context::TemplateContext;
use super::event_rule::{Coverage, EventRule, kind_of};
use super::forms::CounterScope;
use super::ids::IdOwner;
use super::subscription::Subscription;
use super::{Account, Certainty, EventQuery, Platform};
use crate::base::seed::SeedScope;
use crate::conversation::{
    Action, Actor, Conversation, DialogKind, Event, EventKind, GeneratedIds, InvalidAction,
    Message, Person, Role,
};
use crate::template::{Object, TooLarge, Value};

/// One conversation, played at one vendor.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) account: Arc<Account>,
    pub(super) conversation: Conversation,
    pub(super) seeds: SeedScope,
    counters: BTreeMap<String, i64>,
}

/// A rendered body, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The vendor's name for the event.
    pub event_type: String,
    /// The body; nothing where the endpoint did not subscribe to the type.
    pub body: Option<String>,
    /// How well its shape is known.
    pub certainty: Certainty,
}

/// What an act caused.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionResult {
    /// The neutral event.
    pub event: Event,
    /// What the vendor sends for it, in order.
    pub payloads: Vec<Payload>,
    /// Why it sends nothing, where it does not.
    pub silent: Option<String>,
}

/// Why an act did not become payloads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It cannot happen now.
    #[error(transparent)]
    Refused(#[from] InvalidAction),
    /// The vendor has no such kind of message or entity.
    #[error("the vendor has nothing of the kind `{0}`")]
    UnknownKind(String),
    /// A body was too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl Session {
    /// A conversation of this number with this cast. Values of the conversation are drawn from
    /// `draw`; values of staff are the same in every conversation of a run.
    pub fn new(account: Arc<Account>, number: u32, cast: Vec<Person>, seeds: SeedScope) -> Self {
        let rules = account.platform.rules;
        let conversation = Conversation::new(number, cast, rules);
        Self { account, conversation, seeds, counters: BTreeMap::new() }
    }

    /// The conversation as it stands.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Lets an act happen at this time. `label` names the act among those of the conversation, and
    /// the values it draws with it.
    pub fn act(
        &mut self,
        action: &Action,
        at: Timestamp,
        label: &str,
        subscription: &Subscription,
    ) -> Result<ActionResult, SessionError> {
        let seeds = self.seeds.within(label);
        if let Action::Emit { by, event_type, data } = action
            && let Some(rule) = self.caused(event_type)
        {
            let mut happened = if rule.on.is_about_state() {
                self.tell_state(&rule, by, at, &seeds)?
            } else {
                self.tell_as_if(&rule, data.clone(), at, label)?
            };
            for payload in &mut happened.payloads {
                payload.body.take_if(|_| !self.vendor().covers(subscription, &payload.event_type));
            }
            return Ok(happened);
        }
        let action = self.completed(action, &seeds)?;
        let mut event = self.conversation.apply(&action, at)?;
        match event.kind {
            EventKind::ConversationOpened => self.make_conversation_ids(),
            EventKind::MessageSent => self.make_message(event.messages[0], &seeds)?,
            EventKind::EntityCreated => self.make_entity(&mut event, &seeds),
            EventKind::LabelsChanged | EventKind::FlowStarted => self.make_named(&mut event),
            _ => {}
        }
        event.ids = self.event_ids(&seeds);
        let rules = self.rules(&action, &event);
        let payloads = self.payloads(&rules, &event, subscription)?;
        let silent = payloads.is_empty().then(|| self.reason(&event));
        Ok(ActionResult { event, payloads, silent })
    }

    /// The rule of a type that only acts cause.
    fn caused(&self, event_type: &str) -> Option<EventRule> {
        let rules = || self.vendor().events.iter().filter(|rule| rule.is_called(event_type));
        let told = rules().any(|rule| rule.on == EventKind::Emitted);
        rules().find(|_| !told).cloned()
    }

    /// Tells the conversation's state as it is now, as if it had just become so.
    fn tell_state(
        &self,
        rule: &EventRule,
        by: &Actor,
        at: Timestamp,
        seeds: &SeedScope,
    ) -> Result<ActionResult, SessionError> {
        let mut event = self.conversation.now(rule.on, by, at)?;
        event.ids = self.event_ids(seeds);
        let body = Some(self.render(rule, &event, None)?);
        let event_type = rule.event_type.clone();
        let payloads = vec![Payload { event_type, body, certainty: rule.certainty }];
        Ok(ActionResult { event, payloads, silent: None })
    }

    /// Tells what an act would cause. It does not happen: only its numbers are taken.
    fn tell_as_if(
        &mut self,
        rule: &EventRule,
        mut data: Map<String, Json>,
        at: Timestamp,
        label: &str,
    ) -> Result<ActionResult, SessionError> {
        let kind = data.remove("kind").and_then(|kind| Some(kind.as_str()?.to_owned()));
        let wanted = EventQuery { by: None, kind, data };
        let cast = |role: Role| self.conversation.somebody(role);
        let actions = self.vendor().synthesize(rule, &wanted, &cast);
        let Some(last) = actions.last() else {
            return Err(SessionError::UnknownKind(rule.event_type.clone()));
        };
        let mut copy = self.clone();
        let only = Subscription::to(&rule.event_type);
        let mut happened = copy.act(last, at, label, &only)?;
        happened.payloads.retain(|payload| payload.body.is_some());
        happened.payloads.truncate(1);
        self.counters = copy.counters;
        Ok(happened)
    }

    fn event_ids(&self, seeds: &SeedScope) -> GeneratedIds {
        let outer = roots_of(&self.account, &self.conversation);
        self.vendor().ids.generate_detached(IdOwner::Event, &outer, &seeds.within("event"))
    }

    fn vendor(&self) -> &Platform {
        &self.account.platform
    }

    /// The places of the rules that send an event.
    fn rules(&self, action: &Action, event: &Event) -> Vec<usize> {
        let message = message_of(event).map(|index| &self.conversation.messages[index]);
        let fits = |rule: &EventRule| match action {
            Action::Emit { event_type, .. } => {
                rule.on == EventKind::Emitted && rule.is_called(event_type)
            }
            _ => rule.matches(event, &self.conversation, message),
        };
        let rules = self.vendor().events.iter().enumerate();
        rules.filter(|(_, rule)| fits(rule)).map(|(index, _)| index).collect()
    }

    fn payloads(
        &mut self,
        rules: &[usize],
        event: &Event,
        subscription: &Subscription,
    ) -> Result<Vec<Payload>, SessionError> {
        let account = Arc::clone(&self.account);
        let index = message_of(event);
        let mut unnumbered = index;
        let mut payloads = Vec::new();
        for rule in rules.iter().map(|rule| &account.platform.events[*rule]) {
            let number = rule.counter.as_ref().map(|name| (name.as_str(), self.count(name, event)));
            if let (Some(index), Some((name, number))) = (unnumbered, number)
                && account.platform.counters.get(name).is_some_and(|counter| counter.messages)
            {
                self.conversation.messages[index].number = number;
                unnumbered = None;
            }
            let body = if account.platform.covers(subscription, &rule.event_type) {
                Some(self.render(rule, event, number)?)
            } else {
                None
            };
            let event_type = rule.event_type.clone();
            payloads.push(Payload { event_type, body, certainty: rule.certainty });
        }
        Ok(payloads)
    }

    /// Takes the counter's next number.
    fn count(&mut self, name: &str, event: &Event) -> i64 {
        let counter = self.vendor().counters.get(name);
        let start = counter.map_or(0, |counter| counter.start);
        let key = match counter.map(|counter| counter.scope) {
            Some(CounterScope::Dialog) => {
                let message =
                    event.messages.first().map(|index| &self.conversation.messages[*index]);
                let dialog = message.map_or(DialogKind::Main, |message| message.dialog.kind);
                format!("{name} {dialog}")
            }
            _ => name.to_owned(),
        };
        let next = self.counters.entry(key).or_insert(start);
        let number = *next;
        *next += 1;
        number
    }

    fn render(
        &self,
        rule: &EventRule,
        event: &Event,
        number: Option<(&str, i64)>,
    ) -> Result<String, TooLarge> {
        let messages: Vec<&Message> =
            event.messages.iter().map(|index| &self.conversation.messages[*index]).collect();
        let told = EmittedConversation { event, event_type: &rule.event_type, messages };
        let counter: Map<String, Json> =
            number.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
        let mut roots = roots_of(&self.account, &self.conversation)
            .with("event", &told)
            .with("counter", &counter);
        if let Some(index) = message_of(event) {
            roots = roots.with("message", &self.conversation.messages[index]);
        }
        if let Some(entity) = &event.entity {
            roots = roots.with("entity", entity);
        }
        if let Some(before) = &event.before {
            roots = roots.with("before", before);
        }
        if event.kind == EventKind::Emitted {
            roots = roots.with("data", &event.details);
        }
        rule.body.render(&roots)
    }

    /// Why the vendor sends nothing for an event.
    fn reason(&self, event: &Event) -> String {
        let message = message_of(event).map(|index| &self.conversation.messages[index]);
        let about = kind_of(event, message);
        let about = about.and_then(|kind| self.vendor().silence.about(event.kind, &kind));
        match about.map(Coverage::Silent).or(self.vendor().silence.of(event.kind, event.by.role()))
        {
            Some(Coverage::Silent(reason) | Coverage::Cannot(reason)) => reason.to_owned(),
            _ => "the vendor sends nothing for it as things are".to_owned(),
        }
    }
}

/// The place of the message that an event is: one that was just said.
fn message_of(event: &Event) -> Option<usize> {
    event.messages.first().copied().filter(|_| event.kind == EventKind::MessageSent)
}

pub(super) fn roots_of<'a>(
    account: &'a Account,
    conversation: &'a Conversation,
) -> TemplateContext<'a> {
    let roots = account.roots().with("conversation", conversation);
    match conversation.visitor() {
        Some(visitor) => roots.with("visitor", visitor),
        None => roots,
    }
}

/// An event as its own vendor tells it: with its type, and the messages it is about.
struct EmittedConversation<'a> {
    event: &'a Event,
    event_type: &'a str,
    messages: Vec<&'a Message>,
}

impl Object for EmittedConversation<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "type" => self.event_type.into(),
            "messages" => Value::objects(self.messages.iter().copied()),
            _ => self.event.get(name),
        }
    }
}
