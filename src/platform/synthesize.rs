//! Finds the actions that cause an event, for a user who requests a single webhook by its type.

use serde_json::{Map, Value as Json};

use super::definition::Platform;
use super::event_rule::{EventQuery, EventRule};
use crate::conversation::{
    Action, ActionKind, Actor, EventKind as On, LabelAction, Role, Variable, VariableScope,
};
use crate::template::JsonTemplate;

/// Returns the name of a participant with a role.
type RolePlayers<'a> = &'a dyn Fn(Role) -> Option<String>;

/// Returns a minimal sequence of actions for an event. The last one causes it; those before it
/// bring a new conversation into the required state. `cast` returns the participant for a role.
pub fn synthesize(
    platform: &Platform,
    rule: &EventRule,
    query: &EventQuery,
    cast: RolePlayers<'_>,
) -> Vec<Action> {
    ActionSynthesizer { platform, rule, query, cast }.actions()
}

struct ActionSynthesizer<'a> {
    platform: &'a Platform,
    rule: &'a EventRule,
    query: &'a EventQuery,
    cast: RolePlayers<'a>,
}

impl ActionSynthesizer<'_> {
    fn actions(&self) -> Vec<Action> {
        match self.rule.on {
            On::ConversationOpened => vec![self.open()],
            On::EntityCreated | On::EntityUpdated | On::EntityDeleted => self.entity_actions(),
            on => {
                // Only a visitor and a bot can act before an agent has the conversation.
                let is_staff = !matches!(self.by(), Role::Visitor | Role::Bot);
                let needs_agent = is_staff || self.rule.may_require_agent();
                let needs_agent = needs_agent || self.needs_talk();
                // The event that is requested is a first assignment, unless it is one to a queue.
                let is_assignment = on == On::AssigneeChanged && self.input("skill").is_none();
                let assigned = (needs_agent && !is_assignment).then(|| self.assign());
                [self.open()]
                    .into_iter()
                    .chain(self.question())
                    .chain(assigned)
                    .chain(self.answer())
                    .chain(self.conversation_actions())
                    .collect()
            }
        }
    }

    /// Returns true if the event follows a conversation between the visitor and an agent.
    fn needs_talk(&self) -> bool {
        matches!(
            self.rule.on,
            On::ConversationClosed
                | On::ConversationReopened
                | On::ConversationRated
                | On::NoteAdded
                | On::LabelsChanged
                | On::ParticipantJoined
                | On::ParticipantLeft
        )
    }

    /// Returns the message with which the visitor starts, if something precedes the event.
    fn question(&self) -> Option<Action> {
        // A requested message of the visitor is their first, and so is the message that is read.
        let is_first = self.rule.on == On::MessageSent && self.by() == Role::Visitor;
        let follows = !is_first && self.rule.on != On::MessageRead;
        follows.then(|| self.say(Role::Visitor, "text", Map::new()))
    }

    /// Returns the reply of the agent, if the event follows it.
    fn answer(&self) -> Option<Action> {
        self.needs_talk().then(|| self.say(Role::Agent, "text", Map::new()))
    }

    /// Returns the actions after the conversation was opened and, if required, assigned.
    fn conversation_actions(&self) -> Vec<Action> {
        let by = || self.actor(self.by());
        let agent = || self.actor(Role::Agent);
        let join = || ActionKind::Join.by(self.actor(Role::Manager));
        match self.rule.on {
            On::MessageSent => self.message_actions(),
            On::MessageRead => {
                let message = self.say(Role::Visitor, "text", Map::new());
                vec![message, ActionKind::Read { upto: None }.by(agent())]
            }
            On::TypingChanged => {
                let typing = |on| ActionKind::Typing { on }.by(by());
                let stops = self.input("on").and_then(Json::as_bool) == Some(false);
                if stops { vec![typing(true), typing(false)] } else { vec![typing(true)] }
            }
            On::AssigneeChanged => match self.input("skill").and_then(Json::as_str) {
                Some(skill) => {
                    let skill = Some(skill.to_owned());
                    vec![ActionKind::Assign { to: None, skill, accept: None }.by(agent())]
                }
                None => vec![self.assign()],
            },
            On::ParticipantJoined => vec![join()],
            On::ParticipantLeft => vec![join(), ActionKind::Leave.by(self.actor(Role::Manager))],
            On::ConversationClosed => vec![ActionKind::Close { survey: false }.by(agent())],
            On::ConversationReopened => {
                vec![
                    ActionKind::Close { survey: false }.by(agent()),
                    ActionKind::Reopen.by(self.actor(Role::Visitor)),
                ]
            }
            On::NoteAdded => {
                vec![
                    ActionKind::Note { text: self.text("text", "Called back, no answer.") }
                        .by(by()),
                ]
            }
            On::VariablesSet => vec![self.set(by())],
            On::LabelsChanged => {
                let labels = || vec![self.text("label", "vip")];
                let label = |add| ActionKind::Label { add, labels: labels() }.by(by());
                let usual = self.rule.first_label_action().unwrap_or(LabelAction::Added);
                let action = self.text("action", usual.as_str());
                let removes = action == LabelAction::Removed.as_str();
                if removes { vec![label(true), label(false)] } else { vec![label(true)] }
            }
            On::FlowStarted => {
                let (name, states) = (self.text("name", "Welcome"), self.number("states", 1));
                vec![ActionKind::Flow { name, states }.by(by())]
            }
            On::ConversationRated => {
                let comment = self.input("comment").and_then(Json::as_str).map(str::to_owned);
                vec![ActionKind::Rate { score: self.number("score", 5), comment }.by(by())]
            }
            On::Emitted => {
                // Messages, because an emitted event can be about them.
                let message = |role| self.say(role, "text", Map::new());
                let emit = ActionKind::Emit {
                    event_type: self.rule.event_type.clone(),
                    data: self.query.data.clone(),
                }
                .by(by());
                vec![message(Role::Visitor), message(Role::Agent), emit]
            }
            On::ConversationOpened | On::EntityCreated | On::EntityUpdated | On::EntityDeleted => {
                Vec::new()
            }
        }
    }

    fn input(&self, key: &str) -> Option<&Json> {
        self.query.data.get(key)
    }

    fn text(&self, key: &str, default: &str) -> String {
        self.input(key).and_then(Json::as_str).unwrap_or(default).to_owned()
    }

    fn number(&self, key: &str, default: i64) -> i64 {
        self.input(key).and_then(Json::as_i64).unwrap_or(default)
    }

    /// Returns the role of the actor: the requested one, the first in the rule's condition, or the
    /// usual one for the event.
    fn by(&self) -> Role {
        let usual = match self.rule.on {
            On::MessageSent if self.rule.covers_role(Role::Agent) && !self.is_response() => {
                Role::Agent
            }
            On::MessageSent | On::ConversationOpened | On::ConversationRated => Role::Visitor,
            On::FlowStarted => Role::Bot,
            On::Emitted => Role::System,
            _ => Role::Agent,
        };
        self.query.by.or_else(|| self.rule.first_role()).unwrap_or(usual)
    }

    fn actor(&self, role: Role) -> Actor {
        // A conversation need not have every role, but it always has the system.
        let found = (self.cast)(role).or_else(|| (self.cast)(Role::System));
        Actor::Member(found.unwrap_or_else(|| role.as_str().to_owned()))
    }

    fn open(&self) -> Action {
        let assignee = Some(self.actor(Role::Bot));
        ActionKind::open("web", assignee).by(self.actor(Role::Visitor))
    }

    fn assign(&self) -> Action {
        let to = Some(self.actor(Role::Agent));
        ActionKind::Assign { to, skill: None, accept: None }.by(self.actor(Role::Agent))
    }

    fn kind(&self) -> String {
        let kind = self.query.kind.clone().or_else(|| self.rule.first_kind());
        kind.unwrap_or_else(|| "text".into())
    }

    /// Returns true if the message kind responds to another.
    fn is_response(&self) -> bool {
        self.platform.kinds.get(&self.kind()).is_some_and(|kind| kind.answers.is_some())
    }

    /// Returns the message and, before it, the message that it responds to.
    fn message_actions(&self) -> Vec<Action> {
        let kind = self.kind();
        let asked = self.platform.kinds.get(&kind).and_then(|kind| kind.answers.clone());
        let asked = asked.map(|asked| self.say(Role::Bot, &asked, Map::new()));
        let earlier = self.rule.needs_earlier_message();
        let earlier = earlier.then(|| self.say(self.by(), "text", Map::new()));
        let message = self.say(self.by(), &kind, self.query.data.clone());
        earlier.into_iter().chain(asked).chain([message]).collect()
    }

    fn say(&self, by: Role, kind: &str, mut data: Map<String, Json>) -> Action {
        let text = match data.remove("text") {
            Some(Json::String(text)) => text,
            _ => self.default_text(by, kind).to_owned(),
        };
        ActionKind::Say { kind: kind.to_owned(), text, data }.by(self.actor(by))
    }

    /// Returns the text of a message if none is requested; empty if the kind has a default text, if
    /// the text follows from the selected choice, or if the vendor sends no text with the kind.
    fn default_text(&self, by: Role, kind: &str) -> &'static str {
        let kind = self.platform.kinds.get(kind);
        let data = kind.map(|kind| &kind.data);
        if data.is_some_and(|data| data.has("text") || data.has("choice")) {
            return "";
        }
        let reads_text = |template: &JsonTemplate| template.paths().contains("message.text");
        if !kind.is_some_and(|kind| reads_text(&kind.body)) && !reads_text(&self.rule.body) {
            return "";
        }
        match by {
            Role::Visitor => "Hello, is anybody there?",
            Role::Bot | Role::Agent | Role::Manager => "Hello! What can we do for you?",
            Role::System => "The conversation goes on.",
        }
    }

    fn entity_actions(&self) -> Vec<Action> {
        let by = || self.actor(self.query.by.unwrap_or(Role::Agent));
        let name = || "it".to_owned();
        let kind = self.query.kind.clone().or_else(|| self.rule.first_kind());
        // A rule without a condition is for every kind.
        let kind = kind.or_else(|| self.platform.entities.keys().next().cloned());
        let kind = kind.unwrap_or_default();
        let input = self.query.data.clone();
        let created = |fields| {
            ActionKind::Create {
                name: name(),
                kind: kind.clone(),
                fields,
                unset: Vec::new(),
                ids: None,
            }
            .by(by())
        };
        match self.rule.on {
            On::EntityUpdated => {
                let mut fields = input;
                for field in self.rule.changed() {
                    // The rule requires a changed field; any value other than the default will do.
                    fields.entry(field).or_insert_with(|| "another".into());
                }
                let update =
                    ActionKind::Update { name: name(), fields, unset: Vec::new() }.by(by());
                vec![created(Map::new()), update]
            }
            On::EntityDeleted => {
                vec![created(input), ActionKind::Delete { name: name() }.by(by())]
            }
            _ => vec![created(input)],
        }
    }

    fn set(&self, by: Actor) -> Action {
        let mut data = self.query.data.clone();
        // `type` and `scope` describe the variables; all other keys are variables.
        let declared = data.remove("type").and_then(|declared| Some(declared.as_str()?.to_owned()));
        let scope = data.remove("scope");
        let scope = scope.as_ref().and_then(Json::as_str).and_then(VariableScope::from_name);
        if data.is_empty() {
            let name = self.rule.first_variable().unwrap_or("plan");
            data.insert(name.into(), "gold".into());
        }
        let variable = |(name, value): (String, Json)| {
            let own = Variable::of_step(name, value);
            Variable { declared: declared.clone().unwrap_or(own.declared), ..own }
        };
        let variables = data.into_iter().map(variable).collect();
        ActionKind::Set { variables, scope: scope.unwrap_or(VariableScope::Visitor) }.by(by)
    }
}
