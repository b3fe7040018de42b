//! One conversation at a vendor: executes actions and renders the payloads they cause.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::account::Account;
use super::complete::ActionCompleter;
use super::definition::Platform;
use super::event_rule::{Coverage, EventQuery, EventRule, kind_of};
use super::forms::{Certainty, CounterScope};
use super::generate::IdGenerator;
use super::ids::IdOwner;
use super::losses::{LostField, lost_fields};
use super::session_error::SessionError;
use super::subscription::Subscription;
use super::synthesize::synthesize;
use crate::base::seed::SeedScope;
use crate::conversation::{
    Action, ActionKind, Actor, Conversation, ConversationCheckpoint, DialogKind, Event, EventKind,
    GeneratedIds, Member, Message, ParsedMessage, Person, Role,
};
use crate::record::EventFacts;
use crate::template::{JsonStyle, Object, TooLarge, Value};

/// One conversation at one vendor.
#[derive(Clone, Debug)]
pub struct Session {
    account: Arc<Account>,
    conversation: Conversation,
    seeds: SeedScope,
    counters: Counters,
}

/// The next number of each counter.
// A list, not a map: a vendor has one or two counters, and thousands of conversations hold them.
#[derive(Clone, Debug, Default)]
struct Counters(Vec<CounterState>);

/// A counter of a conversation or of one of its dialogs.
#[derive(Clone, Debug)]
struct CounterState {
    key: CounterKey,
    next: i64,
}

/// Identifies a counter within a conversation.
// Without its name, which would need more memory than the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CounterKey {
    /// Position among the counters of the platform.
    position: u16,
    /// The kind of its dialog; `None` for a counter of the conversation.
    dialog: Option<DialogKind>,
    /// Number among the dialogs of this kind, from 1; 0 for a counter of the conversation.
    // A conversation that was reopened can have several surveys.
    number: u16,
}

impl Counters {
    /// Advances a counter that begins at `start`, and returns its number.
    fn next(&mut self, key: CounterKey, start: i64) -> i64 {
        let index = self.0.iter().position(|known| known.key == key);
        let index = index.unwrap_or_else(|| {
            self.0.reserve_exact(1);
            self.0.push(CounterState { key, next: start });
            self.0.len() - 1
        });
        let counter = &mut self.0[index];
        counter.next += 1;
        counter.next - 1
    }
}

/// An earlier state of a session.
#[derive(Debug)]
pub struct SessionCheckpoint {
    conversation: ConversationCheckpoint,
    counters: Counters,
}

/// A rendered webhook body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The vendor's name for the event.
    pub event_type: String,
    /// The body; `None` if no endpoint has a subscription to the type. It is rendered once, however
    /// many endpoints it goes to.
    pub body: Option<String>,
    /// The endpoints with a subscription to the type, by index.
    pub endpoints: Vec<usize>,
    /// How well the body's structure is known.
    pub certainty: Certainty,
    /// JSON style of the body.
    pub style: JsonStyle,
    /// Number of the vendor's counter.
    pub number: Option<i64>,
    /// The event, if the vendor's headers or signatures depend on it.
    pub event: Option<Arc<EventFacts>>,
}

/// The result of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionResult {
    /// The neutral event.
    pub event: Event,
    /// The webhooks the vendor sends, in order.
    pub payloads: Vec<Payload>,
    /// The reason if the vendor sends nothing.
    pub silent: Option<String>,
    /// Fields of the action that the vendor does not send.
    pub lost: Vec<LostField>,
}

impl Session {
    /// Starts a conversation with these participants. Ids and data are generated from `seeds`.
    /// `number` is the conversation's index in the run.
    pub fn new(account: Arc<Account>, number: u32, cast: Vec<Person>, seeds: SeedScope) -> Self {
        let rules = Arc::clone(&account.platform.rules);
        let conversation = Conversation::new(number, cast, rules);
        Self { account, conversation, seeds, counters: Counters::default() }
    }

    /// Returns the current state of the conversation.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Adds a person to those who can act, unless one of this name is among them.
    pub fn admit(&mut self, person: &Person) {
        if self.conversation.person(&person.member.name).is_none() {
            self.conversation.cast.push(person.clone());
        }
    }

