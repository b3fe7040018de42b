//! State transitions: how each action changes a conversation, and which event it causes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::action::{Action, ActionKind, Actor};
use super::entity::{Entity, FieldHistory};
use super::event::{Event, EventKind, LabelAction};
use super::generated_ids::GeneratedIds;
use super::lifecycle::ConversationState;
use super::message::{Closing, Dialog, DialogHead, DialogKind, Message, MessageData};
use super::person::{ParticipantRole, Person, Role};
use super::state::{Conversation, InvalidAction, StaffAccess};
use super::variable::{Variable, VariableScope};

impl Conversation {
    /// Applies an action and returns the event that it causes.
    ///
    /// If the action is invalid in the current state, the conversation does not change.
    pub fn apply(&mut self, action: &Action, at: Timestamp) -> Result<Event, InvalidAction> {
        self.check_state(action)?;
        let by = self.resolve(&action.by)?.clone();
        self.check_actor(action, &by)?;
        let event = self.change(action, by, at)?;
        if event.kind == EventKind::ConversationOpened {
            self.updated_at = at;
        }
        self.updated_before = self.updated_at;
        if self.rules.updated_by.contains(event.kind) {
            self.updated_at = at;
        }
        Ok(event)
    }

    fn change(
        &mut self,
        action: &Action,
        by: Person,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        match &action.kind {
            ActionKind::Open { channel, assignee, skill, hidden, .. } => {
                let event = self.open(by, channel, assignee.as_ref(), at)?;
                self.skill.clone_from(skill);
                self.hidden = *hidden;
                Ok(event)
            }
            ActionKind::Say { kind, text, data, .. } => {
                let message = Message {
                    ids: GeneratedIds::default(),
                    kind: kind.clone(),
                    word: String::new(),
                    text: text.clone(),
                    data: MessageData::new(data),
                    body: Box::default(),
                    dialog: self.dialog_of(action).ok_or(InvalidAction::NotOpened)?,
                    number: i64::try_from(self.messages.len() + 1).unwrap_or(i64::MAX),
                    by: in_survey(action, by),
                    at,
                };
                Ok(self.say(message))
            }
            ActionKind::Typing { on } => {
                let typing = &mut self.presence().typing;
                typing.retain(|name| *name != by.member.name);
                if *on {
                    push_exact(typing, by.member.name.clone());
                }
                let event = Event::new(EventKind::TypingChanged, in_survey(action, by), at);
                Ok(event.detail("typing", json!(on)).in_dialog(self.dialog_of(action)))
            }
            ActionKind::Read { upto } => {
                let dialog = self.dialog_of(action).ok_or(InvalidAction::NotOpened)?;
                self.read(in_survey(action, by), dialog, *upto, at)
            }
            ActionKind::Assign { to, skill, accept, .. } => match to {
                Some(to) => {
                    let to = self.resolve(to)?.clone();
                    let offered = accept.is_some() && self.rules.offers;
                    self.assign(by, &to, offered, at)
                }
                None => Ok(self.queue(by, skill.clone(), at)),
            },
            ActionKind::Accept => Ok(self.accept(by, at)),
            ActionKind::Join => self.join(by, at),
            ActionKind::Leave => self.leave(by, at),
            ActionKind::Note { text } => {
                self.note_speaker(&by);
                Ok(Event::new(EventKind::NoteAdded, by, at).detail("note", json!(text)))
            }
            ActionKind::Set { variables, scope } => Ok(self.set(by, variables, *scope, at)),
            ActionKind::Label { add, labels } => self.label(by, *add, labels, at),
            ActionKind::Flow { name, states } => {
                let flow = json!({"name": name, "states": states});
                Ok(Event::new(EventKind::FlowStarted, by, at).detail("flow", flow))
            }
            ActionKind::Rate { score, comment } => {
                Ok(self.rate(by, *score, comment.as_deref(), at))
            }
            ActionKind::Create { .. } | ActionKind::Update { .. } | ActionKind::Delete { .. } => {
                self.entity(by, &action.kind, at)
            }
            ActionKind::Emit { data, .. } => {
                let event = Event::new(EventKind::Emitted, in_survey(action, by), at);
                let event = event.in_dialog(self.dialog_of(action));
                Ok(Event { details: data.clone(), ..event })
            }
            ActionKind::Close { survey } => Ok(self.close(by, *survey, at)),
            ActionKind::Reopen => Ok(self.reopen(by, at)),
        }
    }

