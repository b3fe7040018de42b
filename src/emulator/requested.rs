//! Actions of people and programs in a conversation, in the form that a journal stores.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::people::{People, PersonKey, changed, create};
use crate::conversation::{Action, Person, Role};
use crate::platform::Account;
use crate::record::ActionsRequested;

/// Actions that were performed as one unit.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestedUnit {
    pub(super) actions: Vec<RequestedAction>,
    /// People whom a call has named, in order.
    pub(super) people: Vec<NamedByCall>,
    /// The visitors of the conversation that a call opens.
    pub(super) opens: Option<Vec<PersonRef>>,
    /// The visitor of the conversation of a script that a call opens.
    pub(super) adopts: Option<PersonRef>,
    /// The visitor who gets the conversation after the actions.
    pub(super) hands_over: Option<PersonRef>,
}

/// An action, and the people who joined the conversation for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RequestedAction {
    pub(super) action: Action,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) people: Vec<PersonRef>,
}

/// Values by which a call creates a person, or changes a known one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NamedByCall {
    pub(super) role: Role,
    /// Names and values.
    pub(super) keys: Vec<PersonKey>,
    pub(super) data: Map<String, Json>,
    pub(super) at: Timestamp,
}

/// Refers to a person by role and ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PersonRef {
    role: Role,
    ids: Map<String, Json>,
}

impl PersonRef {
    pub(super) fn to(person: &Person) -> Self {
        Self { role: person.role(), ids: ids_of(person) }
    }

    /// Returns the person among these.
    pub(super) fn find<'a>(&self, mut all: impl Iterator<Item = &'a Person>) -> Option<&'a Person> {
        all.find(|person| person.role() == self.role && ids_of(person) == self.ids)
    }
}

fn ids_of(person: &Person) -> Map<String, Json> {
    person.member.ids.clone().into_entries().collect()
}

impl NamedByCall {
    /// Returns the person with these values, as the call found or created them.
    pub(super) fn resolve(&self, people: &People, account: &Account) -> Person {
        match people.find(self.role, &self.keys) {
            Some(known) => changed(known, &self.data),
            None => create(account, self.role, &self.keys, &self.data, self.at),
        }
    }
}

impl RequestedUnit {
    /// Actions in a conversation that exists, by people who are in it.
    pub(super) fn of(actions: &[Action]) -> Self {
        let action =
            |action: &Action| RequestedAction { action: action.clone(), people: Vec::new() };
        Self { actions: actions.iter().map(action).collect(), ..Self::default() }
    }

    /// Whether it has no effect.
    pub(super) fn is_empty(&self) -> bool {
        let opens = self.opens.is_some() || self.adopts.is_some() || self.hands_over.is_some();
        self.actions.is_empty() && self.people.is_empty() && !opens
    }

    /// The record of the unit.
    pub(super) fn to_record(&self) -> ActionsRequested {
        let json = |value: serde_json::Result<Json>| value.unwrap_or_default();
        ActionsRequested {
            actions: json(serde_json::to_value(&self.actions)),
            people: json(serde_json::to_value(&self.people)),
            opens: self.opens.as_ref().map(|opens| json(serde_json::to_value(opens))),
            adopts: self.adopts.as_ref().map(|adopts| json(serde_json::to_value(adopts))),
            hands_over: self.hands_over.as_ref().map(|heir| json(serde_json::to_value(heir))),
        }
    }

    /// Reads the record of a unit, in which secrets were filled in.
    pub(super) fn read(record: &ActionsRequested) -> Result<Self, String> {
        let parse = || -> serde_json::Result<Self> {
            let ActionsRequested { actions, people, opens, adopts, hands_over } = record.clone();
            Ok(Self {
                actions: serde_json::from_value(actions)?,
                people: serde_json::from_value(people)?,
                opens: opens.map(serde_json::from_value).transpose()?,
                adopts: adopts.map(serde_json::from_value).transpose()?,
                hands_over: hands_over.map(serde_json::from_value).transpose()?,
            })
        };
        parse().map_err(|error| format!("its actions cannot be read: {error}"))
    }
}

/// Returns everybody whom an action can name: people of calls, the cast and the staff.
pub(super) fn all_people<'a>(
    cast: &'a [Person],
    staff: &'a [Person],
    people: &'a People,
) -> impl Iterator<Item = &'a Person> {
    people.all().chain(cast).chain(staff)
}

/// Performs the changes of people of a unit.
pub(super) fn put_people(unit: &RequestedUnit, people: &mut People, account: &Arc<Account>) {
    for named in &unit.people {
        let person = named.resolve(people, account);
        people.put(person);
    }
}
