//! One conversation at a vendor: the model with the vendor's ids, bodies and counters, and the
//! payloads that its events become.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::forms::CounterScope;
use super::ids::{self, Thing};
use super::roots::Roots;
use super::rule::{Coverage, EventRule};
use super::subscription::Subscription;
use super::{Account, Certainty, Vendor};
use crate::base::draw::Draw;
use crate::conversation::{
    Act, Conversation, DialogHead, DialogKind, Event, EventKind, Member, Message, Person, Refusal,
    Role,
};
use crate::template::{Object, TooLarge, Value};

/// One conversation, played at one vendor.
#[derive(Clone, Debug)]
pub struct Session {
    account: Arc<Account>,
    conversation: Conversation,
    draw: Draw,
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
pub struct Happened {
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
    Refused(#[from] Refusal),
    /// The vendor has no such kind of message.
    #[error("the vendor has no messages of the kind `{0}`")]
    UnknownKind(String),
    /// A body was too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl Session {
    /// A conversation of this number with this cast. Values of the conversation are drawn from
    /// `draw`; values of staff are the same in every conversation of a run.
    pub fn new(account: Arc<Account>, number: u32, cast: Vec<Person>, draw: Draw) -> Self {
        let habits = account.vendor.habits;
        let conversation = Conversation::new(number, cast, habits);
        Self { account, conversation, draw, counters: BTreeMap::new() }
    }

    /// The conversation as it stands.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Lets an act happen at this time. `label` names the act among those of the conversation, and
    /// the values it draws with it.
    pub fn act(
        &mut self,
        act: &Act,
        at: Timestamp,
        label: &str,
        subscription: &Subscription,
    ) -> Result<Happened, SessionError> {
        let draw = self.draw.within(label);
        let mut event = self.conversation.apply(&self.translated(act)?, at)?;
        match event.kind {
            EventKind::ConversationOpened => self.make_conversation_ids(),
            EventKind::MessageSent => self.make_message(event.messages[0], &draw)?,
            _ => {}
        }
        let outer = roots_of(&self.account, &self.conversation);
        event.ids = self.vendor().ids.make_plain(Thing::Event, &outer, &draw.within("event"));
        let payloads = self.payloads(&event, subscription)?;
        let silent = payloads.is_empty().then(|| self.reason(&event));
        Ok(Happened { event, payloads, silent })
    }

    fn vendor(&self) -> &Vendor {
        &self.account.vendor
    }

    /// The act with the kind of message that the vendor sends.
    fn translated(&self, act: &Act) -> Result<Act, SessionError> {
        let mut act = act.clone();
        if let Act::Say { kind, data, .. } = &mut act {
            let known = self.vendor().kinds.get(kind.as_str());
            let known = known.ok_or_else(|| SessionError::UnknownKind(kind.clone()))?;
            *data = known.complete(data);
            kind.clone_from(&known.name);
        }
        Ok(act)
    }

    fn make_conversation_ids(&mut self) {
        let account = Arc::clone(&self.account);
        let ids = &account.vendor.ids;
        let visitor = self.conversation.visitor().cloned();
        let outer = match &visitor {
            Some(visitor) => account.roots().with("visitor", visitor),
            None => account.roots(),
        };
        let draw = self.draw.within("conversation");
        let thing = (Thing::Conversation, "conversation");
        ids.make(thing, &mut self.conversation, |c| &mut c.ids, (&outer, &draw));
        let conversation = self.conversation.clone();
        let outer = outer.with("conversation", &conversation);
        for dialog in &mut self.conversation.dialogs {
            let mut head = DialogHead::clone(&dialog.head);
            let draw = self.draw.within(head.kind.word());
            ids.make((Thing::Dialog, "dialog"), &mut head, |head| &mut head.ids, (&outer, &draw));
            dialog.head = Arc::new(head);
        }
    }

    fn make_message(&mut self, place: usize, draw: &Draw) -> Result<(), SessionError> {
        let mut message = self.conversation.messages[place].clone();
        let vendor = self.vendor();
        let outer = roots_of(&self.account, &self.conversation);
        let draw_ids = draw.within("message");
        vendor.ids.make(
            (Thing::Message, "message"),
            &mut message,
            |m| &mut m.ids,
            (&outer, &draw_ids),
        );
        self.make_items(&mut message.data, &outer, draw);
        let kind = vendor.kinds.get(&message.kind);
        let kind = kind.ok_or_else(|| SessionError::UnknownKind(message.kind.clone()))?;
        message.word.clone_from(&kind.word);
        let body = kind.body.render(&outer.with("message", &message))?;
        message.body = serde_json::from_str(&body).unwrap_or_default();
        self.conversation.messages[place] = message;
        Ok(())
    }

    /// Gives each table in a list of a message's data its ids.
    fn make_items(&self, data: &mut Map<String, Json>, outer: &Roots<'_>, draw: &Draw) {
        for (key, list) in data.iter_mut() {
            for (at, item) in list.as_array_mut().into_iter().flatten().enumerate() {
                if let Json::Object(item) = item {
                    let draw = draw.within(&format!("{key} {at}"));
                    for (name, id) in self.vendor().ids.make_plain(Thing::Item, outer, &draw) {
                        item.entry(name).or_insert(id);
                    }
                }
            }
        }
    }

    fn payloads(
        &mut self,
        event: &Event,
        subscription: &Subscription,
    ) -> Result<Vec<Payload>, SessionError> {
        let account = Arc::clone(&self.account);
        let place =
            event.messages.first().copied().filter(|_| event.kind == EventKind::MessageSent);
        let mut unnumbered = place;
        let mut payloads = Vec::new();
        for rule in &account.vendor.events {
            let message = place.map(|place| &self.conversation.messages[place]);
            if !rule.matches(event, &self.conversation, message) {
                continue;
            }
            let number = rule.counter.as_ref().map(|name| (name.as_str(), self.count(name, event)));
            if let (Some(place), Some((name, number))) = (unnumbered, number)
                && account.vendor.counters.get(name).is_some_and(|counter| counter.messages)
            {
                self.conversation.messages[place].number = number;
                unnumbered = None;
            }
            let body = if subscription.covers(&rule.event_type) {
                Some(self.render(rule, event, place, number)?)
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
                    event.messages.first().map(|place| &self.conversation.messages[*place]);
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
        place: Option<usize>,
        number: Option<(&str, i64)>,
    ) -> Result<String, TooLarge> {
        let messages: Vec<&Message> =
            event.messages.iter().map(|place| &self.conversation.messages[*place]).collect();
        let told = Told { event, event_type: &rule.event_type, messages };
        let counter: Map<String, Json> =
            number.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
        let mut roots = roots_of(&self.account, &self.conversation)
            .with("event", &told)
            .with("counter", &counter);
        if let Some(place) = place {
            roots = roots.with("message", &self.conversation.messages[place]);
        }
        rule.body.render(&roots)
    }

    /// Why the vendor sends nothing for an event.
    fn reason(&self, event: &Event) -> String {
        match self.vendor().quiet.of(event.kind, event.by.role()) {
            Some(Coverage::Silent(reason) | Coverage::Cannot(reason)) => reason.to_owned(),
            _ => "the vendor sends nothing for it as things are".to_owned(),
        }
    }
}

fn roots_of<'a>(account: &'a Account, conversation: &'a Conversation) -> Roots<'a> {
    let roots = account.roots().with("conversation", conversation);
    match conversation.visitor() {
        Some(visitor) => roots.with("visitor", visitor),
        None => roots,
    }
}

/// An event as its own vendor tells it: with its type, and the messages it is about.
struct Told<'a> {
    event: &'a Event,
    event_type: &'a str,
    messages: Vec<&'a Message>,
}

impl Object for Told<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "type" => self.event_type.into(),
            "messages" => Value::objects(self.messages.iter().copied()),
            _ => self.event.get(name),
        }
    }
}

impl Account {
    /// A member with the ids that the vendor gives to somebody of their role.
    pub fn admit(&self, mut member: Member, draw: &Draw) -> Member {
        let roots = self.roots();
        for thing in [Thing::Person, ids::of_role(member.role)] {
            let mut person = Person::new(Arc::new(member.clone()), Map::new());
            self.vendor.ids.make(
                (thing, "person"),
                &mut person,
                |person| &mut Arc::make_mut(&mut person.member).ids,
                (&roots, &draw.within(&member.name)),
            );
            member.ids.clone_from(&person.member.ids);
        }
        member
    }

    /// What the vendor does about an event that somebody of this role causes.
    pub fn coverage(&self, on: EventKind, role: Role) -> Coverage<'_> {
        self.vendor.quiet.of(on, role).unwrap_or(Coverage::Sends)
    }
}