    /// Replaces the visitor by this person, who keeps the visitor's name in the cast. Returns the person
    /// under that name.
    pub fn adopt_visitor(&mut self, person: &Person) -> Person {
        let mut cast = self.conversation.cast.iter_mut();
        let Some(visitor) = cast.find(|member| member.role() == Role::Visitor) else {
            return person.clone();
        };
        let name = Arc::clone(&visitor.member.name);
        let member = Arc::new(Member { name, ..Member::clone(&person.member) });
        let mut adopted = Person { member, ..person.clone() };
        if let (Json::Object(own), Json::Object(given)) =
            (&*visitor.variables, Arc::make_mut(&mut adopted.variables))
        {
            let missing = own.iter().filter(|(name, _)| !given.contains_key(*name));
            let missing: Vec<_> =
                missing.map(|(name, value)| (name.clone(), value.clone())).collect();
            given.extend(missing);
        }
        *visitor = adopted.clone();
        adopted
    }

    /// Replaces the visitor by this person, also as the sender of the earlier messages.
    pub fn hand_over(&mut self, person: &Person) {
        let visitor = self.adopt_visitor(person);
        let messages = self.conversation.messages.iter_mut();
        for message in messages.filter(|message| message.by.role() == Role::Visitor) {
            let participant_role = message.by.participant_role;
            message.by = Person { participant_role, ..visitor.clone() };
        }
    }

    /// Executes an action at this time. `label` is unique among the actions of the conversation;
    /// the action's ids and data are generated from it. `subscriptions` has one entry per endpoint.
    ///
    /// If the action fails, the session does not change.
    pub fn execute(
        &mut self,
        action: &Action,
        at: Timestamp,
        label: &str,
        subscriptions: &[Subscription],
    ) -> Result<ActionResult, SessionError> {
        let before = self.checkpoint();
        let result = self.try_execute(action, at, label, subscriptions);
        if result.is_err() {
            self.restore(before);
        }
        result
    }

    /// Returns the current state, to return to with [`Session::restore`].
    pub fn checkpoint(&mut self) -> SessionCheckpoint {
        let counters = self.counters.clone();
        SessionCheckpoint { conversation: self.conversation.checkpoint(), counters }
    }

    /// Returns to an earlier state.
    pub fn restore(&mut self, checkpoint: SessionCheckpoint) {
        self.conversation.restore(checkpoint.conversation);
        self.counters = checkpoint.counters;
    }

    fn try_execute(
        &mut self,
        action: &Action,
        at: Timestamp,
        label: &str,
        subscriptions: &[Subscription],
    ) -> Result<ActionResult, SessionError> {
        let seeds = self.seeds.within(label);
        let account = Arc::clone(&self.account);
        let emitted = match &action.kind {
            ActionKind::Emit { event_type, data } => account.platform.emit_rule(event_type, data),
            _ => None,
        };
        if let (ActionKind::Emit { data, .. }, Some(rule)) = (&action.kind, emitted)
            && rule.on != EventKind::Emitted
        {
            let mut result = if rule.on.reports_state() {
                self.emit_state(rule, &action.by, at, &seeds)?
            } else {
                self.emit_without_effect(rule, data.clone(), at, label)?
            };
            for payload in &mut result.payloads {
                payload.endpoints = self.subscribers(subscriptions, &payload.event_type);
                payload.body.take_if(|_| payload.endpoints.is_empty());
            }
            return Ok(result);
        }
        let conversation = &self.conversation;
        let completer = ActionCompleter { account: &account, conversation, seeds: &seeds, at };
        let requested = action;
        let mut action = completer.complete(requested)?;
        if let (ActionKind::Emit { data, .. }, Some(rule)) = (&mut action.kind, emitted) {
            *data = completer.complete_emitted(rule, std::mem::take(data));
            self.set_default_actor(&mut action.by, rule);
        }
        let mut event = self.conversation.apply(&action, at)?;
        let generator = IdGenerator { account: &account };
        let conversation = &mut self.conversation;
        match event.kind {
            EventKind::ConversationOpened => {
                if let ActionKind::Open { ids, .. } = &action.kind {
                    generator.conversation(conversation, ids, &self.seeds);
                }
            }
            EventKind::MessageSent => {
                generator.message(conversation, event.messages[0], &seeds)?;
            }
            EventKind::ConversationClosed => generator.survey(conversation, &seeds),
            EventKind::EntityCreated => {
                if let ActionKind::Create { ids, .. } = &action.kind {
                    generator.entity(conversation, &mut event, ids.as_deref(), &seeds);
                }
            }
            EventKind::LabelsChanged | EventKind::FlowStarted => {
                generator.labels_or_flow(&mut event);
            }
            _ => {}
        }
        if emitted.is_some_and(|rule| rule.keep) {
            self.conversation.keep(&event.details, at);
        }
        event.ids = self.event_ids(&seeds);
        let rules = match emitted {
            _ if requested.quiet || self.conversation.hidden => Vec::new(),
            Some(rule) => vec![rule],
            None => self.matching_rules(&account.platform, &event),
        };
        let payloads = self.payloads(&rules, &event, subscriptions, &seeds)?;
        let lost = lost_fields(requested, &action, &account.platform, &rules);
        let silent = payloads.is_empty().then(|| match self.conversation.hidden {
            true => HIDDEN.to_owned(),
            false if requested.quiet => QUIET.to_owned(),
            false => self.silence_reason(&event),
        });
        Ok(ActionResult { event, payloads, silent, lost })
    }

