//! Which acts cause an event: for those who want one webhook of a type, whatever leads to it.

use serde_json::{Map, Value as Json};

use super::{EventRule, Platform};
use crate::conversation::{Action, Actor, EventKind as On, Role, Variable, VariableScope};

/// Who plays a role.
type RolePlayers<'a> = &'a dyn Fn(Role) -> Option<String>;

/// What is wanted of an event beyond its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventQuery {
    /// Who does it.
    pub by: Option<Role>,
    /// The kind of message or entity.
    pub kind: Option<String>,
    /// What it holds.
    pub data: Map<String, Json>,
}

impl Platform {
    /// The acts that lead to an event, the last of which causes it.
    pub fn synthesize(
        &self,
        rule: &EventRule,
        wanted: &EventQuery,
        cast: RolePlayers<'_>,
    ) -> Vec<Action> {
        ActionSynthesizer { vendor: self, rule, wanted, cast }.actions()
    }
}

struct ActionSynthesizer<'a> {
    vendor: &'a Platform,
    rule: &'a EventRule,
    wanted: &'a EventQuery,
    cast: RolePlayers<'a>,
}

impl ActionSynthesizer<'_> {
    fn actions(&self) -> Vec<Action> {
        match self.rule.on {
            On::ConversationOpened => vec![self.open()],
            On::EntityCreated | On::EntityUpdated | On::EntityDeleted => self.of_entity(),
            on => {
                let needs_agent = self.by() != Role::Visitor || self.rule.wants_assigned_agent();
                let assigned = (needs_agent && on != On::AssigneeChanged).then(|| self.assign());
                [self.open()].into_iter().chain(assigned).chain(self.of_conversation()).collect()
            }
        }
    }

    /// The acts in a conversation that is open, and assigned where that matters.
    fn of_conversation(&self) -> Vec<Action> {
        let by = || self.who(self.by());
        let agent = || self.who(Role::Agent);
        let join = || Action::Join { by: self.who(Role::Manager) };
        match self.rule.on {
            On::MessageSent => self.said(),
            On::MessageRead => {
                let said = self.say(Role::Visitor, "text", Map::new());
                vec![said, Action::Read { by: agent(), upto: None }]
            }
            On::TypingChanged => {
                let typing = |on| Action::Typing { by: by(), on };
                let stops = self.given("on").and_then(Json::as_bool) == Some(false);
                if stops { vec![typing(true), typing(false)] } else { vec![typing(true)] }
            }
            On::AssigneeChanged => vec![self.assign()],
            On::ParticipantJoined => vec![join()],
            On::ParticipantLeft => vec![join(), Action::Leave { by: self.who(Role::Manager) }],
            On::ConversationClosed => vec![Action::Close { by: agent() }],
            On::ConversationReopened => {
                vec![Action::Close { by: agent() }, Action::Reopen { by: self.who(Role::Visitor) }]
            }
            On::NoteAdded => {
                vec![Action::Note { by: by(), text: self.text("text", "Called back, no answer.") }]
            }
            On::VariablesSet => vec![self.set(by())],
            On::LabelsChanged => {
                let labels = || vec![self.text("label", "vip")];
                let label = |add| Action::Label { by: by(), add, labels: labels() };
                let removes = self.text("action", "added") == "removed";
                if removes { vec![label(true), label(false)] } else { vec![label(true)] }
            }
            On::FlowStarted => {
                let (name, states) = (self.text("name", "Welcome"), self.number("states", 1));
                vec![Action::Flow { by: by(), name, states }]
            }
            On::ConversationRated => {
                let comment = self.given("comment").and_then(Json::as_str).map(str::to_owned);
                vec![Action::Rate { by: by(), score: self.number("score", 5), comment }]
            }
            On::Emitted => vec![Action::Emit {
                by: by(),
                event_type: self.rule.event_type.clone(),
                data: self.wanted.data.clone(),
            }],
            On::ConversationOpened | On::EntityCreated | On::EntityUpdated | On::EntityDeleted => {
                Vec::new()
            }
        }
    }

    fn given(&self, key: &str) -> Option<&Json> {
        self.wanted.data.get(key)
    }

    fn text(&self, key: &str, otherwise: &str) -> String {
        self.given(key).and_then(Json::as_str).unwrap_or(otherwise).to_owned()
    }

    fn number(&self, key: &str, otherwise: i64) -> i64 {
        self.given(key).and_then(Json::as_i64).unwrap_or(otherwise)
    }

    /// Who does it: as wanted, else the first that the rule allows, else whoever usually does.
    fn by(&self) -> Role {
        let usual = match self.rule.on {
            On::MessageSent if self.rule.covers_role(Role::Agent) && !self.answers() => Role::Agent,
            On::MessageSent | On::ConversationOpened | On::ConversationRated => Role::Visitor,
            On::FlowStarted => Role::Bot,
            On::Emitted => Role::System,
            _ => Role::Agent,
        };
        self.wanted.by.or_else(|| self.rule.first_role()).unwrap_or(usual)
    }

    fn who(&self, role: Role) -> Actor {
        let found = (self.cast)(role).or_else(|| (self.cast)(Role::System));
        Actor::Member(found.unwrap_or_else(|| role.word().to_owned()))
    }

    fn open(&self) -> Action {
        let assignee = Some(self.who(Role::Bot));
        Action::Open { by: self.who(Role::Visitor), channel: "web".into(), assignee }
    }

    fn assign(&self) -> Action {
        let to = Some(self.who(Role::Agent));
        Action::Assign { to, skill: None, by: self.who(Role::Agent), accept: None }
    }

    fn kind(&self) -> String {
        let wanted = self.wanted.kind.clone().or_else(|| self.rule.first_kind());
        wanted.unwrap_or_else(|| "text".into())
    }

    /// Whether the kind of message answers another.
    fn answers(&self) -> bool {
        self.vendor.kinds.get(&self.kind()).is_some_and(|kind| kind.answers.is_some())
    }

    /// A message, and before it the one that it answers.
    fn said(&self) -> Vec<Action> {
        let kind = self.kind();
        let asked = self.vendor.kinds.get(&kind).and_then(|kind| kind.answers.clone());
        let asked = asked.map(|asked| self.say(Role::Bot, &asked, Map::new()));
        let said = self.say(self.by(), &kind, self.wanted.data.clone());
        asked.into_iter().chain([said]).collect()
    }

    fn say(&self, by: Role, kind: &str, mut data: Map<String, Json>) -> Action {
        let text = match data.remove("text") {
            Some(Json::String(text)) => text,
            _ => self.usual_text(by, kind).to_owned(),
        };
        Action::Say { by: self.who(by), kind: kind.to_owned(), text, data }
    }

    /// What is said where nothing is wanted in particular; nothing where the folder has a text, or
    /// the message says what was chosen.
    fn usual_text(&self, by: Role, kind: &str) -> &'static str {
        let data = self.vendor.kinds.get(kind).map(|kind| &kind.data);
        if data.is_some_and(|data| data.has("text") || data.has("choice")) {
            return "";
        }
        match by {
            Role::Visitor => "Hello, is anybody there?",
            Role::Bot | Role::Agent | Role::Manager => "Hello! What can we do for you?",
            Role::System => "The conversation goes on.",
        }
    }

    fn of_entity(&self) -> Vec<Action> {
        let by = || self.who(self.wanted.by.unwrap_or(Role::Agent));
        let name = || "it".to_owned();
        let kind = self.wanted.kind.clone().or_else(|| self.rule.first_kind()).unwrap_or_default();
        let given = self.wanted.data.clone();
        let created =
            |fields| Action::Create { by: by(), name: name(), kind: kind.clone(), fields };
        match self.rule.on {
            On::EntityUpdated => {
                let mut fields = given;
                for field in self.rule.changed() {
                    fields.entry(field).or_insert_with(|| "another".into());
                }
                let update = Action::Update { by: by(), name: name(), fields, unset: Vec::new() };
                vec![created(Map::new()), update]
            }
            On::EntityDeleted => {
                vec![created(given), Action::Delete { by: by(), name: name() }]
            }
            _ => vec![created(given)],
        }
    }

    fn set(&self, by: Actor) -> Action {
        let mut data = self.wanted.data.clone();
        let declared = data.remove("type").and_then(|declared| Some(declared.as_str()?.to_owned()));
        let scope = data.remove("scope");
        let scope = scope.as_ref().and_then(Json::as_str).and_then(VariableScope::of_word);
        if data.is_empty() {
            data.insert("plan".into(), "gold".into());
        }
        let variable = |(name, value): (String, Json)| {
            let declared = declared.clone().unwrap_or_else(|| Variable::type_of(&value).to_owned());
            Variable { name, declared, value }
        };
        let variables = data.into_iter().map(variable).collect();
        Action::Set { by, variables, scope: scope.unwrap_or(VariableScope::Visitor) }
    }
}
