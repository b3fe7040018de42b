//! How acts change a conversation, and which event each causes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::GeneratedIds;
use super::action::{Action, Actor, Variable, VariableScope};
use super::entity::Entity;
use super::event::{Event, EventKind, LABEL_ACTIONS};
use super::message::{Dialog, DialogHead, DialogKind, Message};
use super::person::{ParticipantRole, Person, Role};
use super::state::{Conversation, ConversationState, InvalidAction};

impl Conversation {
    /// Lets an act happen. Gives the event that it causes, or why it cannot happen now; then
    /// nothing has changed.
    pub fn apply(&mut self, action: &Action, at: Timestamp) -> Result<Event, InvalidAction> {
        self.check_state(action)?;
        let by = self.resolve(action.by())?.clone();
        match action {
            Action::Open { channel, assignee, .. } => self.open(by, channel, assignee.as_ref(), at),
            Action::Say { kind, text, data, .. } => {
                let message = Message {
                    ids: GeneratedIds::default(),
                    kind: kind.clone(),
                    word: String::new(),
                    text: text.clone(),
                    data: data.clone(),
                    body: Json::Null,
                    dialog: self.dialog().ok_or(InvalidAction::NotOpened)?,
                    number: i64::try_from(self.messages.len() + 1).unwrap_or(i64::MAX),
                    by,
                    at,
                };
                Ok(self.say(message))
            }
            Action::Typing { on, .. } => {
                self.typing.retain(|name| *name != by.member.name);
                if *on {
                    self.typing.push(by.member.name.clone());
                }
                Ok(event(EventKind::TypingChanged, by, at).detail("typing", json!(on)))
            }
            Action::Read { upto, .. } => self.read(by, *upto, at),
            Action::Assign { to, skill, accept, .. } => match to {
                Some(to) => {
                    let to = self.resolve(to)?.clone();
                    let offered = accept.is_some() && self.rules.offers;
                    self.assign(by, &to, offered, at)
                }
                None => Ok(self.queue(by, skill.clone(), at)),
            },
            Action::Accept { .. } => Ok(self.accept(by, at)),
            Action::Join { .. } => self.join(by, at),
            Action::Leave { .. } => self.leave(by, at),
            Action::Note { text, .. } => {
                Ok(event(EventKind::NoteAdded, by, at).detail("note", json!(text)))
            }
            Action::Set { variables, scope, .. } => Ok(self.set(by, variables, *scope, at)),
            Action::Label { add, labels, .. } => self.label(by, *add, labels, at),
            Action::Flow { name, states, .. } => {
                let flow = json!({"name": name, "states": states});
                Ok(event(EventKind::FlowStarted, by, at).detail("flow", flow))
            }
            Action::Rate { score, comment, .. } => {
                Ok(self.rate(by, *score, comment.as_deref(), at))
            }
            Action::Create { .. } | Action::Update { .. } | Action::Delete { .. } => {
                self.entity(by, action, at)
            }
            Action::Emit { data, .. } => {
                Ok(Event { details: data.clone(), ..event(EventKind::Emitted, by, at) })
            }
            Action::Close { .. } => Ok(self.close(by, at)),
            Action::Reopen { .. } => Ok(self.reopen(by, at)),
        }
    }

    /// An event that tells the state as it is now, without anything having happened.
    pub fn now(&self, kind: EventKind, by: &Actor, at: Timestamp) -> Result<Event, InvalidAction> {
        let by = self.resolve(by)?.clone();
        Ok(Event { to: self.assignee().cloned(), ..event(kind, by, at) })
    }

    fn check_state(&self, action: &Action) -> Result<(), InvalidAction> {
        match (action, self.state) {
            (Action::Open { .. }, None)
            | (
                Action::Reopen { .. }
                | Action::Note { .. }
                | Action::Label { .. }
                | Action::Rate { .. },
                Some(ConversationState::Closed),
            )
            | (
                Action::Create { .. }
                | Action::Update { .. }
                | Action::Delete { .. }
                | Action::Emit { .. },
                _,
            ) => Ok(()),
            (_, None) => Err(InvalidAction::NotOpened),
            (Action::Open { .. } | Action::Reopen { .. }, Some(ConversationState::Open)) => {
                Err(InvalidAction::AlreadyOpen)
            }
            (_, Some(ConversationState::Closed)) => Err(InvalidAction::Closed),
            _ => Ok(()),
        }
    }

