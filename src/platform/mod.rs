//! Vendors: folders of data, checked at load, that turn neutral events into signed requests.
//!
//! No vendor is named here. What a vendor is lies in its folder; what vendors can differ in is
//! the closed vocabulary of `forms`. Sending is left to `delivery`, playing to `run`.

mod account;
mod catalog;
mod check;
mod context;
mod coverage;
mod delivery;
mod event_rule;
mod explain;
mod fake_values;
mod fault_injection;
mod fields;
mod folder;
mod forms;
mod generate;
mod handshake;
mod ids;
mod message_kind;
mod mistakes;
mod overlay;
mod request;
mod root_types;
mod session;
mod signature;
mod subscription;
mod synthesize;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use account::Account;
pub use catalog::{Catalog, VendorRef};
pub use event_rule::{Coverage, EventRule};
pub use explain::OptionChoice;
pub use fake_values::InventedValues;
pub use fields::{FieldDefaults, misfit};
pub use folder::PlatformFolder;
pub use forms::{Certainty, SourceForm, VendorForm};
pub use handshake::{Handshake, Proof};
pub use message_kind::MessageKind;
pub use session::{ActionResult, Payload, Session};
pub use signature::{Algorithm, Encoding, sign};
pub use subscription::Subscription;
pub use synthesize::EventQuery;
pub use verify::{Check, VerificationReport};

use self::forms::Matching;
use crate::conversation::{ConversationRules, EventKind, Role, model};
use crate::diag::Source;
use crate::policy::Policy;
use crate::template::TableType;

/// The revision that is the vendor's documentation as published.
const DOCS: &str = "docs";

/// A vendor's folder, checked: whatever is asked of it now can be rendered.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The id by which it is called.
    pub id: String,
    /// The revision of its wire format.
    pub revision: String,
    /// Its name.
    pub name: String,
    /// Where it documents its webhooks.
    pub docs: Option<String>,
    /// Where real servers are known to differ from this revision.
    pub differs: Option<String>,
    /// How it treats deliveries, before its rules about trying again.
    pub policy: Policy,
    /// The names of a request's head in its order and case, where they matter.
    pub wire: Option<Vec<String>>,
    /// How an endpoint proves that it agrees.
    pub handshake: Handshake,
    /// What it sends, in order.
    pub events: Vec<EventRule>,
    /// What an endpoint is sent unless the user says otherwise.
    pub default_subscription: Subscription,
    /// Its kinds of messages, by neutral name.
    pub kinds: BTreeMap<String, MessageKind>,
    /// Its kinds of entities, with their fields.
    pub entities: BTreeMap<String, FieldDefaults>,
    /// Where its facts come from, by section of `vendor.toml`.
    pub sources: Vec<(String, SourceForm)>,
    /// What it documents, with invented values: the files of its `samples/`.
    pub samples: BTreeMap<String, Arc<Source>>,
    matching: Matching,
    rules: ConversationRules,
    account_template: account::AccountTemplate,
    ids: ids::IdRules,
    counters: BTreeMap<String, event_rule::Counter>,
    requests: request::RequestRules,
    retries: Vec<delivery::RetryRule>,
    silence: event_rule::SilenceRules,
    show: verify::DisplayPointers,
}

impl Platform {
    /// Its id, with the revision where that is not the documentation's.
    pub fn full_id(&self) -> String {
        if self.revision == DOCS {
            self.id.clone()
        } else {
            format!("{}@{}", self.id, self.revision)
        }
    }

    /// How its conversations behave.
    pub fn rules(&self) -> ConversationRules {
        self.rules
    }

    /// It, with its revision.
    pub fn reference(&self) -> VendorRef {
        VendorRef { id: self.id.clone(), revision: Some(self.revision.clone()) }
    }

    /// Whether an endpoint that subscribed to this is sent events of a type.
    pub fn covers(&self, subscription: &Subscription, event_type: &str) -> bool {
        let wanted = self.events.iter().filter(|rule| subscription.covers(&rule.names()));
        let mut wanted = wanted.map(|rule| rule.event_type.as_str());
        match self.matching {
            Matching::Pair => wanted.any(|wanted| wanted == event_type),
            Matching::Cross => {
                let halves = |name| str::rsplit_once(name, '.').unwrap_or((name, ""));
                let (front, behind) = halves(event_type);
                wanted.clone().any(|wanted| halves(wanted).0 == front)
                    && wanted.any(|wanted| halves(wanted).1 == behind)
            }
        }
    }

    /// What an endpoint is sent that wants this; the default where it wants nothing in particular.
    pub fn subscription(&self, wanted: Option<Subscription>) -> Subscription {
        let default = &self.default_subscription;
        wanted.map_or_else(|| default.clone(), |wanted| wanted.over(default))
    }

    /// What it does about an event that somebody of this role causes.
    pub fn coverage(&self, on: EventKind, role: Role) -> Coverage<'_> {
        self.silence.of(on, role).unwrap_or(Coverage::Sends)
    }

    /// The first rule that sends an event of this type as it is wanted.
    pub fn rule(&self, event_type: &str, wanted: &EventQuery) -> Option<&EventRule> {
        let mut rules = self.events.iter().filter(|rule| rule.is_called(event_type));
        rules.find(|rule| {
            wanted.by.is_none_or(|role| rule.covers_role(role))
                && wanted.kind.as_ref().is_none_or(|kind| rule.covers_kind(kind))
        })
    }

    /// What is known of an entity of this kind, where there are such; of people without the ids
    /// that are made for them.
    pub fn entity_names(&self, kind: &str) -> Option<TableType> {
        let fields = self.entities.get(kind)?.names(&fields::ItemFields::default());
        let names = model::entity(&model::person());
        let known = self.ids.names(ids::IdOwner::Entity).into_iter().chain(fields);
        Some(known.fold(names, |mut names, name| {
            names.set(name);
            names
        }))
    }

    /// The data that an event may be given: that of its kind of message or entity, or its own.
    pub fn data_of<'a>(
        &'a self,
        rule: &'a EventRule,
        wanted: &EventQuery,
    ) -> Option<&'a FieldDefaults> {
        let kind = wanted.kind.clone().or_else(|| rule.first_kind());
        let of_kind = kind
            .as_ref()
            .and_then(|kind| self.entities.get(kind).or_else(|| Some(&self.kinds.get(kind)?.data)));
        of_kind.or(rule.data.as_ref())
    }

    /// The names of everything it sends, in this revision and in others.
    pub fn type_names(&self) -> Vec<&str> {
        self.events.iter().flat_map(EventRule::names).collect()
    }

    /// The types of everything it sends, each once, in order.
    pub fn event_types(&self) -> Vec<&str> {
        let mut types: Vec<&str> = Vec::new();
        for rule in &self.events {
            if !types.contains(&rule.event_type.as_str()) {
                types.push(&rule.event_type);
            }
        }
        types
    }
}
