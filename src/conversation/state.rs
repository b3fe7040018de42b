//! State of a conversation: participants, messages, and the actions that other actions imply.
//!
//! `apply` contains the state transitions.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::action::{Action, ActionKind, Actor};
use super::entity::Entity;
use super::event::UpdatingEvents;
use super::generated_ids::GeneratedIds;
use super::lifecycle::ConversationState;
use super::message::{Closing, Dialog, DialogKind, Message};
use super::person::{Person, Role, empty_table};
use crate::template::{FieldType, Object, TableType, Value, field_value, table_type};

/// Vendor-specific behaviour of conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversationRules {
    /// Assign the first assignee after opening, with a separate event.
    pub assigns_after_open: bool,
    /// Report an offer to an agent as an event; if false, only its acceptance is reported.
    pub offers: bool,
    /// Time limit for a reply to a visitor.
    pub reply_within: Option<SignedDuration>,
    /// Roles whose members join before they act.
    pub joins: JoiningRoles,
    /// Whether a survey can follow a conversation.
    pub surveys: bool,
    /// In which conversations staff acts.
    pub staff_access: StaffAccess,
    /// Events that set `updated_at`.
    pub updated_by: UpdatingEvents,
}

/// In which conversations staff acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StaffAccess {
    /// Those that it has not left. Closed ones are not assigned.
    #[default]
    Participants,
    /// All of a shared inbox, also those that it has left. Closed ones are assigned too.
    SharedInbox,
}

/// Roles whose members join a conversation before they speak, type, read or write a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoiningRoles(u8);

impl JoiningRoles {
    /// Returns a set of roles.
    pub fn of(roles: &[Role]) -> Self {
        Self(roles.iter().fold(0, |set, role| set | 1 << *role as u8))
    }

    fn contains(self, role: Role) -> bool {
        self.0 & 1 << role as u8 != 0
    }
}

impl Default for JoiningRoles {
    /// Agents and managers: the platform itself and its bots usually take part in every
    /// conversation.
    fn default() -> Self {
        Self::of(&[Role::Agent, Role::Manager])
    }
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Generated ids.
    pub ids: GeneratedIds,
    /// Vendor-specific behaviour.
    pub rules: Arc<ConversationRules>,
    /// All possible participants, with their current roles.
    pub cast: Vec<Person>,
    /// Number within the run, from 1.
    pub number: u32,
    /// Channel, such as `web`.
    pub channel: String,
    /// Open or closed, whether or not a survey follows; `None` before the first `open`.
    pub state: Option<ConversationState>,
    /// Whether the vendor sends nothing about it, and no list has it.
    pub hidden: bool,
    /// Time of opening.
    pub opened_at: Timestamp,
    /// Time of the last change; messages do not count as changes.
    pub changed_at: Timestamp,
    /// Time at which the conversation was last opened, assigned, closed or reopened.
    pub status_changed_at: Timestamp,
    /// Time of the last event of `[conversation] updated_by`.
    pub updated_at: Timestamp,
    /// `updated_at` before the last action.
    pub updated_before: Timestamp,
    /// Time at which the current assignee was assigned.
    pub assigned_at: Option<Timestamp>,
    /// When it was last closed, and by whom; kept when it is reopened.
    pub closed: Option<Box<Closing>>,
    /// Skill of the current or last queue.
    pub skill: Option<String>,
    /// Deadline for the reply to the visitor.
    pub reply_due: Option<Timestamp>,
    /// Names of the participants, in the order of joining.
    pub joined: Vec<Arc<str>>,
    /// Name of the assignee.
    pub assignee: Option<Arc<str>>,
    /// Names of the people who have sent a message or written a note, in the order of the first one.
    pub(super) spoke: Vec<Arc<str>>,
    /// All messages, oldest first.
    pub messages: Vec<Message>,
    /// Dialogs, oldest first.
    pub dialogs: Vec<Dialog>,
    /// Variables of the conversation, as a JSON object.
    pub variables: Arc<Json>,
    /// Data of emitted events that the vendor keeps, as a JSON object.
    pub kept: Arc<Json>,
    /// Names of the labels.
    pub labels: Vec<String>,
    /// Last rating, from 1 to 5.
    pub rating: Option<i64>,
    /// Entities that were created and not deleted.
    pub entities: Vec<Entity>,
    /// What only some conversations need. Boxed to save memory: thousands of them wait at once.
    pub(super) presence: Option<Box<Presence>>,
}

