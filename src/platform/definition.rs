//! The checked definition of a vendor's platform in one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::account_template::AccountTemplate;
use super::api::{ApiRules, BotRules};
use super::delivery::{RetryRule, SlowResponses};
use super::event_rule::{Counter, Coverage, EventQuery, EventRule, SilenceRules};
use super::field_info::{FieldInfo, FieldInfos};
use super::fields::{FieldDefaults, ItemFields};
use super::forms::{Certainty, Matching};
use super::handshake::Handshake;
use super::ids::{IdOwner, IdRules};
use super::message_kind::MessageKind;
use super::numbers::NumberFormat;
use super::request::RequestRules;
use super::subscription::Subscription;
use super::vendor_ref::{DOCS, VendorRef};
use crate::conversation::{ConversationRules, EventKind, Role, model};
use crate::diag::Source;
use crate::policy::{Policy, WireFormat};
use crate::template::TableType;

/// A vendor's checked folder. Every template in it is compiled, so rendering can fail by size only.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Vendor id, as used on the command line.
    pub id: String,
    /// Revision of the wire format; `docs` is the published documentation.
    pub revision: String,
    /// Display name of the vendor.
    pub name: String,
    /// URL of the vendor's webhook documentation.
    pub docs: Option<String>,
    /// Known differences between this revision and real servers; shown with every run.
    pub differs: Option<String>,
    /// Revision that matches real servers, if this one does not.
    pub instead: Option<String>,
    /// Delivery policy before any retry rule is applied.
    pub policy: Policy,
    /// When a response counts as slow; `None` if the vendor does not distinguish.
    pub slow: Option<SlowResponses>,
    /// How the vendor's HTTP client writes requests and treats connections.
    pub wire: WireFormat,
    /// How an endpoint proves that it accepts webhooks.
    pub handshake: Handshake,
    /// Events the vendor sends. Payloads of one action are sent in this order.
    pub events: Vec<EventRule>,
    /// Subscription of an endpoint for which the user requests no event types.
    pub default_subscription: Subscription,
    /// Message kinds, by neutral name.
    pub kinds: BTreeMap<String, MessageKind>,
    /// Entity kinds with their fields, by name.
    pub entities: BTreeMap<String, FieldDefaults>,
    /// Sources of the facts in `vendor.toml`, one per section.
    pub sources: Vec<FactSource>,
    /// Files of `samples/`: the documented payloads with invented values. Empty for revisions
    /// other than `docs`.
    pub samples: BTreeMap<String, Arc<Source>>,
    /// The vendor's API; without routes if its folder describes none.
    pub api: ApiRules,
    /// Whether webhooks contain a secret, which verifies them.
    pub(super) sends_secret: bool,
    /// The calls of a bot that responds through the API.
    pub bot: BotRules,
    pub(super) matching: Matching,
    pub(super) fields: FieldInfos,
    /// How payloads write numbers.
    pub numbers: NumberFormat,
    pub(super) rules: Arc<ConversationRules>,
    pub(super) account_template: AccountTemplate,
    pub(super) ids: IdRules,
    pub(super) counters: BTreeMap<String, Counter>,
    pub(super) requests: RequestRules,
    pub(super) retries: Vec<RetryRule>,
    pub(super) silence: SilenceRules,
    pub(super) show: DisplayPointers,
}

/// The source of the facts in one section of `vendor.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactSource {
    /// Section name, or `header NAME` for a single header.
    pub section: String,
    /// How well the facts are known.
    pub status: Certainty,
    /// Month in which the source was last checked, as `2026-11`.
    pub seen: Option<String>,
    /// URL of the source.
    pub url: Option<String>,
    /// Remarks.
    pub note: Option<String>,
}

/// JSON pointers to the parts of a payload that are displayed. The first pointer to a value other
/// than null is used.
#[derive(Clone, Debug, Default)]
pub(super) struct DisplayPointers {
    /// The name of the event.
    pub(super) event: Vec<String>,
    /// The text of the message.
    pub(super) text: Vec<String>,
    /// The id of the conversation.
    pub(super) conversation: Vec<String>,
    /// The time of the event.
    pub(super) time: Vec<String>,
}

impl Platform {
    /// Returns the id, followed by `@revision` unless the revision is `docs`.
    pub fn full_id(&self) -> String {
        if self.revision == DOCS {
            self.id.clone()
        } else {
            format!("{}@{}", self.id, self.revision)
        }
    }