    /// Keeps the data of an emitted event, so that later payloads can contain it.
    pub fn keep(&mut self, data: &Map<String, Json>, at: Timestamp) {
        extend(Arc::make_mut(&mut self.kept), data.clone());
        self.touch(at);
    }

    /// Returns an event that reports the current state. The conversation does not change.
    pub fn state_event(
        &self,
        kind: EventKind,
        by: &Actor,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        let by = self.resolve(by)?.clone();
        Ok(Event { to: self.assignee().cloned(), ..Event::new(kind, by, at) })
    }

    fn check_state(&self, action: &Action) -> Result<(), InvalidAction> {
        match (&action.kind, self.state) {
            // Notes, labels and ratings are valid after closing. Entities exist independently of the
            // conversation.
            (ActionKind::Open { .. }, None)
            | (
                ActionKind::Note { .. } | ActionKind::Label { .. } | ActionKind::Rate { .. },
                Some(ConversationState::Closed),
            )
            | (
                ActionKind::Create { .. } | ActionKind::Update { .. } | ActionKind::Delete { .. },
                _,
            ) => Ok(()),
            (
                ActionKind::Assign { .. } | ActionKind::Set { .. },
                Some(ConversationState::Closed),
            ) if self.is_shared() => Ok(()),
            // An emitted event can be about anything, unless it is said to be about a dialog.
            (ActionKind::Emit { .. }, _) if action.dialog.is_none() => Ok(()),
            (_, None) => Err(InvalidAction::NotOpened),
            (ActionKind::Open { .. } | ActionKind::Reopen, Some(ConversationState::Open)) => {
                Err(InvalidAction::AlreadyOpen)
            }
            (ActionKind::Close { survey: true }, _) if !self.rules.surveys => {
                Err(InvalidAction::SurveysUnsupported)
            }
            (_, Some(ConversationState::Closed)) => self.check_after_closing(action),
            _ if action.dialog == Some(DialogKind::Survey) => Err(InvalidAction::NoSurvey),
            _ => Ok(()),
        }
    }

    fn is_shared(&self) -> bool {
        self.rules.staff_access == StaffAccess::SharedInbox
    }

    /// Checks an action that is not generally valid after closing: in a survey, some are.
    fn check_after_closing(&self, action: &Action) -> Result<(), InvalidAction> {
        let has_survey = self.is_in_survey();
        match (&action.kind, action.dialog) {
            (ActionKind::Reopen, _) if !has_survey => Ok(()),
            (ActionKind::Close { survey: false }, None | Some(DialogKind::Survey))
            | (
                ActionKind::Say { .. }
                | ActionKind::Typing { .. }
                | ActionKind::Read { .. }
                | ActionKind::Emit { .. },
                Some(DialogKind::Survey),
            ) if has_survey => Ok(()),
            (_, Some(DialogKind::Survey)) => Err(InvalidAction::NoSurvey),
            // A call names the dialog, which is closed.
            (_, None) if has_survey => Err(InvalidAction::SurveyOpen),
            _ => Err(InvalidAction::Closed),
        }
    }

    /// Checks that a person can take part in this conversation. Other visitors have conversations of
    /// their own. A person who has left cannot close or change it, but joins again by speaking, typing
    /// or reading.
    fn check_actor(&self, action: &Action, by: &Person) -> Result<(), InvalidAction> {
        let (name, is_survey) = (&by.member.name, action.dialog == Some(DialogKind::Survey));
        let action = &action.kind;
        if is_survey && !matches!(by.role(), Role::Visitor | Role::Bot) {
            return Err(InvalidAction::NotInSurvey(name.to_string()));
        }
        // Entities exist independently of the conversation.
        let is_entity = matches!(
            action,
            ActionKind::Create { .. } | ActionKind::Update { .. } | ActionKind::Delete { .. }
        );
        let is_other = by.role() == Role::Visitor
            && self.visitor().is_some_and(|visitor| visitor.member.name != *name);
        if matches!(action, ActionKind::Rate { .. }) && by.role() != Role::Visitor {
            return Err(InvalidAction::RatesAsStaff(name.to_string()));
        }
        if matches!(action, ActionKind::Note { .. }) && by.role() == Role::Visitor {
            return Err(InvalidAction::NotesAsVisitor(name.to_string()));
        }
        if is_other && !is_entity {
            return Err(InvalidAction::OtherVisitor(name.to_string()));
        }
        let has_left = self.presence.as_ref().is_some_and(|presence| presence.left.contains(name));
        // Labels are also added to closed conversations, by agents who sort them.
        let is_change = self.state == Some(ConversationState::Open)
            && matches!(by.role(), Role::Agent | Role::Manager)
            && matches!(
                action,
                ActionKind::Assign { .. } | ActionKind::Label { .. } | ActionKind::Set { .. }
            );
        let is_close = matches!(action, ActionKind::Close { .. }) && !self.is_in_survey();
        if has_left && !self.is_shared() && (is_close || is_change) {
            return Err(InvalidAction::HasLeft(name.to_string()));
        }
        Ok(())
    }

