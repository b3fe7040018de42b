//! The cast: who takes part, as the file says it and as it is invented for a run.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use serde_json::{Map, Value as Json};

use super::forms::ScenarioForm;
use super::script::SeedScopes;
use crate::base::fake::{LOCALES, Locale, Persona, locale};
use crate::base::limits::MAX_CAST;
use crate::base::text::{A_NAME, is_name, one_of};
use crate::conversation::{GeneratedIds, Member, Person, Role};
use crate::diag::{Key, Problem, Problems, Spanned, code};
use crate::platform::Account;

/// A member of the cast, as far as the file says.
#[derive(Clone, Debug)]
pub struct CastMember {
    /// The name by which steps refer to them.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// Their full name, where the file gives one.
    pub full_name: Option<String>,
    /// Their mail address, where the file gives one.
    pub email: Option<String>,
    /// Their telephone number, where the file gives one.
    pub phone: Option<String>,
    /// Their locale.
    pub locale: &'static Locale,
    /// Whether they are here for the first time.
    pub is_new: bool,
    /// What else is known about them.
    pub variables: Map<String, Json>,
}

/// Names that steps use for something else.
const RESERVED: &[&str] = &["assignee"];

/// The cast of a scenario: those of the file, and a visitor, a bot and the system where the file
/// has nobody of the role.
pub(super) fn check(form: &ScenarioForm, problems: &mut Problems) -> Vec<CastMember> {
    let default = form.locale.as_ref().map_or(&LOCALES[0], |tag| check_locale(tag, problems));
    let mut cast = Vec::new();
    for (key, member) in form.cast.iter() {
        if cast.len() == MAX_CAST {
            let message = format!("more than {MAX_CAST} people in the cast");
            let problem = Problem::at(&key.span, code::TOO_MANY, message);
            problems.push(problem.help("leave out whom no step needs"));
            break;
        }
        check_name(key, member.role.value, problems);
        let own = member.locale.as_ref().map(|tag| check_locale(tag, problems));
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
        cast.push(CastMember {
            name: key.name.clone(),
            role: member.role.value,
            full_name: text(&member.name),
            email: text(&member.email),
            phone: text(&member.phone),
            locale: own.unwrap_or(default),
            is_new: member.is_new.as_ref().is_none_or(|is_new| is_new.value),
            variables: member.variables.to_json(),
        });
    }
    for role in [Role::Visitor, Role::Bot, Role::System] {
        if !cast.iter().any(|member| member.role == role) {
            cast.push(unnamed(role, default));
        }
    }
    cast
}

/// Somebody of whom nothing is known but the role.
pub(super) fn unnamed(role: Role, locale: &'static Locale) -> CastMember {
    CastMember {
        name: role.word().to_owned(),
        role,
        full_name: None,
        email: None,
        phone: None,
        locale,
        is_new: true,
        variables: Map::new(),
    }
}

/// What those are called who are nobody in particular.
fn unnamed_as(role: Role) -> Option<&'static str> {
    match role {
        Role::Bot => Some("Assistant"),
        Role::System => Some("System"),
        Role::Visitor | Role::Agent | Role::Manager => None,
    }
}

fn check_locale(tag: &Spanned<String>, problems: &mut Problems) -> &'static Locale {
    if !LOCALES.iter().any(|locale| locale.tag == tag.value || locale.full_tag == tag.value) {
        let known = LOCALES.iter().map(|locale| locale.tag);
        let message = format!("nobody speaks `{}` here", tag.value);
        let problem = Problem::at(&tag.span, code::UNKNOWN_WORD, message);
        problems.push(problem.help(format!("locales: {}", one_of(known))));
    }
    locale(tag)
}

fn check_name(key: &Key, role: Role, problems: &mut Problems) {
    let other_role = Role::of_word(&key.name).filter(|named| *named != role);
    if RESERVED.contains(&key.name.as_str()) || other_role.is_some() {
        let message = format!("`{}` cannot name somebody of the role {role}", key.name);
        let problem = Problem::at(&key.span, code::RESERVED_NAME, message);
        problems.push(problem.help(match other_role {
            Some(role) => format!("a cast member of this name would be the {role}"),
            None => "give them a name of their own, such as `grace`".to_owned(),
        }));
    }
    if !is_name(&key.name) {
        let message = format!("a name is {A_NAME}");
        problems.push(Problem::at(&key.span, code::RESERVED_NAME, message));
    }
}

impl CastMember {
    /// The member as they are in one conversation.
    pub(super) fn invent(
        &self,
        account: &Account,
        scopes: &SeedScopes,
        start: Timestamp,
    ) -> Person {
        let is_visitor = self.role == Role::Visitor;
        let (seeds, ids) = if is_visitor {
            (&scopes.story, &scopes.ids)
        } else {
            (&scopes.staff, &scopes.staff_ids)
        };
        let own = seeds.within("cast").within(&self.name);
        let persona = Persona::invent(self.locale, &own);
        let name = self.full_name.as_deref().or_else(|| unnamed_as(self.role));
        let persona = match name {
            Some(name) => persona.named(name, &own),
            None => persona,
        };
        let staff_only = |value: &str| (!is_visitor).then(|| value.to_owned());
        let known_for =
            if is_visitor && self.is_new { 0 } else { own.rng("days").random_range(20..600) };
        let member = Member {
            name: self.name.clone(),
            role: self.role,
            email: self.email.clone().or_else(|| staff_only(&persona.email)),
            phone: self.phone.clone().or_else(|| staff_only(&persona.phone)),
            locale: self.locale,
            is_new: self.is_new,
            created_at: start - SignedDuration::from_hours(24 * known_for),
            persona,
            ids: GeneratedIds::default(),
        };
        Person::new(Arc::new(account.admit(member, &ids.within("cast"))), self.variables.clone())
    }
}