    pub(super) fn resolve(&self, who: &Actor) -> Result<&Person, InvalidAction> {
        match who {
            Actor::Member(name) => {
                self.person(name).ok_or_else(|| InvalidAction::Nobody(name.clone()))
            }
            Actor::Assignee => self.assignee().ok_or(InvalidAction::NobodyAssigned),
        }
    }

    /// The dialog that goes on.
    fn dialog(&self) -> Option<Arc<DialogHead>> {
        let open = self.dialogs.iter().rfind(|dialog| dialog.state == ConversationState::Open);
        open.map(|dialog| Arc::clone(&dialog.head))
    }

    fn open(
        &mut self,
        by: Person,
        channel: &str,
        assignee: Option<&Actor>,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        let first = assignee.map(|who| self.resolve(who).cloned()).transpose()?;
        channel.clone_into(&mut self.channel);
        self.state = Some(ConversationState::Open);
        self.opened_at = at;
        self.changed_at = at;
        self.reply_due = self.due(at);
        self.joined.push(by.member.name.clone());
        let head = DialogHead { kind: DialogKind::Main, ids: GeneratedIds::default() };
        self.dialogs.push(Dialog {
            head: Arc::new(head),
            state: ConversationState::Open,
            opened_at: at,
            changed_at: at,
            closed: None,
            participants: Vec::new(),
        });
        if let Some(first) = first.filter(|_| !self.rules.assigns_after_open) {
            self.hand_to(&first, ParticipantRole::Assignee, at);
        }
        self.refresh_dialogs();
        Ok(event(EventKind::ConversationOpened, by, at))
    }

    fn say(&mut self, message: Message) -> Event {
        let event = event(EventKind::MessageSent, message.by.clone(), message.at);
        self.reply_due = match message.by.role() {
            Role::Visitor => self.reply_due.or(self.due(message.at)),
            Role::Bot | Role::Agent => None,
            Role::Manager | Role::System => self.reply_due,
        };
        self.messages.push(message);
        event.about(vec![self.messages.len() - 1])
    }

    fn read(
        &mut self,
        by: Person,
        upto: Option<usize>,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        let name = by.member.name.clone();
        let seen =
            self.read.iter().find(|(reader, _)| *reader == name).map_or(0, |(_, seen)| *seen);
        let end = upto.unwrap_or(self.messages.len()).min(self.messages.len());
        let is_other = |message: &Message| {
            (message.by.role() == Role::Visitor) != (by.role() == Role::Visitor)
        };
        let unread: Vec<usize> =
            (seen..end).filter(|index| is_other(&self.messages[*index])).collect();
        if unread.is_empty() {
            return Err(InvalidAction::NothingToRead(name));
        }
        self.read.retain(|(reader, _)| *reader != name);
        self.read.push((name, end));
        Ok(event(EventKind::MessageRead, by, at).about(unread))
    }

    fn assign(
        &mut self,
        by: Person,
        to: &Person,
        offered: bool,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        if self.assignee.as_ref() == Some(&to.member.name) {
            return Err(InvalidAction::Assigned(to.member.name.clone()));
        }
        let from = self.assignee().cloned();
        self.hand_to(
            to,
            if offered { ParticipantRole::Suggested } else { ParticipantRole::Assignee },
            at,
        );
        self.touch(at);
        let to = self.person(&to.member.name).cloned();
        Ok(Event { to, from, ..event(EventKind::AssigneeChanged, by, at) })
    }

    fn accept(&mut self, by: Person, at: Timestamp) -> Event {
        self.set_part(&by.member.name, ParticipantRole::Assignee);
        self.touch(at);
        let by = self.person(&by.member.name).cloned().unwrap_or(by);
        Event { to: Some(by.clone()), from: None, ..event(EventKind::AssigneeChanged, by, at) }
    }