    /// Returns the dialog in which an action happens: by default the open one, or the main one.
    fn dialog_of(&self, action: &Action) -> Option<Arc<DialogHead>> {
        let has_kind = |dialog: &&Dialog| action.dialog.is_none_or(|kind| dialog.head.kind == kind);
        let is_open = |dialog: &&Dialog| dialog.state == ConversationState::Open;
        let open = self.dialogs.iter().filter(has_kind).rfind(is_open);
        open.or_else(|| self.dialogs.iter().find(has_kind)).map(|dialog| Arc::clone(&dialog.head))
    }

    fn open(
        &mut self,
        by: Person,
        channel: &str,
        assignee: Option<&Actor>,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        // Resolved before any field changes: an invalid action must not leave a trace.
        let first = assignee.map(|actor| self.resolve(actor).cloned()).transpose()?;
        channel.clone_into(&mut self.channel);
        self.state = Some(ConversationState::Open);
        self.opened_at = at;
        self.changed_at = at;
        self.status_changed_at = at;
        self.reply_due = self.reply_deadline(at);
        push_exact(&mut self.joined, by.member.name.clone());
        let head = DialogHead { kind: DialogKind::Main, ids: GeneratedIds::default() };
        let dialog = Dialog {
            head: Arc::new(head),
            state: ConversationState::Open,
            opened_at: at,
            changed_at: at,
            closed: None,
            participants: Vec::new(),
        };
        push_exact(&mut self.dialogs, dialog);
        if let Some(first) = first.filter(|_| !self.rules.assigns_after_open) {
            self.hand_to(&first, ParticipantRole::Assignee, at);
        }
        self.refresh_dialogs();
        Ok(Event::new(EventKind::ConversationOpened, by, at))
    }

    fn note_speaker(&mut self, by: &Person) {
        if !self.spoke.contains(&by.member.name) {
            push_exact(&mut self.spoke, by.member.name.clone());
        }
    }

    fn say(&mut self, message: Message) -> Event {
        let event = Event::new(EventKind::MessageSent, message.by.clone(), message.at);
        let event = event.in_dialog(Some(Arc::clone(&message.dialog)));
        self.reply_due = match message.by.role() {
            // Nobody has to answer in a survey.
            _ if message.dialog.kind == DialogKind::Survey => None,
            // The deadline counts from the first message without a reply, not from the last.
            Role::Visitor => self.reply_due.or(self.reply_deadline(message.at)),
            Role::Bot | Role::Agent => None,
            Role::Manager | Role::System => self.reply_due,
        };
        self.note_speaker(&message.by);
        // Not by doubling: thousands of conversations wait, most of them with few messages.
        if self.messages.len() == self.messages.capacity() {
            self.messages.reserve_exact((self.messages.len() / 4).max(1));
        }
        self.messages.push(message);
        event.about(vec![self.messages.len() - 1])
    }

    fn read(
        &mut self,
        by: Person,
        dialog: Arc<DialogHead>,
        upto: Option<usize>,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        let name = by.member.name.clone();
        let mut read = self.presence.iter().flat_map(|presence| &presence.read);
        let seen = read.find(|(reader, _)| *reader == name).map_or(0, |(_, seen)| *seen);
        let end = upto.unwrap_or(self.messages.len()).min(self.messages.len());
        // Each side reads only the messages of the other side.
        let is_other = |message: &Message| {
            message.dialog.kind == dialog.kind
                && (message.by.role() == Role::Visitor) != (by.role() == Role::Visitor)
        };
        let unread: Vec<usize> =
            (seen..end).filter(|index| is_other(&self.messages[*index])).collect();
        if unread.is_empty() {
            return Err(InvalidAction::NothingToRead(name.to_string()));
        }
        let read = &mut self.presence().read;
        read.retain(|(reader, _)| *reader != name);
        push_exact(read, (name, end));
        Ok(Event::new(EventKind::MessageRead, by, at).about(unread).in_dialog(Some(dialog)))
    }

