//! Capabilities: which events, message kinds and entity kinds each vendor supports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::conversation::{EventKind, Role};
use crate::platform::{Coverage, MessageKind, Platform};

/// A vendor's support for one event or kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// The vendor sends a webhook.
    Sends,
    /// The vendor sends a webhook unless the actor has one of these roles.
    SendsExceptBy(Vec<Role>),
    /// The vendor sends a message of this kind instead.
    SendsAs(String),
    /// The event can happen, but the vendor sends nothing.
    Silent,
    /// The event cannot happen on the platform, or the kind does not exist there.
    Cannot,
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends => formatter.write_str("yes"),
            Self::SendsExceptBy(roles) => {
                let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                write!(formatter, "not by {}", roles.join(", "))
            }
            Self::SendsAs(kind) => write!(formatter, "as {kind}"),
            Self::Silent => formatter.write_str("silent"),
            Self::Cannot => formatter.write_str("no"),
        }
    }
}

/// One event or kind, with the capability of each vendor.
#[derive(Clone, Debug)]
pub struct CapabilityRow {
    /// Name of the neutral event, message kind or entity kind.
    pub name: String,
    /// Capabilities, in the order of the vendors.
    pub capabilities: Vec<Capability>,
}

/// Returns a row for each neutral event.
pub fn events(platforms: &[Arc<Platform>]) -> Vec<CapabilityRow> {
    // An emitted event is specific to its vendor, so there is nothing to compare.
    let neutral = EventKind::ALL.iter().filter(|on| **on != EventKind::Emitted);
    neutral.map(|on| row(on.as_str(), platforms, |platform| event(platform, *on))).collect()
}

fn event(platform: &Platform, on: EventKind) -> Capability {
    let coverage = |role: &Role| platform.coverage(on, *role);
    if !platform.events.iter().any(|rule| rule.on == on) {
        // A reason for one role only means that the event is possible for others.
        let cannot = Role::ALL.iter().all(|role| matches!(coverage(role), Coverage::Cannot(_)));
        return if cannot { Capability::Cannot } else { Capability::Silent };
    }
    let silent: Vec<Role> =
        Role::ALL.iter().copied().filter(|role| coverage(role) != Coverage::Sends).collect();
    if silent.is_empty() { Capability::Sends } else { Capability::SendsExceptBy(silent) }
}

/// Returns a row for each message kind of any vendor.
pub fn kinds(platforms: &[Arc<Platform>]) -> Vec<CapabilityRow> {
    rows(
        platforms,
        |platform| &platform.kinds,
        |name, kind| match kind {
            MessageKind { name: sent, .. } if sent != name => Capability::SendsAs(sent.clone()),
            _ => Capability::Sends,
        },
    )
}

/// Returns a row for each entity kind of any vendor.
pub fn entities(platforms: &[Arc<Platform>]) -> Vec<CapabilityRow> {
    rows(platforms, |platform| &platform.entities, |_, _| Capability::Sends)
}

/// Returns a row for each kind; `capability` is that of a vendor with the kind.
fn rows<T>(
    platforms: &[Arc<Platform>],
    kinds: fn(&Platform) -> &BTreeMap<String, T>,
    capability: fn(&str, &T) -> Capability,
) -> Vec<CapabilityRow> {
    let all: BTreeSet<&String> =
        platforms.iter().flat_map(|platform| kinds(platform).keys()).collect();
    let cell = |platform: &Platform, name: &str| {
        kinds(platform).get(name).map_or(Capability::Cannot, |kind| capability(name, kind))
    };
    all.into_iter().map(|name| row(name, platforms, |platform| cell(platform, name))).collect()
}

fn row(
    name: &str,
    platforms: &[Arc<Platform>],
    cell: impl Fn(&Platform) -> Capability,
) -> CapabilityRow {
    CapabilityRow {
        name: name.to_owned(),
        capabilities: platforms.iter().map(|platform| cell(platform)).collect(),
    }
}