    /// Replaces the system, which emits events by default, if the rule does not admit it.
    fn set_default_actor(&self, by: &mut Actor, rule: &EventRule) {
        let is_system = |name: &String| {
            self.conversation.person(name).is_some_and(|person| person.role() == Role::System)
        };
        let Actor::Member(name) = by else { return };
        if rule.covers_role(Role::System) || !is_system(name) {
            return;
        }
        let joined = |role: &Role| self.conversation.participants().any(|p| p.role() == *role);
        let role = rule.roles().iter().find(|role| joined(role)).or(rule.roles().first());
        if let Some(found) = role.and_then(|role| self.conversation.person_with_role(*role)) {
            *name = found;
        }
    }

    /// Sends the current state of the conversation, as if it had just changed.
    fn emit_state(
        &self,
        rule: &EventRule,
        by: &Actor,
        at: Timestamp,
        seeds: &SeedScope,
    ) -> Result<ActionResult, SessionError> {
        let mut event = self.conversation.state_event(rule.on, by, at)?;
        event.ids = self.event_ids(seeds);
        let payloads = vec![self.render(rule, &event, None, vec![0])?];
        Ok(ActionResult { event, payloads, silent: None, lost: Vec::new() })
    }

    /// Sends what an action would cause, without changing the conversation.
    fn emit_without_effect(
        &mut self,
        rule: &EventRule,
        data: Map<String, Json>,
        at: Timestamp,
        label: &str,
    ) -> Result<ActionResult, SessionError> {
        let query = EventQuery::of_emitted(data);
        let cast = |role: Role| self.conversation.person_with_role(role);
        let actions = synthesize(self.platform(), rule, &query, &cast);
        let Some((last, before)) = actions.split_last() else {
            return Err(SessionError::UnknownKind(rule.event_type.clone()));
        };
        // Executed on a copy: the conversation itself must not change.
        let mut copy = self.clone();
        let result = copy.execute_only(last, rule, at, label);
        if let Ok(result) = result
            && !result.payloads.is_empty()
        {
            // The counters advance: a later webhook must not repeat a sequence number.
            self.counters = copy.counters;
            return Ok(result);
        }
        // The state does not admit the action, so the copy first gets one that does.
        let mut copy = self.clone();
        copy.prepare(before, last, at, label);
        let result = copy.execute_only(last, rule, at, label)?;
        self.counters = copy.counters;
        Ok(result)
    }

    /// Executes an action and keeps the one payload that this rule's type requires.
    fn execute_only(
        &mut self,
        action: &Action,
        rule: &EventRule,
        at: Timestamp,
        label: &str,
    ) -> Result<ActionResult, SessionError> {
        let mut result = self.execute(action, at, label, &[Subscription::to(&rule.event_type)])?;
        result.payloads.retain(|payload| payload.body.is_some());
        // Several rules can send one type, but the step emits one webhook.
        result.payloads.truncate(1);
        Ok(result)
    }