    /// Returns the rules for conversations on this platform.
    pub fn rules(&self) -> &Arc<ConversationRules> {
        &self.rules
    }

    /// Returns the values that an option of the account can have; empty if there is no such option.
    pub fn option_values(&self, name: &str) -> &[String] {
        let mut options = self.account_template.options.iter();
        options.find(|option| option.name == name).map_or(&[], |option| &option.values)
    }

    /// Returns a reference to this vendor and revision.
    pub fn reference(&self) -> VendorRef {
        VendorRef { id: self.id.clone(), revision: Some(self.revision.clone()) }
    }

    /// Returns true if an endpoint with this subscription receives events of this type.
    pub fn covers(&self, subscription: &Subscription, event_type: &str) -> bool {
        // A pattern may use the name in another revision: one configuration serves all of them.
        let is_subscribed = |rule: &&EventRule| subscription.covers(&rule.names());
        match self.matching {
            Matching::Pair => {
                let mut rules = self.events.iter().filter(|rule| rule.event_type == event_type);
                rules.any(|rule| is_subscribed(&rule))
            }
            // Such a vendor stores topics and actions as separate lists, so other pairs match too.
            Matching::Cross => {
                let halves = |name| str::rsplit_once(name, '.').unwrap_or((name, ""));
                let subscribed = self.events.iter().filter(is_subscribed);
                let mut subscribed = subscribed.map(|rule| rule.event_type.as_str());
                let (topic, action) = halves(event_type);
                subscribed.clone().any(|subscribed| halves(subscribed).0 == topic)
                    && subscribed.any(|subscribed| halves(subscribed).1 == action)
            }
        }
    }

    /// Resolves the requested subscription against the vendor's default. `None` gives the default.
    pub fn subscription(&self, requested: Option<Subscription>) -> Subscription {
        let default = &self.default_subscription;
        requested.map_or_else(|| default.clone(), |requested| requested.over(default))
    }

