//! Which acts cause an event: for those who want one webhook of a type, whatever leads to it.

use serde_json::{Map, Value as Json};

use super::{EventRule, Vendor};
use crate::conversation::{Act, EventKind, EventKind as On, Role, Variable, VariableScope, Who};

/// Who plays a role.
type Cast<'a> = &'a dyn Fn(Role) -> Option<String>;

/// What is wanted of an event beyond its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Who does it.
    pub by: Option<Role>,
    /// The kind of message or entity.
    pub kind: Option<String>,
    /// What it holds.
    pub data: Map<String, Json>,
}

impl Vendor {
    /// The acts that lead to an event, the last of which causes it.
    pub fn cause(&self, rule: &EventRule, wanted: &Wanted, cast: Cast<'_>) -> Vec<Act> {
        Cause { vendor: self, rule, wanted, cast }.acts()
    }
}

struct Cause<'a> {
    vendor: &'a Vendor,
    rule: &'a EventRule,
    wanted: &'a Wanted,
    cast: Cast<'a>,
}

impl Cause<'_> {
    fn acts(&self) -> Vec<Act> {
        let mut acts = match self.rule.on {
            On::EntityCreated | On::EntityUpdated | On::EntityDeleted => return self.entity(),
            On::ConversationOpened => Vec::new(),
            _ => vec![self.open()],
        };
        let agent = self.who(Role::Agent);
        let needs_agent = self.rule.on != On::ConversationOpened
            && (self.by() != Role::Visitor || self.rule.wants_assigned_agent());
        if needs_agent && self.rule.on != On::AssigneeChanged {
            acts.push(self.assign());
        }
        match self.rule.on {
            On::ConversationOpened => acts.push(self.open()),
            On::MessageSent => acts.extend(self.said()),
            On::MessageRead => {
                acts.push(self.say(Role::Visitor, "text", Map::new()));
                acts.push(Act::Read { by: agent, upto: None });
            }
            On::TypingChanged => {
                let on = self.flag("on").unwrap_or(true);
                if !on {
                    acts.push(Act::Typing { by: self.who(self.by()), on: true });
                }
                acts.push(Act::Typing { by: self.who(self.by()), on });
            }
            On::AssigneeChanged => acts.push(self.assign()),
            On::ParticipantJoined => acts.push(Act::Join { by: self.who(Role::Manager) }),
            On::ParticipantLeft => {
                acts.push(Act::Join { by: self.who(Role::Manager) });
                acts.push(Act::Leave { by: self.who(Role::Manager) });
            }
            On::ConversationClosed => acts.push(Act::Close { by: agent }),
            On::ConversationReopened => {
                acts.push(Act::Close { by: agent });
                acts.push(Act::Reopen { by: self.who(Role::Visitor) });
            }
            _ => acts.extend(self.other()),
        }
        acts
    }

    /// Who does it: as wanted, else the first that the rule allows, else whoever usually does.
    fn by(&self) -> Role {
        let usual = match self.rule.on {
            EventKind::MessageSent if self.rule.covers_role(Role::Agent) && !self.answers() => {
                Role::Agent
            }
            EventKind::MessageSent
            | EventKind::ConversationOpened
            | EventKind::ConversationRated => Role::Visitor,
            EventKind::FlowStarted => Role::Bot,
            EventKind::Emitted => Role::System,
            _ => Role::Agent,
        };
        self.wanted.by.or_else(|| self.rule.first_role()).unwrap_or(usual)
    }

    fn who(&self, role: Role) -> Who {
        let found = (self.cast)(role).or_else(|| (self.cast)(Role::System));
        Who::Member(found.unwrap_or_else(|| role.word().to_owned()))
    }

    fn open(&self) -> Act {
        let assignee = Some(self.who(Role::Bot));
        Act::Open { by: self.who(Role::Visitor), channel: "web".into(), assignee }
    }

    fn assign(&self) -> Act {
        let to = Some(self.who(Role::Agent));
        Act::Assign { to, skill: None, by: self.who(Role::Agent), accept: None }
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
    fn said(&self) -> Vec<Act> {
        let kind = self.kind();
        let asked = self.vendor.kinds.get(&kind).and_then(|kind| kind.answers.clone());
        let asked = asked.map(|asked| self.say(Role::Bot, &asked, Map::new()));
        let said = self.say(self.by(), &kind, self.wanted.data.clone());
        asked.into_iter().chain([said]).collect()
    }

    fn say(&self, by: Role, kind: &str, mut data: Map<String, Json>) -> Act {
        let text = match data.remove("text") {
            Some(Json::String(text)) => text,
            _ => self.usual_text(by, kind).to_owned(),
        };
        Act::Say { by: self.who(by), kind: kind.to_owned(), text, data }
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

    fn entity(&self) -> Vec<Act> {
        let by = || self.who(self.wanted.by.unwrap_or(Role::Agent));
        let name = || "it".to_owned();
        let kind = self.wanted.kind.clone().or_else(|| self.rule.first_kind()).unwrap_or_default();
        let given = self.wanted.data.clone();
        let created = |fields| Act::Create { by: by(), name: name(), kind: kind.clone(), fields };
        match self.rule.on {
            EventKind::EntityUpdated => {
                let mut fields = given;
                for field in self.rule.changed() {
                    fields.entry(field).or_insert_with(|| "another".into());
                }
                let update = Act::Update { by: by(), name: name(), fields, unset: Vec::new() };
                vec![created(Map::new()), update]
            }
            EventKind::EntityDeleted => {
                vec![created(given), Act::Delete { by: by(), name: name() }]
            }
            _ => vec![created(given)],
        }
    }

    fn other(&self) -> Vec<Act> {
        let by = || self.who(self.by());
        let text = |key: &str, otherwise: &str| {
            let given = self.wanted.data.get(key).and_then(Json::as_str);
            given.unwrap_or(otherwise).to_owned()
        };
        let number = |key: &str, otherwise: i64| {
            self.wanted.data.get(key).and_then(Json::as_i64).unwrap_or(otherwise)
        };
        match self.rule.on {
            EventKind::NoteAdded => {
                vec![Act::Note { by: by(), text: text("text", "Called back, no answer.") }]
            }
            EventKind::VariablesSet => vec![self.set(by())],
            EventKind::LabelsChanged => {
                let label = |add| Act::Label { by: by(), add, labels: vec![text("label", "vip")] };
                let removes = text("action", "added") == "removed";
                if removes { vec![label(true), label(false)] } else { vec![label(true)] }
            }
            EventKind::FlowStarted => {
                vec![Act::Flow {
                    by: by(),
                    name: text("name", "Welcome"),
                    states: number("states", 1),
                }]
            }
            EventKind::ConversationRated => {
                let comment = self.wanted.data.get("comment").and_then(Json::as_str);
                let comment = comment.map(str::to_owned);
                vec![Act::Rate { by: by(), score: number("score", 5), comment }]
            }
            EventKind::Emitted => vec![Act::Emit {
                by: by(),
                event_type: self.rule.event_type.clone(),
                data: self.wanted.data.clone(),
            }],
            _ => Vec::new(),
        }
    }

    fn set(&self, by: Who) -> Act {
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
        Act::Set { by, variables, scope: scope.unwrap_or(VariableScope::Visitor) }
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.wanted.data.get(key).and_then(Json::as_bool)
    }
}