/// Who has left, types or has read.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    /// Names of the people who were participants and are not any more.
    pub(super) left: Vec<Arc<str>>,
    /// Names of the participants who are typing.
    pub(super) typing: Vec<Arc<str>>,
    /// Number of messages that each participant has read, by name.
    pub(super) read: Vec<(Arc<str>, usize)>,
}

/// An earlier state of a conversation.
#[derive(Debug)]
pub struct ConversationCheckpoint {
    /// The state without its messages.
    state: Box<Conversation>,
    messages: usize,
}

/// Reason why an action is invalid in the current state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAction {
    /// The conversation was not opened yet.
    #[error("the conversation has not been opened")]
    NotOpened,
    /// The conversation is open.
    #[error("the conversation is already open")]
    AlreadyOpen,
    /// The conversation is closed.
    #[error("the conversation is closed")]
    Closed,
    /// The conversation is closed, and its survey is open.
    #[error("the conversation is closed, and its survey is in progress")]
    SurveyOpen,
    /// The survey has not begun, or has ended.
    #[error("the conversation has no survey in progress")]
    NoSurvey,
    /// The vendor has no surveys.
    #[error("the vendor has no surveys")]
    SurveysUnsupported,
    /// The person takes no part in the survey.
    #[error("`{0}` takes no part in the survey")]
    NotInSurvey(String),
    /// The action refers to the assignee, but the conversation has no assignee.
    #[error("the conversation has no assignee")]
    NoAssignee,
    /// The cast has no member with this name.
    #[error("unknown participant `{0}`")]
    UnknownPerson(String),
    /// The reader has no unread messages.
    #[error("`{0}` has no unread messages")]
    NothingToRead(String),
    /// The participant has joined before.
    #[error("`{0}` has already joined")]
    AlreadyJoined(String),
    /// The participant has not joined.
    #[error("`{0}` has not joined")]
    NotJoined(String),
    /// The conversation was opened by another visitor.
    #[error("`{0}` is not the visitor of this conversation")]
    OtherVisitor(String),
    /// Only visitors rate: a score of staff would be attributed to the visitor.
    #[error("`{0}` cannot rate: only the visitor does")]
    RatesAsStaff(String),
    /// Only staff writes notes: visitors do not see them.
    #[error("`{0}` cannot write a note: only staff does")]
    NotesAsVisitor(String),
    /// The person was a participant, and is not any more.
    #[error("`{0}` is no longer in the conversation")]
    HasLeft(String),
    /// The participant is the assignee.
    #[error("the conversation is already assigned to `{0}`")]
    AlreadyAssigned(String),
    /// The conversation has the label.
    #[error("the conversation already has the label `{0}`")]
    AlreadyLabelled(String),
    /// The conversation does not have the label.
    #[error("the conversation does not have the label `{0}`")]
    NotLabelled(String),
    /// The name of a new entity is in use.
    #[error("an entity named `{0}` already exists")]
    EntityExists(String),
    /// No entity has this name.
    #[error("no entity is named `{0}`")]
    UnknownEntity(String),
}

/// An implied action with its delay; `None` applies it immediately.
pub type ImpliedAction = (Option<SignedDuration>, Action);