    /// Returns what the vendor does about an event caused by a participant with this role.
    pub fn coverage(&self, on: EventKind, role: Role) -> Coverage<'_> {
        // The check ensures coverage: an event without a reason has a rule.
        self.silence.coverage(on, role).unwrap_or(Coverage::Sends)
    }

    /// Returns true if headers or signatures of the vendor depend on the event.
    pub fn signs_events(&self) -> bool {
        self.requests.uses_event
    }

    /// Returns the rule that sends an event of this type and satisfies the query: the first one
    /// for an action, unless the query has fields that only an emitted event has.
    pub fn rule(&self, event_type: &str, query: &EventQuery) -> Option<&EventRule> {
        let rules = || {
            self.events.iter().filter(|rule| {
                rule.has_name(event_type)
                    && query.on.is_none_or(|on| rule.on == on)
                    && query.by.is_none_or(|role| rule.covers_role(role))
                    && query.kind.as_ref().is_none_or(|kind| self.sends_kind(rule, kind))
            })
        };
        let has_fields = |rule: &&EventRule| !query.data.is_empty() && rule.emits(&query.data);
        let caused = || rules().find(|rule| rule.on != EventKind::Emitted);
        rules().find(has_fields).or_else(caused).or_else(|| rules().next())
    }

    /// Returns true if the rule is about messages or entities of this kind, or of the kind as which
    /// it is sent.
    fn sends_kind(&self, rule: &EventRule, kind: &String) -> bool {
        match rule.on {
            EventKind::MessageSent => {
                self.kinds.get(kind).is_some_and(|kind| rule.covers_kind(&kind.name))
            }
            _ => self.entities.contains_key(kind) && rule.covers_kind(kind),
        }
    }

    /// Returns the first event type with which a message or an entity of this kind is sent.
    pub fn event_of_kind(&self, kind: &String) -> Option<&str> {
        let rule = self.events.iter().find(|rule| self.sends_kind(rule, kind))?;
        Some(&rule.event_type)
    }

    /// Returns the rule of an `emit` step with this data, or `None` if the vendor sends no such
    /// event. In the data for an event that actions cause, `kind` selects the kind.
    pub fn emit_rule(&self, event_type: &str, data: &Map<String, Json>) -> Option<&EventRule> {
        let query = EventQuery { data: data.clone(), ..EventQuery::default() };
        let rule = self.rule(event_type, &query)?;
        if rule.on == EventKind::Emitted {
            return Some(rule);
        }
        self.rule(event_type, &EventQuery::of_emitted(data.clone()))
    }

    /// Returns the fields that scenario texts can use of an entity of this kind, or `None` if the
    /// vendor has no such kind. People in it have no generated ids.
    pub fn entity_names(&self, kind: &str) -> Option<TableType> {
        let fields = self.entities.get(kind)?.names(&ItemFields::default());
        let names = model::entity(&model::person());
        let more = self.ids.names(IdOwner::Entity).into_iter().chain(fields);
        Some(more.fold(names, |mut names, name| {
            names.set(name);
            names
        }))
    }

    /// Returns the data that a step may set for an event: the data of the message or entity kind
    /// in the query, of the rule's first kind, or of the event itself.
    ///
    /// Further fields of the event are those of [`EventRule::action_fields`].
    pub fn data_of<'a>(
        &'a self,
        rule: &'a EventRule,
        query: &EventQuery,
    ) -> Option<&'a FieldDefaults> {
        // The same kind that `synthesize` uses if none is requested.
        let kind = query.kind.clone().or_else(|| rule.first_kind());
        let of_kind = kind
            .as_ref()
            .and_then(|kind| self.entities.get(kind).or_else(|| Some(&self.kinds.get(kind)?.data)));
        of_kind.or(rule.data.as_ref())
    }

    /// Returns the data of the events that only `emit` steps cause, by event type. A type with several
    /// rules occurs several times.
    pub fn emitted_data(&self) -> impl Iterator<Item = (&String, &FieldDefaults)> {
        let emitted = self.events.iter().filter(|rule| rule.on == EventKind::Emitted);
        emitted.filter_map(|rule| Some((&rule.event_type, rule.data.as_ref()?)))
    }

    /// Returns the kinds of messages or entities for which a rule applies; empty if its event has none.
    pub fn kinds_of<'a>(&'a self, rule: &'a EventRule) -> Vec<&'a str> {
        let all: Vec<&str> = match rule.on {
            EventKind::MessageSent => self.kinds.keys().map(String::as_str).collect(),
            EventKind::EntityCreated | EventKind::EntityUpdated | EventKind::EntityDeleted => {
                self.entities.keys().map(String::as_str).collect()
            }
            _ => Vec::new(),
        };
        let kinds = &rule.when.kind;
        all.into_iter().filter(|kind| kinds.is_empty() || kinds.iter().any(|k| k == kind)).collect()
    }

    /// Returns the kind whose fields [`Self::data_of`] returns, or else the event type.
    pub fn owner_of(&self, rule: &EventRule, query: &EventQuery) -> String {
        let kind = query.kind.clone().or_else(|| rule.first_kind());
        let is_known =
            |kind: &String| self.kinds.contains_key(kind) || self.entities.contains_key(kind);
        kind.filter(is_known).unwrap_or_else(|| rule.event_type.clone())
    }

    /// Returns the meaning of a field. `owner` is the kind of message or entity, or the type of the
    /// emitted event.
    pub fn field_info(&self, owner: &str, field: &str) -> Option<&FieldInfo> {
        self.fields.get(owner, field)
    }

    /// Returns the meaning of a field with its known values and its limits; empty if there is nothing to
    /// say. `data` are the fields of the owner.
    pub fn field_about(&self, owner: &str, field: &str, data: &FieldDefaults) -> String {
        let limits = data.limits_about(field);
        let info = self.field_info(owner, field);
        let mut sentences = info.map(|info| info.sentences(&limits)).unwrap_or_default();
        sentences.extend(limits);
        sentences.join(" ")
    }

    /// Returns the names of all event types, including those of other revisions.
    pub fn type_names(&self) -> Vec<&str> {
        self.events.iter().flat_map(EventRule::names).collect()
    }

    /// Returns the event types in the order of the rules, without duplicates.
    pub fn event_types(&self) -> Vec<&str> {
        let mut types: Vec<&str> = Vec::new();
        for rule in &self.events {
            // Rules of one type need not be adjacent, so `dedup` is not enough.
            if !types.contains(&rule.event_type.as_str()) {
                types.push(&rule.event_type);
            }
        }
        types
    }
}
