//! The state of a conversation: who takes part, what was said, what follows by itself.
//!
//! How acts change it is in `apply`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use super::action::{Action, Actor};
use super::entity::Entity;
use super::message::{Dialog, Message};
use super::person::{Person, Role};
use super::{GeneratedIds, made};
use crate::template::{FieldType, Object, TableType, Value, find, names as names_of};

crate::string_enum! {
    /// Whether something goes on.
    pub enum ConversationState {
        /// It goes on.
        Open = "open",
        /// It has ended.
        Closed = "closed",
    }
}

/// What differs between vendors in how a conversation behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversationRules {
    /// Whether the first assignee is assigned after the conversation has opened, by an event of
    /// its own.
    pub assigns_after_open: bool,
    /// Whether somebody can be asked first and accept later. Where not, only the acceptance shows.
    pub offers: bool,
    /// How soon somebody should answer a visitor.
    pub reply_within: Option<SignedDuration>,
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// What the vendor's `[ids]` made for it.
    pub ids: GeneratedIds,
    /// What differs between vendors.
    pub rules: ConversationRules,
    /// Everybody who can take part, in the part they have now.
    pub cast: Vec<Person>,
    /// Its number in the run, from 1.
    pub number: u32,
    /// The channel.
    pub channel: String,
    /// Whether it has begun, goes on, or has ended.
    pub state: Option<ConversationState>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it last changed; a message does not change it.
    pub changed_at: Timestamp,
    /// When it was assigned to whoever has it.
    pub assigned_at: Option<Timestamp>,
    /// When it ended, and by whom.
    pub closed: Option<(Timestamp, Person)>,
    /// The skill of the queue that it waits in, or last waited in.
    pub skill: Option<String>,
    /// By when the visitor should have an answer.
    pub reply_due: Option<Timestamp>,
    /// Who takes part, by name, in the order they joined.
    pub joined: Vec<String>,
    /// Who it is assigned to, by name.
    pub assignee: Option<String>,
    /// Everything that was said.
    pub messages: Vec<Message>,
    /// Its dialogs.
    pub dialogs: Vec<Dialog>,
    /// What is known about it under names of somebody's choice.
    pub variables: Json,
    /// The labels on it, by name.
    pub labels: Vec<String>,
    /// How it was rated.
    pub rating: Option<i64>,
    /// Customers, companies, articles: what acts have created and not deleted.
    pub entities: Vec<Entity>,
    /// Who types, by name.
    pub(super) typing: Vec<String>,
    /// How many messages each has read, by name.
    pub(super) read: Vec<(String, usize)>,
}

/// An act that cannot happen as things are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAction {
    /// Nothing happens before `open`.
    #[error("the conversation has not been opened")]
    NotOpened,
    /// It goes on already.
    #[error("the conversation is open already")]
    AlreadyOpen,
    /// It has ended.
    #[error("the conversation is closed")]
    Closed,
    /// Nobody is assigned.
    #[error("nobody is assigned")]
    NobodyAssigned,
    /// The cast has no such member.
    #[error("nobody is called `{0}`")]
    Nobody(String),
    /// There is nothing to read.
    #[error("there is nothing that `{0}` has not read")]
    NothingToRead(String),
    /// They take part already.
    #[error("`{0}` takes part already")]
    TakesPart(String),
    /// They do not take part.
    #[error("`{0}` does not take part")]
    TakesNoPart(String),
    /// It is assigned to them already.
    #[error("the conversation is assigned to `{0}` already")]
    Assigned(String),
    /// The label is on the conversation already.
    #[error("the conversation has the label `{0}` already")]
    Labelled(String),
    /// The label is not on the conversation.
    #[error("the conversation does not have the label `{0}`")]
    NotLabelled(String),
    /// There is something of this name already.
    #[error("there is something called `{0}` already")]
    Exists(String),
    /// There is nothing of this name.
    #[error("nothing is called `{0}`")]
    Nothing(String),
}

/// An act that follows by itself, and how long after.
pub type ImpliedAction = (Option<SignedDuration>, Action);

impl Conversation {
    /// A conversation that has not begun.
    pub fn new(number: u32, cast: Vec<Person>, rules: ConversationRules) -> Self {
        Self {
            ids: GeneratedIds::default(),
            rules,
            cast,
            number,
            channel: String::new(),
            state: None,
            opened_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            assigned_at: None,
            closed: None,
            skill: None,
            reply_due: None,
            joined: Vec::new(),
            assignee: None,
            messages: Vec::new(),
            dialogs: Vec::new(),
            variables: Json::Object(Map::new()),
            labels: Vec::new(),
            rating: None,
            entities: Vec::new(),
            typing: Vec::new(),
            read: Vec::new(),
        }
    }