    fn assign(
        &mut self,
        by: Person,
        to: &Person,
        offered: bool,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        if self.assignee.as_ref() == Some(&to.member.name) {
            return Err(InvalidAction::AlreadyAssigned(to.member.name.to_string()));
        }
        let from = self.assignee().cloned();
        self.hand_to(
            to,
            if offered { ParticipantRole::Suggested } else { ParticipantRole::Assignee },
            at,
        );
        self.change_status(at);
        let to = self.person(&to.member.name).cloned();
        Ok(Event { to, from, ..Event::new(EventKind::AssigneeChanged, by, at) })
    }

    fn accept(&mut self, by: Person, at: Timestamp) -> Event {
        self.set_role(&by.member.name, ParticipantRole::Assignee);
        self.change_status(at);
        let by = self.person(&by.member.name).cloned().unwrap_or(by);
        Event { to: Some(by.clone()), from: None, ..Event::new(EventKind::AssigneeChanged, by, at) }
    }

    fn queue(&mut self, by: Person, skill: Option<String>, at: Timestamp) -> Event {
        let from = self.assignee().cloned();
        self.unassign();
        self.skill = skill;
        self.reply_due = self.reply_deadline(at);
        self.change_status(at);
        Event { from, ..Event::new(EventKind::AssigneeChanged, by, at) }
    }

    fn join(&mut self, by: Person, at: Timestamp) -> Result<Event, InvalidAction> {
        if self.joined.contains(&by.member.name) {
            return Err(InvalidAction::AlreadyJoined(by.member.name.to_string()));
        }
        push_exact(&mut self.joined, by.member.name.clone());
        self.forget_leaving(&by.member.name);
        self.touch(at);
        Ok(Event::new(EventKind::ParticipantJoined, by, at))
    }

    fn leave(&mut self, by: Person, at: Timestamp) -> Result<Event, InvalidAction> {
        if !self.joined.contains(&by.member.name) {
            return Err(InvalidAction::NotJoined(by.member.name.to_string()));
        }
        if self.assignee.as_ref() == Some(&by.member.name) {
            self.unassign();
        }
        self.joined.retain(|name| *name != by.member.name);
        push_exact(&mut self.presence().left, by.member.name.clone());
        self.touch(at);
        Ok(Event::new(EventKind::ParticipantLeft, by, at))
    }

    fn set(
        &mut self,
        by: Person,
        variables: &[Variable],
        scope: VariableScope,
        at: Timestamp,
    ) -> Event {
        let known = match scope {
            VariableScope::Conversation => Some(Arc::clone(&self.variables)),
            VariableScope::Visitor => self.visitor().map(|visitor| Arc::clone(&visitor.variables)),
        };
        let entry = |variable: &Variable| (variable.name.clone(), variable.value.clone());
        let values: Map<String, Json> = variables.iter().map(entry).collect();
        match scope {
            VariableScope::Conversation => extend(Arc::make_mut(&mut self.variables), values),
            VariableScope::Visitor => {
                for person in self.cast.iter_mut().filter(|p| p.role() == Role::Visitor) {
                    extend(Arc::make_mut(&mut person.variables), values.clone());
                }
            }
        }
        self.touch(at);
        let detail = |v: &Variable| {
            let shape = Variable::shape_of(&v.value);
            let mut detail =
                json!({"name": v.name, "type": v.declared, "shape": shape, "value": v.value});
            if let Some(previous) = known.as_ref().and_then(|known| known.get(&v.name)) {
                detail["previous"] = previous.clone();
            }
            detail
        };
        Event::new(EventKind::VariablesSet, by, at)
            .detail("scope", json!(scope.as_str()))
            .detail("variables", variables.iter().map(detail).collect())
    }

