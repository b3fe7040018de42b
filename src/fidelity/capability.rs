//! What vendors can: a table of acts and kinds of messages by vendor.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::conversation::{EventKind, Role};
use crate::vendor::{Coverage, Vendor};

/// What a vendor does about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ability {
    /// It sends something.
    Sends,
    /// It sends something unless somebody of these roles does it.
    SendsBut(Vec<Role>),
    /// It sends something that stands in for it: a message of this kind.
    SendsAs(String),
    /// It happens, and nothing is sent.
    Silent,
    /// It cannot happen.
    Cannot,
}

impl fmt::Display for Ability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends => formatter.write_str("yes"),
            Self::SendsBut(roles) => {
                let roles: Vec<&str> = roles.iter().map(|role| role.word()).collect();
                write!(formatter, "not by {}", roles.join(", "))
            }
            Self::SendsAs(kind) => write!(formatter, "as {kind}"),
            Self::Silent => formatter.write_str("silent"),
            Self::Cannot => formatter.write_str("no"),
        }
    }
}

/// One thing that can happen, and what each vendor does about it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The neutral event, or the kind of message or entity.
    pub name: String,
    /// What each vendor does, in the order in which they were given.
    pub abilities: Vec<Ability>,
}

/// What vendors do about each neutral event.
pub fn events(vendors: &[Arc<Vendor>]) -> Vec<Row> {
    let told = EventKind::ALL.iter().filter(|on| **on != EventKind::Emitted);
    let row = |on: &EventKind| Row {
        name: on.to_string(),
        abilities: vendors.iter().map(|vendor| event(vendor, *on)).collect(),
    };
    told.map(row).collect()
}

fn event(vendor: &Vendor, on: EventKind) -> Ability {
    let does = |role: &Role| vendor.coverage(on, *role);
    if !vendor.events.iter().any(|rule| rule.on == on) {
        let cannot = Role::ALL.iter().all(|role| matches!(does(role), Coverage::Cannot(_)));
        return if cannot { Ability::Cannot } else { Ability::Silent };
    }
    let quiet: Vec<Role> =
        Role::ALL.iter().copied().filter(|role| does(role) != Coverage::Sends).collect();
    if quiet.is_empty() { Ability::Sends } else { Ability::SendsBut(quiet) }
}

/// What vendors do about each kind of message.
pub fn kinds(vendors: &[Arc<Vendor>]) -> Vec<Row> {
    let all: BTreeSet<&String> = vendors.iter().flat_map(|vendor| vendor.kinds.keys()).collect();
    let ability = |vendor: &Vendor, name: &str| match vendor.kinds.get(name) {
        None => Ability::Cannot,
        Some(kind) if kind.name != name => Ability::SendsAs(kind.name.clone()),
        Some(_) => Ability::Sends,
    };
    let row = |name: &String| Row {
        name: name.clone(),
        abilities: vendors.iter().map(|vendor| ability(vendor, name)).collect(),
    };
    all.into_iter().map(row).collect()
}

/// What vendors do about each kind of entity.
pub fn entities(vendors: &[Arc<Vendor>]) -> Vec<Row> {
    let all: BTreeSet<&String> = vendors.iter().flat_map(|vendor| vendor.entities.keys()).collect();
    let ability = |vendor: &Arc<Vendor>, name: &String| {
        if vendor.entities.contains_key(name) { Ability::Sends } else { Ability::Cannot }
    };
    let row = |name: &String| Row {
        name: name.clone(),
        abilities: vendors.iter().map(|vendor| ability(vendor, name)).collect(),
    };
    all.into_iter().map(row).collect()
}
