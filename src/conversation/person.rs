//! Participants of a conversation.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};

use super::generated_ids::GeneratedIds;
use crate::base::fake::{HOST, Locale, Persona};
use crate::template::{FieldType, Object, TableType, Value, field_value, table_type};

crate::string_enum! {
    /// Permanent role of a cast member.
    pub enum Role {
        /// Person who contacts the company.
        Visitor = "visitor",
        /// The vendor's bot.
        Bot = "bot",
        /// Member of staff who talks to visitors.
        Agent = "agent",
        /// Member of staff who supervises agents.
        Manager = "manager",
        /// The vendor's platform.
        System = "system",
    }
}

crate::string_enum! {
    /// Current role in a conversation: the permanent role, or `assignee` or `suggested`.
    pub enum ParticipantRole {
        /// The visitor.
        Visitor = "visitor",
        /// A bot that is not assigned.
        Bot = "bot",
        /// An agent who is not assigned.
        Agent = "agent",
        /// A manager.
        Manager = "manager",
        /// The vendor's platform.
        System = "system",
        /// Participant to whom the conversation is assigned.
        Assignee = "assignee",
        /// Agent to whom the conversation was offered and who has not accepted yet.
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

/// A member of the cast. It does not change during a conversation.
#[derive(Clone, Debug)]
pub struct Member {
    /// Name that the scenario uses to refer to the member.
    pub name: Arc<str>,
    /// Permanent role.
    pub role: Role,
    /// Personal data: from the scenario, or invented.
    pub persona: Persona,
    /// Email address, if the vendor has one.
    pub email: Option<Box<str>>,
    /// Phone number, if the vendor has one.
    pub phone: Option<Box<str>>,
    /// Id in the receiver's system, if a call has given one.
    pub external_key: Option<Box<str>>,
    /// Language, country and time zone.
    pub locale: &'static Locale,
    /// True on the first visit.
    pub is_new: bool,
    /// Time at which the vendor registered the member.
    pub created_at: Timestamp,
    /// Generated ids.
    pub ids: GeneratedIds,
}

// Names are unique within a cast, so comparing the other fields would only cost time.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Returns a JSON object without entries. All share one, because most conversations and people have
/// no variables.
pub(super) fn empty_table() -> Arc<Json> {
    static EMPTY: LazyLock<Arc<Json>> = LazyLock::new(|| Arc::new(Json::Object(Map::new())));
    Arc::clone(&EMPTY)
}

/// Snapshot of a cast member in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Cast member.
    pub member: Arc<Member>,
    /// Current role in the conversation.
    pub participant_role: ParticipantRole,
    /// Variables that the scenario set, as a JSON object.
    pub variables: Arc<Json>,
}

impl Person {
    /// Creates a participant whose current role is the permanent one.
    pub fn new(member: Arc<Member>, variables: Map<String, Json>) -> Self {
        let participant_role = member.role.into();
        let variables =
            if variables.is_empty() { empty_table() } else { Arc::new(Json::Object(variables)) };
        Self { member, participant_role, variables }
    }

    /// Returns the permanent role.
    pub fn role(&self) -> Role {
        self.member.role
    }

    /// Returns true if both are the same cast member.
    pub fn is(&self, other: &Self) -> bool {
        self.member == other.member
    }

    /// Returns the offset of the member's time zone from UTC, such as `+01:00`.
    pub fn utc_offset(&self) -> String {
        let zone = TimeZone::get(self.member.locale.timezone).unwrap_or(TimeZone::UTC);
        // Taken at a fixed time, so that the offset does not change during a conversation.
        let local = self.member.created_at.to_zoned(zone);
        local.strftime("%:z").to_string()
    }

    /// Returns the major version of the browser.
    pub fn browser_major(&self) -> &'static str {
        let version = self.member.persona.device.browser_version;
        version.split_once('.').map_or(version, |(major, _)| major)
    }

    /// Returns a name or contact of the person as they would state it, although the vendor may not
    /// know it yet: `first_name`, `last_name`, `name`, `email` or `phone`.
    pub fn stated(&self, name: &str) -> Option<String> {
        let Member { persona, email, phone, .. } = &*self.member;
        match name {
            "first_name" => Some(persona.first_name.to_string()),
            "last_name" => Some(persona.last_name.to_string()),
            "name" => Some(self.name()),
            "email" => Some(email.as_deref().unwrap_or(&persona.email).to_owned()),
            "phone" => Some(phone.as_deref().unwrap_or(&persona.phone).to_owned()),
            _ => None,
        }
    }

    /// Returns the full name.
    pub fn name(&self) -> String {
        let Member { persona, locale, .. } = &*self.member;
        locale.full_name(&persona.first_name, &persona.last_name)
    }
}

crate::fields! {
    const FIELDS of Person {
        always role: FieldType::Word(Role::NAMES) => |p| p.member.role.as_str().into();
        always part: FieldType::Word(ParticipantRole::NAMES) => |p| p.participant_role.as_str().into();
        always name: FieldType::Text => |p| p.name().into();
        always first_name: FieldType::Text => |p| (*p.member.persona.first_name).into();
        always last_name: FieldType::Text => |p| (*p.member.persona.last_name).into();
        maybe email: FieldType::Text => |p| Value::maybe(p.member.email.as_deref());
        maybe phone: FieldType::Text => |p| Value::maybe(p.member.phone.as_deref());
        maybe external_key: FieldType::Text => |p| Value::maybe(p.member.external_key.as_deref());
        always ip: FieldType::Text => |p| p.member.persona.ip.to_string().into();
        always browser: FieldType::Text => |p| p.member.persona.device.browser.into();
        always browser_version: FieldType::Text => |p| p.member.persona.device.browser_version.into();
        always browser_major: FieldType::Text => |p| p.browser_major().into();
        always os: FieldType::Text => |p| p.member.persona.device.os.into();
        always user_agent: FieldType::Text => |p| p.member.persona.device.user_agent.into();
        always locale: FieldType::Text => |p| p.member.locale.full_tag.into();
        always language: FieldType::Text => |p| p.member.locale.tag.into();
        always timezone: FieldType::Text => |p| p.member.locale.timezone.into();
        always city: FieldType::Text => |p| p.member.persona.city.name.into();
        always region: FieldType::Text => |p| p.member.persona.city.region.into();
        always country: FieldType::Text => |p| p.member.locale.country.into();
        always host: FieldType::Text => |_| HOST.into();
        always page: FieldType::Text => |p| p.member.persona.page.into();
        always dial: FieldType::Text => |p| p.member.locale.calling_code.into();
        always utc_offset: FieldType::Text => |p| p.utc_offset().into();
        always country_code: FieldType::Text => |p| p.member.locale.country_code.into();
        always is_new: FieldType::Bool => |p| Value::Bool(p.member.is_new);
        always created_at: FieldType::Time => |p| Value::Time(p.member.created_at);
        always variables: FieldType::open_table() => |p| Value::data(&p.variables);
    }
}

/// Returns the type of a person, the same for every role.
pub fn person_table() -> TableType {
    table_type("a person", FIELDS)
}

impl Object for Person {
    fn get(&self, name: &str) -> Value<'_> {
        let id = self.member.ids.value(name);
        id.or_else(|| field_value(FIELDS, self, name)).unwrap_or(Value::Absent)
    }
}