    fn queue(&mut self, by: Person, skill: Option<String>, at: Timestamp) -> Event {
        let from = self.assignee().cloned();
        self.unassign();
        self.skill = skill;
        self.reply_due = self.due(at);
        self.touch(at);
        Event { from, ..event(EventKind::AssigneeChanged, by, at) }
    }

    fn join(&mut self, by: Person, at: Timestamp) -> Result<Event, InvalidAction> {
        if self.joined.contains(&by.member.name) {
            return Err(InvalidAction::TakesPart(by.member.name.clone()));
        }
        self.joined.push(by.member.name.clone());
        self.touch(at);
        Ok(event(EventKind::ParticipantJoined, by, at))
    }

    fn leave(&mut self, by: Person, at: Timestamp) -> Result<Event, InvalidAction> {
        if !self.joined.contains(&by.member.name) {
            return Err(InvalidAction::TakesNoPart(by.member.name.clone()));
        }
        if self.assignee.as_ref() == Some(&by.member.name) {
            self.unassign();
        }
        self.joined.retain(|name| *name != by.member.name);
        self.touch(at);
        Ok(event(EventKind::ParticipantLeft, by, at))
    }

    fn set(
        &mut self,
        by: Person,
        variables: &[Variable],
        scope: VariableScope,
        at: Timestamp,
    ) -> Event {
        let known = |variable: &Variable| (variable.name.clone(), variable.value.clone());
        let known: Map<String, Json> = variables.iter().map(known).collect();
        match scope {
            VariableScope::Conversation => extend(&mut self.variables, known),
            VariableScope::Visitor => {
                for person in self.cast.iter_mut().filter(|p| p.role() == Role::Visitor) {
                    extend(Arc::make_mut(&mut person.variables), known.clone());
                }
            }
        }
        self.touch(at);
        let told = |v: &Variable| json!({"name": v.name, "type": v.declared, "value": v.value});
        event(EventKind::VariablesSet, by, at)
            .detail("scope", json!(scope.word()))
            .detail("variables", variables.iter().map(told).collect())
    }

    fn label(
        &mut self,
        by: Person,
        add: bool,
        labels: &[String],
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        for label in labels {
            match (add, self.labels.contains(label)) {
                (true, true) => return Err(InvalidAction::Labelled(label.clone())),
                (false, false) => return Err(InvalidAction::NotLabelled(label.clone())),
                _ => {}
            }
        }
        if add {
            self.labels.extend(labels.iter().cloned());
        } else {
            self.labels.retain(|label| !labels.contains(label));
        }
        self.touch(at);
        let action = LABEL_ACTIONS[usize::from(!add)];
        let labels = labels.iter().map(|label| json!({"name": label})).collect();
        Ok(event(EventKind::LabelsChanged, by, at)
            .detail("action", json!(action))
            .detail("labels", labels))
    }

    fn rate(&mut self, by: Person, score: i64, comment: Option<&str>, at: Timestamp) -> Event {
        self.rating = Some(score);
        self.touch(at);
        let event = event(EventKind::ConversationRated, by, at).detail("score", json!(score));
        match comment {
            Some(comment) => event.detail("comment", json!(comment)),
            None => event,
        }
    }

    /// Creates, changes or deletes an entity. Its ids are made by whoever knows how.
    fn entity(
        &mut self,
        by: Person,
        action: &Action,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        let index = |name: &str| self.entities.iter().position(|entity| entity.name == name);
        match action {
            Action::Create { name, kind, fields, .. } => {
                if index(name).is_some() {
                    return Err(InvalidAction::Exists(name.clone()));
                }
                let entity = Entity {
                    name: name.clone(),
                    kind: kind.clone(),
                    ids: GeneratedIds::default(),
                    fields: fields.clone(),
                    created_at: at,
                    updated_at: at,
                    created_by: by.clone(),
                    updated_by: None,
                };
                self.entities.push(entity.clone());
                Ok(Event { entity: Some(entity), ..event(EventKind::EntityCreated, by, at) })
            }
            Action::Update { name, fields, unset, .. } => {
                let index = index(name).ok_or_else(|| InvalidAction::Nothing(name.clone()))?;
                let entity = &mut self.entities[index];
                let before = Some(entity.clone());
                entity.fields.extend(fields.clone());
                entity.fields.retain(|field, _| !unset.contains(field));
                entity.updated_at = at;
                entity.updated_by = Some(by.clone());
                let entity = Some(entity.clone());
                Ok(Event { entity, before, ..event(EventKind::EntityUpdated, by, at) })
            }
            Action::Delete { name, .. } => {
                let index = index(name).ok_or_else(|| InvalidAction::Nothing(name.clone()))?;
                let entity = Some(self.entities.remove(index));
                Ok(Event { entity, ..event(EventKind::EntityDeleted, by, at) })
            }
            _ => Ok(event(EventKind::Emitted, by, at)),
        }
    }