impl Conversation {
    /// Creates a conversation that is not open yet.
    pub fn new(number: u32, cast: Vec<Person>, rules: Arc<ConversationRules>) -> Self {
        Self {
            ids: GeneratedIds::default(),
            rules,
            cast,
            number,
            channel: String::new(),
            state: None,
            hidden: false,
            opened_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            status_changed_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            updated_before: Timestamp::UNIX_EPOCH,
            assigned_at: None,
            closed: None,
            skill: None,
            reply_due: None,
            joined: Vec::new(),
            assignee: None,
            spoke: Vec::new(),
            messages: Vec::new(),
            dialogs: Vec::new(),
            variables: empty_table(),
            kept: empty_table(),
            labels: Vec::new(),
            rating: None,
            entities: Vec::new(),
            presence: None,
        }
    }

    /// Returns the current state, to return to with [`Conversation::restore`].
    pub fn checkpoint(&mut self) -> ConversationCheckpoint {
        // Messages are only ever appended, so that their number is enough. A transcript can be long.
        let messages = std::mem::take(&mut self.messages);
        let state = Box::new(self.clone());
        self.messages = messages;
        ConversationCheckpoint { state, messages: self.messages.len() }
    }

    /// Returns to an earlier state.
    pub fn restore(&mut self, checkpoint: ConversationCheckpoint) {
        let mut messages = std::mem::take(&mut self.messages);
        messages.truncate(checkpoint.messages);
        *self = Self { messages, ..*checkpoint.state };
    }

    /// Returns the cast member with this name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.cast.iter().find(|person| *person.member.name == *name)
    }

    /// Returns the current assignee.
    pub fn assignee(&self) -> Option<&Person> {
        self.assignee.as_deref().and_then(|name| self.person(name))
    }

    /// Returns the name of a person with this role. The assignee is preferred, then participants in the
    /// order of joining, then the order of the cast.
    pub fn person_with_role(&self, role: Role) -> Option<String> {
        let has_role = |person: &&Person| person.role() == role;
        let assigned = self.assignee().filter(has_role);
        let joined = || self.participants().find(has_role);
        let first = || self.cast.iter().find(has_role);
        assigned.or_else(joined).or_else(first).map(|person| person.member.name.to_string())
    }

    /// Returns the visitor.
    pub fn visitor(&self) -> Option<&Person> {
        self.cast.iter().find(|person| person.role() == Role::Visitor)
    }

    /// Returns open while the conversation or its survey is open.
    pub fn stage(&self) -> ConversationState {
        let survey = self.survey().map(|survey| survey.state);
        match (self.state, survey) {
            (Some(ConversationState::Closed), None | Some(ConversationState::Closed)) => {
                ConversationState::Closed
            }
            _ => ConversationState::Open,
        }
    }

    /// Returns when a closed conversation was closed, and by whom.
    pub fn closing(&self) -> Option<&Closing> {
        self.closed.as_deref().filter(|_| self.state == Some(ConversationState::Closed))
    }

    /// Returns the survey that followed the closing of the conversation.
    pub fn survey(&self) -> Option<&Dialog> {
        let closed_at = self.closing()?.at;
        let mut surveys = self.dialogs.iter().filter(|d| d.head.kind == DialogKind::Survey);
        // Surveys of earlier closings are part of the history only.
        surveys.rfind(|survey| survey.opened_at >= closed_at)
    }

    /// Returns true while the conversation is closed and its survey is open.
    pub fn is_in_survey(&self) -> bool {
        self.survey().is_some_and(|survey| survey.state == ConversationState::Open)
    }

    /// Returns the last message of the visitor.
    pub fn last_visitor_message(&self) -> Option<&Message> {
        self.messages.iter().rfind(|message| message.by.role() == Role::Visitor)
    }

    pub(super) fn presence(&mut self) -> &mut Presence {
        self.presence.get_or_insert_default()
    }

    /// Returns the participants in the order of joining.
    pub fn participants(&self) -> impl DoubleEndedIterator<Item = &Person> {
        self.joined.iter().filter_map(|name| self.person(name))
    }

    /// Returns the people who have sent a message or written a note, in the order of the first one.
    pub fn speakers(&self) -> impl DoubleEndedIterator<Item = &Person> {
        self.spoke.iter().filter_map(|name| self.person(name))
    }

    /// Returns the time from which the visitor has waited for a reply.
    fn waiting_since(&self) -> Option<Timestamp> {
        self.reply_due?.checked_sub(self.rules.reply_within?).ok()
    }

    /// Returns the person to whom an actor refers.
    pub(super) fn resolve(&self, actor: &Actor) -> Result<&Person, InvalidAction> {
        match actor {
            Actor::Member(name) => {
                self.person(name).ok_or_else(|| InvalidAction::UnknownPerson(name.clone()))
            }
            Actor::Assignee => self.assignee().ok_or(InvalidAction::NoAssignee),
        }
    }

    /// Returns the action that must precede this one: a person who has not joined joins first.
    pub fn implied_before(&self, action: &Action) -> Option<Action> {
        let Action { by, kind, .. } = action;
        let (ActionKind::Say { .. }
        | ActionKind::Typing { on: true }
        | ActionKind::Read { .. }
        | ActionKind::Note { .. }
        | ActionKind::Emit { .. }) = kind
        else {
            return None;
        };
        let person = self.resolve(by).ok()?;
        // The system emits events by default, so an emitted event need not be about it.
        if matches!(kind, ActionKind::Emit { .. }) && person.role() == Role::System {
            return None;
        }
        let joins =
            self.rules.joins.contains(person.role()) && !self.joined.contains(&person.member.name);
        (self.state == Some(ConversationState::Open) && joins)
            .then(|| Action { quiet: action.quiet, ..ActionKind::Join.by(by.clone()) })
    }

    /// Returns the action that follows from one that was just applied.
    pub fn implied_after(&self, action: &Action) -> Option<ImpliedAction> {
        let by = &action.by;
        match &action.kind {
            ActionKind::Open { assignee: Some(assignee), .. } if self.rules.assigns_after_open => {
                let system = Actor::Member(Role::System.as_str().into());
                let to = Some(assignee.clone());
                Some((None, ActionKind::Assign { to, skill: None, accept: None }.by(system)))
            }
            ActionKind::Assign { to: Some(to), accept: Some(after), .. } if self.rules.offers => {
                Some((Some(*after), ActionKind::Accept.by(to.clone())))
            }
            // Sending a message ends typing, as in every chat client.
            ActionKind::Say { .. } => {
                let person = self.resolve(by).ok()?;
                let presence = self.presence.as_ref();
                let types = presence.is_some_and(|p| p.typing.contains(&person.member.name));
                let stop = ActionKind::Typing { on: false }.by(by.clone());
                types.then(|| (None, Action { dialog: action.dialog, ..stop }))
            }
            _ => None,
        }
    }
}