    /// The member of this name, in the part they have now.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.cast.iter().find(|person| person.member.name == name)
    }

    /// Whoever is assigned.
    pub fn assignee(&self) -> Option<&Person> {
        self.assignee.as_deref().and_then(|name| self.person(name))
    }

    /// Somebody of a role: whoever is assigned, if they are, else the first of the cast.
    pub fn somebody(&self, role: Role) -> Option<String> {
        let assigned = self.assignee().filter(|person| person.role() == role);
        let first = || self.cast.iter().find(|person| person.role() == role);
        assigned.or_else(first).map(|person| person.member.name.clone())
    }

    /// The visitor.
    pub fn visitor(&self) -> Option<&Person> {
        self.cast.iter().find(|person| person.role() == Role::Visitor)
    }

    /// The last thing the visitor said.
    pub fn last_visitor_message(&self) -> Option<&Message> {
        self.messages.iter().rfind(|message| message.by.role() == Role::Visitor)
    }

    /// Who takes part, in the order they joined.
    pub fn participants(&self) -> impl DoubleEndedIterator<Item = &Person> {
        self.joined.iter().filter_map(|name| self.person(name))
    }

    /// The act that has to happen before this one: who speaks without taking part joins first.
    pub fn implied_before(&self, action: &Action) -> Option<Action> {
        let (Action::Say { by, .. } | Action::Typing { by, on: true } | Action::Read { by, .. }) =
            action
        else {
            return None;
        };
        let person = self.resolve(by).ok()?;
        let joins = matches!(person.role(), Role::Agent | Role::Manager)
            && !self.joined.contains(&person.member.name);
        (self.state == Some(ConversationState::Open) && joins)
            .then(|| Action::Join { by: by.clone() })
    }

    /// The act that follows from one that has just happened.
    pub fn implied_after(&self, action: &Action) -> Option<ImpliedAction> {
        match action {
            Action::Open { assignee: Some(assignee), .. } if self.rules.assigns_after_open => {
                let by = Actor::Member(Role::System.word().into());
                let to = Some(assignee.clone());
                Some((None, Action::Assign { to, skill: None, by, accept: None }))
            }
            Action::Assign { to: Some(to), accept: Some(after), .. } if self.rules.offers => {
                Some((Some(*after), Action::Accept { by: to.clone() }))
            }
            Action::Say { by, .. } => {
                let person = self.resolve(by).ok()?;
                let types = self.typing.contains(&person.member.name);
                types.then(|| (None, Action::Typing { by: by.clone(), on: false }))
            }
            _ => None,
        }
    }
}

crate::fields! {
    const FIELDS of Conversation {
        always number: FieldType::Int => |c| Value::Int(i64::from(c.number));
        always channel: FieldType::Text => |c| c.channel.as_str().into();
        always state: FieldType::Word(ConversationState::WORDS) => |c| c.state.unwrap_or(ConversationState::Open).word().into();
        always opened_at: FieldType::Time => |c| Value::Time(c.opened_at);
        always changed_at: FieldType::Time => |c| Value::Time(c.changed_at);
        maybe assigned_at: FieldType::Time => |c| Value::maybe_time(c.assigned_at);
        maybe closed_at: FieldType::Time => |c| Value::maybe_time(c.closed.as_ref().map(|c| c.0));
        maybe closed_by: FieldType::Any => |c| Value::maybe_object(c.closed.as_ref().map(|c| &c.1));
        maybe skill: FieldType::Text => |c| Value::maybe(c.skill.as_deref());
        maybe reply_due: FieldType::Time => |c| Value::maybe_time(c.reply_due);
        maybe assignee: FieldType::Any => |c| Value::maybe_object(c.assignee());
        always message_count: FieldType::Int => |c| Value::from(c.messages.len());
        maybe last_message: FieldType::Any => |c| Value::maybe_object(c.messages.last());
        maybe last_visitor_message: FieldType::Any => |c| Value::maybe_object(c.last_visitor_message());
        always messages: FieldType::Any => |c| Value::objects(&c.messages);
        always participants: FieldType::Any => |c| Value::objects(c.participants());
        always dialogs: FieldType::Any => |c| Value::objects(&c.dialogs);
        always variables: FieldType::open_table() => |c| Value::data(&c.variables);
        always labels: FieldType::list(FieldType::Text) => |c| c.labels.iter().map(String::as_str).collect();
        maybe rating: FieldType::Int => |c| c.rating.map_or(Value::Absent, Value::Int);
    }
}

/// A conversation.
pub fn names(person: &TableType, message: &TableType, dialog: &TableType) -> TableType {
    let [person, message, dialog] =
        [person, message, dialog].map(|names| FieldType::table(names.clone()));
    names_of("a conversation", FIELDS)
        .maybe("closed_by", person.clone())
        .maybe("assignee", person.clone())
        .always("participants", FieldType::list(person))
        .maybe("last_message", message.clone())
        .maybe("last_visitor_message", message.clone())
        .always("messages", FieldType::list(message))
        .always("dialogs", FieldType::list(dialog))
}

impl Object for Conversation {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.ids, name).or_else(|| find(FIELDS, self, name)).unwrap_or(Value::Absent)
    }
}