    /// Executes what must precede an action. Actions that the state does not admit are skipped.
    fn prepare(&mut self, before: &[Action], last: &Action, at: Timestamp, label: &str) {
        let reopen = self
            .conversation
            .visitor()
            .map(|visitor| ActionKind::Reopen.by(Actor::Member(visitor.member.name.to_string())));
        // A label that the conversation has cannot be added again.
        let unlabel = match &last.kind {
            ActionKind::Label { add: true, labels } => {
                let unlabel = ActionKind::Label { add: false, labels: labels.clone() };
                Some(unlabel.by(last.by.clone()))
            }
            _ => None,
        };
        let actions = reopen.iter().chain(before).chain(&unlabel);
        for (action, number) in actions.zip(1..) {
            let label = format!("{label} before {number}");
            // Nothing is sent, so no subscription is needed.
            let _ = self.execute(action, at, &label, &[Subscription::to("")]);
        }
    }

    fn event_ids(&self, seeds: &SeedScope) -> GeneratedIds {
        let outer = self.account.conversation_roots(&self.conversation);
        self.platform().ids.generate_detached(IdOwner::Event, &outer, &seeds.within("event"))
    }

    fn platform(&self) -> &Platform {
        &self.account.platform
    }

    /// Returns the rules that send an event.
    fn matching_rules<'p>(&self, platform: &'p Platform, event: &Event) -> Vec<&'p EventRule> {
        let message = message_of(event).map(|index| &self.conversation.messages[index]);
        let rules = platform.events.iter();
        rules.filter(|rule| rule.matches(event, &self.conversation, message)).collect()
    }

    fn payloads(
        &mut self,
        rules: &[&EventRule],
        event: &Event,
        subscriptions: &[Subscription],
        seeds: &SeedScope,
    ) -> Result<Vec<Payload>, SessionError> {
        let account = Arc::clone(&self.account);
        let message = message_of(event);
        // Only the first counter with `messages = true` numbers the message.
        let mut unnumbered = message;
        let mut payloads = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            // Receivers recognise duplicates by the id in a header, so that each webhook has its own.
            let own = (index > 0 && account.platform.signs_events()).then(|| {
                let ids = self.event_ids(&seeds.within(&format!("webhook {index}")));
                Event { ids, ..event.clone() }
            });
            let event = own.as_ref().unwrap_or(event);
            // Counters advance even without a subscription: the vendor counts events, not requests.
            let number =
                rule.counter.as_ref().map(|name| (name.as_str(), self.next_number(name, event)));
            if let (Some(index), Some((name, number))) = (unnumbered, number)
                && account.platform.counters.get(name).is_some_and(|counter| counter.messages)
            {
                self.conversation.messages[index].number = number;
                unnumbered = None;
            }
            let endpoints = self.subscribers(subscriptions, &rule.event_type);
            payloads.push(if endpoints.is_empty() {
                let (event_type, certainty) = (rule.event_type.clone(), rule.certainty);
                let style = rule.body.style();
                let number = number.map(|(_, number)| number);
                Payload { event_type, body: None, endpoints, certainty, style, number, event: None }
            } else {
                self.render(rule, event, number, endpoints)?
            });
        }
        Ok(payloads)
    }

    /// Returns the indices of the subscriptions that cover an event type.
    fn subscribers(&self, subscriptions: &[Subscription], event_type: &str) -> Vec<usize> {
        let covers = |subscription| self.platform().covers(subscription, event_type);
        let all = subscriptions.iter().enumerate();
        all.filter(|(_, subscription)| covers(subscription)).map(|(index, _)| index).collect()
    }

    /// Advances a counter and returns its number.
    fn next_number(&mut self, name: &str, event: &Event) -> i64 {
        let counters = &self.platform().counters;
        let counter = counters.get(name);
        let start = counter.map_or(0, |counter| counter.start);
        let position = counters.keys().position(|known| known == name).unwrap_or(counters.len());
        let is_of_dialog = counter.is_some_and(|counter| counter.scope == CounterScope::Dialog);
        let dialog = is_of_dialog
            .then(|| event.dialog.as_ref().map_or(DialogKind::Main, |dialog| dialog.kind));
        let number = self.conversation.dialogs.iter().filter(|d| Some(d.head.kind) == dialog);
        // A conversation has far fewer dialogs, and a platform far fewer counters.
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let (position, number) = (small(position), small(number.count()));
        let key = CounterKey { position, dialog, number };
        self.counters.next(key, start)
    }

    fn render(
        &self,
        rule: &EventRule,
        event: &Event,
        number: Option<(&str, i64)>,
        endpoints: Vec<usize>,
    ) -> Result<Payload, TooLarge> {
        let messages: Vec<&Message> =
            event.messages.iter().map(|index| &self.conversation.messages[*index]).collect();
        let event_root = EventRoot { event, event_type: &rule.event_type, messages };
        let counter: Map<String, Json> =
            number.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
        let mut roots = self
            .account
            .conversation_roots(&self.conversation)
            .with("event", &event_root)
            .with("counter", &counter);
        let message = message_of(event).map(|index| &self.conversation.messages[index]);
        let message = message.map(ParsedMessage::new);
        if let Some(message) = &message {
            roots = roots.with("message", message);
        }
        if let Some(entity) = &event.entity {
            roots = roots.with("entity", entity);
        }
        if let Some(before) = &event.before {
            roots = roots.with("before", before);
        }
        match event.kind {
            EventKind::Emitted => roots = roots.with("data", &event.details),
            EventKind::EntityUpdated => roots = roots.with("changes", &event.details),
            _ => {}
        }
        let assumed = rule.assumed.as_ref().map(|parts| parts.render(&roots)).transpose()?;
        let is_assumed = assumed.is_some_and(|parts| parts != "[]");
        let certainty = if is_assumed { Certainty::Assumed } else { rule.certainty };
        let body = Some(rule.body.render(&roots)?);
        let event = self.platform().signs_events().then(|| event_facts(rule, event));
        let (event_type, style) = (rule.event_type.clone(), rule.body.style());
        let number = number.map(|(_, number)| number);
        Ok(Payload { event_type, body, endpoints, certainty, style, number, event })
    }

    /// Returns why the vendor sends nothing for an event.
    fn silence_reason(&self, event: &Event) -> String {
        let silence = &self.platform().silence;
        let message = message_of(event).map(|index| &self.conversation.messages[index]);
        // A reason for the kind is more specific than one for the role.
        let of_kind =
            kind_of(event, message).and_then(|kind| silence.reason_for_kind(event.kind, kind));
        let coverage = of_kind.map(Coverage::Silent);
        match coverage.or_else(|| silence.coverage(event.kind, event.by.role())) {
            Some(Coverage::Silent(reason) | Coverage::Cannot(reason)) => reason.to_owned(),
            _ => "no event rule of the vendor matches in this state".to_owned(),
        }
    }
}

/// Why nothing is sent for a quiet action.
const QUIET: &str = "the vendor sends nothing for what this call does";

/// Why nothing is sent for an action in a hidden conversation.
const HIDDEN: &str = "the vendor does not store this conversation";

/// Returns the event as headers and signatures name it.
fn event_facts(rule: &EventRule, event: &Event) -> Arc<EventFacts> {
    let (event_type, at) = (rule.event_type.clone(), event.at);
    Arc::new(EventFacts { event_type, at, ids: event.ids.clone().into_entries().collect() })
}

/// Returns the index of the message that an event has just added to the conversation.
fn message_of(event: &Event) -> Option<usize> {
    event.messages.first().copied().filter(|_| event.kind == EventKind::MessageSent)
}

/// The root `event`: the neutral event with the vendor's type and the messages it is about.
struct EventRoot<'a> {
    event: &'a Event,
    event_type: &'a str,
    messages: Vec<&'a Message>,
}

impl Object for EventRoot<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "type" => self.event_type.into(),
            "messages" => Value::objects(self.messages.iter().copied()),
            _ => self.event.get(name),
        }
    }
}