/// A side of a conversation. Each side reads the messages of the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// The visitor.
    Visitor,
    /// Everybody else.
    Staff,
}

impl Side {
    fn of(role: Role) -> Self {
        if role == Role::Visitor { Self::Visitor } else { Self::Staff }
    }
}

impl Conversation {
    /// Returns the number of messages of the other side that nobody of this side has read.
    fn unread_by(&self, side: Side) -> usize {
        let read = self.presence.iter().flat_map(|presence| &presence.read);
        let of_side = read.filter(|(name, _)| {
            self.person(name).is_some_and(|person| Side::of(person.role()) == side)
        });
        let seen = of_side.map(|(_, seen)| *seen).max().unwrap_or(0);
        self.messages.iter().skip(seen).filter(|m| Side::of(m.by.role()) != side).count()
    }
}

/// Returns the state for templates.
fn state_word(conversation: &Conversation) -> &'static str {
    // Events are rendered only after `open`, except those of entities, which need some state.
    conversation.state.unwrap_or(ConversationState::Open).as_str()
}

crate::fields! {
    const FIELDS of Conversation {
        always number: FieldType::Int => |c| Value::Int(i64::from(c.number));
        always channel: FieldType::Text => |c| c.channel.as_str().into();
        always state: FieldType::Word(ConversationState::NAMES) => |c| state_word(c).into();
        always stage: FieldType::Word(ConversationState::NAMES) => |c| c.stage().as_str().into();
        always hidden: FieldType::Bool => |c| Value::Bool(c.hidden);
        always opened_at: FieldType::Time => |c| Value::Time(c.opened_at);
        always changed_at: FieldType::Time => |c| Value::Time(c.changed_at);
        always status_changed_at: FieldType::Time => |c| Value::Time(c.status_changed_at);
        maybe assigned_at: FieldType::Time => |c| Value::maybe_time(c.assigned_at);
        always updated_at: FieldType::Time => |c| Value::Time(c.updated_at);
        always updated_before: FieldType::Time => |c| Value::Time(c.updated_before);
        maybe closed_at: FieldType::Time => |c| Value::maybe_time(c.closing().map(|closing| closing.at));
        maybe closed_by: FieldType::Any => |c| Value::maybe_object(c.closing().map(|closing| &closing.by));
        maybe last_closed_at: FieldType::Time => |c| Value::maybe_time(c.closed.as_ref().map(|closing| closing.at));
        maybe last_closed_by: FieldType::Any => |c| Value::maybe_object(c.closed.as_ref().map(|closing| &closing.by));
        maybe skill: FieldType::Text => |c| Value::maybe(c.skill.as_deref());
        maybe reply_due: FieldType::Time => |c| Value::maybe_time(c.reply_due);
        maybe waiting_since: FieldType::Time => |c| Value::maybe_time(c.waiting_since());
        maybe assignee: FieldType::Any => |c| Value::maybe_object(c.assignee());
        maybe visitor: FieldType::Any => |c| Value::maybe_object(c.visitor());
        always message_count: FieldType::Int => |c| Value::from(c.messages.len());
        maybe last_message: FieldType::Any => |c| Value::maybe_object(c.messages.last());
        maybe last_visitor_message: FieldType::Any => |c| Value::maybe_object(c.last_visitor_message());
        always unread_by_visitor: FieldType::Int => |c| Value::from(c.unread_by(Side::Visitor));
        always unread_by_staff: FieldType::Int => |c| Value::from(c.unread_by(Side::Staff));
        always messages: FieldType::Any => |c| Value::objects(&c.messages);
        always participants: FieldType::Any => |c| Value::objects(c.participants());
        always speakers: FieldType::Any => |c| Value::objects(c.speakers());
        always dialogs: FieldType::Any => |c| Value::objects(&c.dialogs);
        maybe survey: FieldType::Any => |c| Value::maybe_object(c.survey());
        always variables: FieldType::open_table() => |c| Value::data(&c.variables);
        always kept: FieldType::open_table() => |c| Value::data(&c.kept);
        always labels: FieldType::list(FieldType::Text) => |c| c.labels.iter().map(String::as_str).collect();
        maybe rating: FieldType::Int => |c| c.rating.map_or(Value::Absent, Value::Int);
    }
}

/// Returns the type of a conversation.
pub fn conversation_table(
    person: &TableType,
    message: &TableType,
    dialog: &TableType,
) -> TableType {
    let [person, message, dialog] =
        [person, message, dialog].map(|table| FieldType::table(table.clone()));
    table_type("a conversation", FIELDS)
        .maybe("closed_by", person.clone())
        .maybe("last_closed_by", person.clone())
        .maybe("assignee", person.clone())
        .maybe("visitor", person.clone())
        .always("participants", FieldType::list(person.clone()))
        .always("speakers", FieldType::list(person))
        .maybe("last_message", message.clone())
        .maybe("last_visitor_message", message.clone())
        .always("messages", FieldType::list(message))
        .maybe("survey", dialog.clone())
        .always("dialogs", FieldType::list(dialog))
}

impl Object for Conversation {
    fn get(&self, name: &str) -> Value<'_> {
        let id = self.ids.value(name);
        id.or_else(|| field_value(FIELDS, self, name)).unwrap_or(Value::Absent)
    }
}
