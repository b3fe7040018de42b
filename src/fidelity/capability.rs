//! What vendors can: a table of acts and kinds of messages by vendor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::conversation::{EventKind, Role};
use crate::platform::{Coverage, MessageKind, Platform};

/// What a vendor does about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
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

impl fmt::Display for Capability {
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
pub struct CapabilityRow {
    /// The neutral event, or the kind of message or entity.
    pub name: String,
    /// What each vendor does, in the order in which they were given.
    pub abilities: Vec<Capability>,
}

/// What vendors do about each neutral event.
pub fn events(vendors: &[Arc<Platform>]) -> Vec<CapabilityRow> {
    let told = EventKind::ALL.iter().filter(|on| **on != EventKind::Emitted);
    told.map(|on| row(on.word(), vendors, |vendor| event(vendor, *on))).collect()
}

fn event(vendor: &Platform, on: EventKind) -> Capability {
    let does = |role: &Role| vendor.coverage(on, *role);
    if !vendor.events.iter().any(|rule| rule.on == on) {
        let cannot = Role::ALL.iter().all(|role| matches!(does(role), Coverage::Cannot(_)));
        return if cannot { Capability::Cannot } else { Capability::Silent };
    }
    let quiet: Vec<Role> =
        Role::ALL.iter().copied().filter(|role| does(role) != Coverage::Sends).collect();
    if quiet.is_empty() { Capability::Sends } else { Capability::SendsBut(quiet) }
}

/// What vendors do about each kind of message.
pub fn kinds(vendors: &[Arc<Platform>]) -> Vec<CapabilityRow> {
    rows(
        vendors,
        |vendor| &vendor.kinds,
        |name, kind| match kind {
            MessageKind { name: own, .. } if own != name => Capability::SendsAs(own.clone()),
            _ => Capability::Sends,
        },
    )
}

/// What vendors do about each kind of entity.
pub fn entities(vendors: &[Arc<Platform>]) -> Vec<CapabilityRow> {
    rows(vendors, |vendor| &vendor.entities, |_, _| Capability::Sends)
}

/// A row for each thing that a vendor has; `ability` is what one does that has it.
fn rows<T>(
    vendors: &[Arc<Platform>],
    things: fn(&Platform) -> &BTreeMap<String, T>,
    ability: fn(&str, &T) -> Capability,
) -> Vec<CapabilityRow> {
    let all: BTreeSet<&String> = vendors.iter().flat_map(|vendor| things(vendor).keys()).collect();
    let does = |vendor: &Platform, name: &str| {
        things(vendor).get(name).map_or(Capability::Cannot, |thing| ability(name, thing))
    };
    all.into_iter().map(|name| row(name, vendors, |vendor| does(vendor, name))).collect()
}

fn row(
    name: &str,
    vendors: &[Arc<Platform>],
    does: impl Fn(&Platform) -> Capability,
) -> CapabilityRow {
    CapabilityRow {
        name: name.to_owned(),
        abilities: vendors.iter().map(|vendor| does(vendor)).collect(),
    }
}
