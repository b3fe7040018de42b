//! The people of a conversation.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};

use super::{GeneratedIds, made};
use crate::base::fake::{Locale, Persona};
use crate::template::{FieldType, Object, TableType, Value, find, names as names_of};

crate::string_enum! {
    /// What somebody is.
    pub enum Role {
        /// Who came to the site or wrote to the number.
        Visitor = "visitor",
        /// The vendor's own bot.
        Bot = "bot",
        /// A person who answers.
        Agent = "agent",
        /// A person who looks over agents' shoulders.
        Manager = "manager",
        /// The vendor itself.
        System = "system",
    }
}

crate::string_enum! {
    /// What somebody is in the conversation just now: the role, or more than it.
    pub enum ParticipantRole {
        /// The visitor.
        Visitor = "visitor",
        /// A bot that is not assigned.
        Bot = "bot",
        /// An agent who is not assigned.
        Agent = "agent",
        /// A manager.
        Manager = "manager",
        /// The vendor itself.
        System = "system",
        /// Whoever the conversation is assigned to.
        Assignee = "assignee",
        /// An agent who was asked to take it over and has not accepted.
        Suggested = "suggested",
    }
}

impl From<Role> for ParticipantRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Visitor => Self::Visitor,
            Role::Bot => Self::Bot,
            Role::Agent => Self::Agent,
            Role::Manager => Self::Manager,
            Role::System => Self::System,
        }
    }
}

/// A member of the cast; does not change during a conversation.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name by which the scenario refers to them.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// What was invented about them, or given by the scenario.
    pub persona: Persona,
    /// The mail address, where it is known to the vendor.
    pub email: Option<String>,
    /// The telephone number, where it is known to the vendor.
    pub phone: Option<String>,
    /// Where they live and how they speak.
    pub locale: &'static Locale,
    /// Whether they are here for the first time.
    pub is_new: bool,
    /// Since when the vendor knows them.
    pub created_at: Timestamp,
    /// What the vendor's `[ids]` made for them.
    pub ids: GeneratedIds,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A member with their part at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Who.
    pub member: Arc<Member>,
    /// What they are in the conversation.
    pub part: ParticipantRole,
    /// What is known about them under names of the scenario's choice.
    pub variables: Arc<Json>,
}

impl Person {
    /// A member in the part that their role gives.
    pub fn new(member: Arc<Member>, variables: Map<String, Json>) -> Self {
        let part = member.role.into();
        Self { member, part, variables: Arc::new(Json::Object(variables)) }
    }

    /// What they are.
    pub fn role(&self) -> Role {
        self.member.role
    }

    /// Whether both are the same member.
    pub fn is(&self, other: &Self) -> bool {
        self.member == other.member
    }

    /// How far their clocks are from UTC, as `+01:00`.
    pub fn utc_offset(&self) -> String {
        let zone = TimeZone::get(self.member.locale.timezone).unwrap_or(TimeZone::UTC);
        let local = self.member.created_at.to_zoned(zone);
        local.strftime("%:z").to_string()
    }

    /// The browser's version up to the first dot.
    pub fn browser_major(&self) -> &'static str {
        let version = self.member.persona.browser_version;
        version.split_once('.').map_or(version, |(major, _)| major)
    }

    /// The full name.
    pub fn name(&self) -> String {
        let persona = &self.member.persona;
        format!("{} {}", persona.first_name, persona.last_name).trim_end().to_owned()
    }
}

crate::fields! {
    const FIELDS of Person {
        always role: FieldType::Word(Role::WORDS) => |p| p.member.role.word().into();
        always part: FieldType::Word(ParticipantRole::WORDS) => |p| p.part.word().into();
        always name: FieldType::Text => |p| p.name().into();
        always first_name: FieldType::Text => |p| p.member.persona.first_name.as_str().into();
        always last_name: FieldType::Text => |p| p.member.persona.last_name.as_str().into();
        maybe email: FieldType::Text => |p| Value::maybe(p.member.email.as_deref());
        maybe phone: FieldType::Text => |p| Value::maybe(p.member.phone.as_deref());
        always ip: FieldType::Text => |p| p.member.persona.ip.as_str().into();
        always browser: FieldType::Text => |p| p.member.persona.browser.into();
        always browser_version: FieldType::Text => |p| p.member.persona.browser_version.into();
        always browser_major: FieldType::Text => |p| p.browser_major().into();
        always os: FieldType::Text => |p| p.member.persona.os.into();
        always user_agent: FieldType::Text => |p| p.member.persona.user_agent.into();
        always locale: FieldType::Text => |p| p.member.locale.full_tag.into();
        always language: FieldType::Text => |p| p.member.locale.tag.into();
        always timezone: FieldType::Text => |p| p.member.locale.timezone.into();
        always city: FieldType::Text => |p| p.member.persona.city.into();
        always region: FieldType::Text => |p| p.member.persona.region.into();
        always country: FieldType::Text => |p| p.member.locale.country.into();
        always host: FieldType::Text => |p| p.member.persona.host.into();
        always page: FieldType::Text => |p| p.member.persona.page.as_str().into();
        always dial: FieldType::Text => |p| p.member.locale.dial.into();
        always utc_offset: FieldType::Text => |p| p.utc_offset().into();
        always country_code: FieldType::Text => |p| p.member.locale.country_code.into();
        always is_new: FieldType::Bool => |p| Value::Bool(p.member.is_new);
        always created_at: FieldType::Time => |p| Value::Time(p.member.created_at);
        always variables: FieldType::open_table() => |p| Value::data(&p.variables);
    }
}

/// A person, whatever their role.
pub fn names() -> TableType {
    names_of("a person", FIELDS)
}

impl Object for Person {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.member.ids, name).or_else(|| find(FIELDS, self, name)).unwrap_or(Value::Absent)
    }
}
