//! The people of an account that calls have named. They are the same in every run.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::base::fake::{LOCALES, Persona};
use crate::conversation::{GeneratedIds, Member, Person, Role};
use crate::platform::Account;

/// People of an account.
#[derive(Clone, Debug, Default)]
pub(super) struct People(Vec<Person>);

/// A value by which a person is found: the name of an id, `external_key` or `email`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PersonKey {
    pub(super) field: String,
    pub(super) value: String,
}

impl People {
    /// Returns all people.
    pub(super) fn all(&self) -> impl Iterator<Item = &Person> {
        self.0.iter()
    }

    /// Returns the person in a role who has these values.
    pub(super) fn find(&self, role: Role, keys: &[PersonKey]) -> Option<&Person> {
        self.0.iter().find(|person| is_person(person, role, keys))
    }

    /// Adds a person, or replaces the one with the same ids.
    pub(super) fn put(&mut self, person: Person) {
        let is_same = |known: &&mut Person| {
            known.role() == person.role() && known.member.ids == person.member.ids
        };
        match self.0.iter_mut().find(is_same) {
            Some(known) => *known = person,
            None => self.0.push(person),
        }
    }
}

/// Returns true if a person has a role and these values.
pub(super) fn is_person(person: &Person, role: Role, keys: &[PersonKey]) -> bool {
    let value = |field: &str| match field {
        "external_key" => person.member.external_key.as_deref().map(str::to_owned),
        "email" => person.member.email.as_deref().map(str::to_owned),
        id => person.member.ids.text(id),
    };
    person.role() == role && keys.iter().all(|key| value(&key.field).as_ref() == Some(&key.value))
}

/// Returns a JSON value as text, without the quotes of a string.
pub(super) fn text_of(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// Creates a person with these values. `data` can have `name`, `email`, `phone` and `variables`.
///
/// The ids depend on the account and on the values only, so that a client can keep them.
pub(super) fn create(
    account: &Account,
    role: Role,
    keys: &[PersonKey],
    data: &Map<String, Json>,
    at: Timestamp,
) -> Person {
    let key = |field: &str| keys.iter().find(|key| key.field == field).map(|key| key.value.clone());
    let text = |field: &str| data.get(field).filter(|value| !value.is_null()).map(text_of);
    let (external_key, email) = (key("external_key"), text("email").or_else(|| key("email")));
    let id = external_key.clone().or_else(|| email.clone()).unwrap_or_default();
    let seeds = account.fixed_seeds().within("person").within(role.as_str());
    let seeds = seeds.within(&id);
    let locale = &LOCALES[0];
    let persona = Persona::generate(locale, &seeds);
    let persona = match text("name") {
        Some(name) => persona.named(&name, locale, &seeds),
        None => persona,
    };
    // A conversation has one visitor. Of the others, reports show the address.
    let name = if role == Role::Visitor { role.as_str().to_owned() } else { id };
    let member = Member {
        name: name.into(),
        role,
        persona,
        email: email.map(Into::into),
        phone: text("phone").map(Into::into),
        external_key: external_key.map(Into::into),
        locale,
        is_new: true,
        created_at: at,
        ids: GeneratedIds::default(),
    };
    let variables = match data.get("variables") {
        Some(Json::Object(variables)) => variables.clone(),
        _ => Map::new(),
    };
    Person::new(Arc::new(account.admit(member, &seeds)), variables)
}

/// Returns a person with other data.
pub(super) fn changed(person: &Person, data: &Map<String, Json>) -> Person {
    let text = |field: &str| data.get(field).filter(|value| !value.is_null()).map(text_of);
    let mut member = Member::clone(&person.member);
    member.email = text("email").map(Into::into).or(member.email);
    member.phone = text("phone").map(Into::into).or(member.phone);
    if let Some(name) = text("name") {
        let (first, last) = member.locale.split_name(&name);
        (member.persona.first_name, member.persona.last_name) = (first.into(), last.into());
    }
    let mut changed = Person { member: Arc::new(member), ..person.clone() };
    if let (Some(Json::Object(more)), Json::Object(variables)) =
        (data.get("variables"), Arc::make_mut(&mut changed.variables))
    {
        variables.extend(more.clone());
    }
    changed
}