    fn label(
        &mut self,
        by: Person,
        add: bool,
        labels: &[String],
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        // All labels are checked before any changes: an invalid action must not leave a trace.
        for label in labels {
            match (add, self.labels.contains(label)) {
                (true, true) => return Err(InvalidAction::AlreadyLabelled(label.clone())),
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
        let action = if add { LabelAction::Added } else { LabelAction::Removed };
        let labels = labels.iter().map(|label| json!({"name": label})).collect();
        Ok(Event::new(EventKind::LabelsChanged, by, at)
            .detail("action", json!(action.as_str()))
            .detail("labels", labels))
    }

    fn rate(&mut self, by: Person, score: i64, comment: Option<&str>, at: Timestamp) -> Event {
        self.rating = Some(score);
        self.touch(at);
        let event = Event::new(EventKind::ConversationRated, by, at).detail("score", json!(score));
        match comment {
            Some(comment) => event.detail("comment", json!(comment)),
            None => event,
        }
    }

    /// Creates, updates or deletes an entity. The layer above generates its ids.
    fn entity(
        &mut self,
        by: Person,
        action: &ActionKind,
        at: Timestamp,
    ) -> Result<Event, InvalidAction> {
        let index = |name: &str| self.entities.iter().position(|entity| entity.name == name);
        match action {
            ActionKind::Create { name, kind, fields, .. } => {
                if index(name).is_some() {
                    return Err(InvalidAction::EntityExists(name.clone()));
                }
                let mut history = FieldHistory::default();
                history.record(None, fields, at);
                let entity = Entity {
                    name: name.clone(),
                    kind: kind.clone(),
                    ids: GeneratedIds::default(),
                    fields: fields.clone(),
                    created_at: at,
                    updated_at: at,
                    created_by: by.clone(),
                    updated_by: None,
                    original: None,
                    history,
                };
                self.entities.push(entity.clone());
                Ok(Event { entity: Some(entity), ..Event::new(EventKind::EntityCreated, by, at) })
            }
            ActionKind::Update { name, fields, unset, .. } => {
                let index =
                    index(name).ok_or_else(|| InvalidAction::UnknownEntity(name.clone()))?;
                let entity = &mut self.entities[index];
                let before = entity.clone();
                if entity.original.is_none() {
                    entity.original = Some(Arc::new(before.clone()));
                }
                entity.fields.extend(fields.clone());
                entity.fields.retain(|field, _| !unset.contains(field));
                entity.history.record(Some(&before), &entity.fields, at);
                entity.updated_at = at;
                entity.updated_by = Some(by.clone());
                let entity = Some(entity.clone());
                let mut details = fields.clone();
                details.extend(unset.iter().map(|field| (field.clone(), Json::Null)));
                let before = Some(before);
                let event = Event::new(EventKind::EntityUpdated, by, at);
                Ok(Event { entity, before, details, ..event })
            }
            ActionKind::Delete { name } => {
                let index =
                    index(name).ok_or_else(|| InvalidAction::UnknownEntity(name.clone()))?;
                let entity = Some(self.entities.remove(index));
                Ok(Event { entity, ..Event::new(EventKind::EntityDeleted, by, at) })
            }
            // Unreachable: `apply` passes only the three actions above.
            _ => Ok(Event::new(EventKind::Emitted, by, at)),
        }
    }

    /// Closes what is open: the conversation, or its survey.
    fn close(&mut self, by: Person, survey: bool, at: Timestamp) -> Event {
        let is_survey = self.is_in_survey();
        self.state = Some(ConversationState::Closed);
        self.reply_due = None;
        if let Some(presence) = &mut self.presence {
            presence.typing.clear();
        }
        let closing = Box::new(Closing { at, by: by.clone() });
        let mut ended = None;
        for dialog in
            self.dialogs.iter_mut().filter(|dialog| dialog.state == ConversationState::Open)
        {
            dialog.state = ConversationState::Closed;
            dialog.changed_at = at;
            dialog.closed = Some(closing.clone());
            ended = Some(Arc::clone(&dialog.head));
        }
        // Who closed the conversation stays known after its survey.
        if !is_survey {
            self.closed = Some(closing);
        }
        if survey {
            self.open_survey(at);
        }
        self.change_status(at);
        Event::new(EventKind::ConversationClosed, by, at).in_dialog(ended)
    }

    /// Opens a survey: a dialog of the visitor and a bot.
    fn open_survey(&mut self, at: Timestamp) {
        let bots = || self.cast.iter().filter(|person| person.role() == Role::Bot);
        let is_assigned = |person: &&Person| self.assignee.as_ref() == Some(&person.member.name);
        let bot = bots().find(|bot| !is_assigned(bot)).or_else(|| bots().next()).cloned();
        let bot = bot.map(|bot| Person { participant_role: bot.role().into(), ..bot });
        if let Some(bot) = &bot
            && !self.joined.contains(&bot.member.name)
        {
            push_exact(&mut self.joined, bot.member.name.clone());
        }
        let dialog = Dialog {
            head: Arc::new(DialogHead { kind: DialogKind::Survey, ids: GeneratedIds::default() }),
            state: ConversationState::Open,
            opened_at: at,
            changed_at: at,
            closed: None,
            participants: self.visitor().cloned().into_iter().chain(bot).collect(),
        };
        push_exact(&mut self.dialogs, dialog);
    }

    fn reopen(&mut self, by: Person, at: Timestamp) -> Event {
        self.state = Some(ConversationState::Open);
        self.reply_due = self.reply_deadline(at);
        if let Some(dialog) = self.dialogs.iter_mut().find(|d| d.head.kind == DialogKind::Main) {
            dialog.state = ConversationState::Open;
            dialog.changed_at = at;
            dialog.closed = None;
        }
        self.change_status(at);
        Event::new(EventKind::ConversationReopened, by, at)
    }

    /// Returns the deadline for a reply to a message sent at this time.
    fn reply_deadline(&self, at: Timestamp) -> Option<Timestamp> {
        self.rules.reply_within.and_then(|within| at.checked_add(within).ok())
    }

    /// Makes a person the assignee; the previous assignee leaves.
    fn hand_to(&mut self, to: &Person, role: ParticipantRole, at: Timestamp) {
        self.unassign();
        let name = to.member.name.clone();
        if !self.joined.contains(&name) {
            push_exact(&mut self.joined, name.clone());
        }
        self.set_role(&name, role);
        self.forget_leaving(&name);
        self.assignee = Some(name);
        self.assigned_at = Some(at);
    }

    fn forget_leaving(&mut self, name: &str) {
        if let Some(presence) = &mut self.presence {
            presence.left.retain(|left| **left != *name);
        }
    }

    fn unassign(&mut self) {
        self.assigned_at = None;
        if let Some(name) = self.assignee.take() {
            self.joined.retain(|joined| *joined != name);
            push_exact(&mut self.presence().left, name.clone());
            let role = self.person(&name).map(|person| person.role().into());
            self.set_role(&name, role.unwrap_or(ParticipantRole::Agent));
        }
    }

    fn set_role(&mut self, name: &str, role: ParticipantRole) {
        for person in self.cast.iter_mut().filter(|person| *person.member.name == *name) {
            person.participant_role = role;
        }
    }

    /// Records a change of the state or the assignee.
    fn change_status(&mut self, at: Timestamp) {
        self.status_changed_at = at;
        self.touch(at);
    }

    /// Records a change other than a message.
    fn touch(&mut self, at: Timestamp) {
        self.changed_at = at;
        self.refresh_dialogs();
    }

    fn refresh_dialogs(&mut self) {
        // Without free capacity, like `push_exact`.
        let mut participants = Vec::with_capacity(self.joined.len());
        participants.extend(self.participants().cloned());
        let is_running = |dialog: &&mut Dialog| {
            dialog.head.kind == DialogKind::Main && dialog.state == ConversationState::Open
        };
        for dialog in self.dialogs.iter_mut().filter(is_running) {
            dialog.participants.clone_from(&participants);
        }
    }
}

/// Returns who acts: an assignee is one in the conversation, not in its survey.
fn in_survey(action: &Action, by: Person) -> Person {
    if action.dialog != Some(DialogKind::Survey) {
        return by;
    }
    Person { participant_role: by.role().into(), ..by }
}

/// Adds an element to a list that stays short. The default growth would reserve four elements in
/// each of thousands of conversations.
fn push_exact<T>(list: &mut Vec<T>, element: T) {
    list.reserve_exact(1);
    list.push(element);
}

/// Adds entries to a JSON object.
fn extend(table: &mut Json, more: Map<String, Json>) {
    if let Json::Object(table) = table {
        table.extend(more);
    }
}