    fn close(&mut self, by: Person, at: Timestamp) -> Event {
        self.state = Some(ConversationState::Closed);
        self.reply_due = None;
        self.typing.clear();
        self.closed = Some((at, by.clone()));
        for dialog in
            self.dialogs.iter_mut().filter(|dialog| dialog.state == ConversationState::Open)
        {
            dialog.state = ConversationState::Closed;
            dialog.changed_at = at;
            dialog.closed = Some((at, by.clone()));
        }
        self.touch(at);
        event(EventKind::ConversationClosed, by, at)
    }

    fn reopen(&mut self, by: Person, at: Timestamp) -> Event {
        self.state = Some(ConversationState::Open);
        self.closed = None;
        self.reply_due = self.due(at);
        if let Some(dialog) = self.dialogs.iter_mut().find(|d| d.head.kind == DialogKind::Main) {
            dialog.state = ConversationState::Open;
            dialog.changed_at = at;
            dialog.closed = None;
        }
        self.touch(at);
        event(EventKind::ConversationReopened, by, at)
    }

    fn due(&self, at: Timestamp) -> Option<Timestamp> {
        self.rules.reply_within.and_then(|within| at.checked_add(within).ok())
    }

    /// Hands the conversation to somebody; whoever had it leaves.
    fn hand_to(&mut self, to: &Person, part: ParticipantRole, at: Timestamp) {
        self.unassign();
        let name = to.member.name.clone();
        if !self.joined.contains(&name) {
            self.joined.push(name.clone());
        }
        self.set_part(&name, part);
        self.assignee = Some(name);
        self.assigned_at = Some(at);
    }

    fn unassign(&mut self) {
        self.assigned_at = None;
        if let Some(name) = self.assignee.take() {
            self.joined.retain(|joined| *joined != name);
            let part = self.person(&name).map(|person| person.role().into());
            self.set_part(&name, part.unwrap_or(ParticipantRole::Agent));
        }
    }

    fn set_part(&mut self, name: &str, part: ParticipantRole) {
        for person in self.cast.iter_mut().filter(|person| person.member.name == name) {
            person.part = part;
        }
    }

    /// Notes that something other than a message has changed.
    fn touch(&mut self, at: Timestamp) {
        self.changed_at = at;
        self.refresh_dialogs();
    }

    fn refresh_dialogs(&mut self) {
        let participants: Vec<Person> = self.participants().cloned().collect();
        for dialog in self.dialogs.iter_mut().filter(|d| d.head.kind == DialogKind::Main) {
            dialog.participants.clone_from(&participants);
        }
    }
}

fn event(kind: EventKind, by: Person, at: Timestamp) -> Event {
    Event {
        kind,
        at,
        by,
        to: None,
        from: None,
        messages: Vec::new(),
        entity: None,
        before: None,
        details: Map::new(),
        ids: GeneratedIds::default(),
    }
}

fn extend(table: &mut Json, more: Map<String, Json>) {
    if let Json::Object(table) = table {
        table.extend(more);
    }
}

impl Event {
    fn detail(mut self, name: &str, value: Json) -> Self {
        self.details.insert(name.into(), value);
        self
    }

    fn about(self, messages: Vec<usize>) -> Self {
        Self { messages, ..self }
    }
}
