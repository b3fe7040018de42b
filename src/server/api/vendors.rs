//! Vendors, their event types and samples.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::web::{Data, Json, Path, ServiceConfig, get, resource};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorResponse};
use crate::base::redact::Redactor;
use crate::conversation::{EventKind, Role};
use crate::fault::FaultKind;
use crate::fidelity::sent;
use crate::platform::{Coverage, EventQuery, FactSource, MessageKind, Platform, ReceiverGuide};
use crate::scenario::Script;
use crate::server::live::{LiveServer, ServedVendor, can_turn_on};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/vendors").route(get().to(list)))
        .service(resource("/api/v1/vendors/{vendor}").route(get().to(read)))
        .service(resource("/api/v1/vendors/{vendor}/samples/{type}").route(get().to(sample)));
}

/// A list of vendors.
#[derive(Serialize, ToSchema)]
pub(super) struct VendorList {
    items: Vec<VendorSummary>,
}

/// An emulated vendor.
#[derive(Serialize, ToSchema)]
pub(super) struct VendorSummary {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// The version of its wire format.
    revision: String,
    /// How real servers are known to differ from this revision.
    differs: Option<String>,
    /// Address of the vendor's API, if it is served.
    api: Option<String>,
    /// Number of endpoints, those that calls have subscribed included.
    endpoints: usize,
    /// By what a receiver recognises genuine requests.
    verified_by: String,
}

/// An emulated vendor in detail.
#[derive(Serialize, ToSchema)]
pub(super) struct VendorDetail {
    /// What the list shows.
    vendor: VendorSummary,
    /// How a receiver verifies a request.
    verification: String,
    /// The handshake and the required response.
    handshake: String,
    /// The headers of every event, with placeholders for computed values.
    headers: Vec<(String, String)>,
    /// The event types.
    event_types: Vec<EventTypeSummary>,
    /// The vendor-neutral events for which nothing is sent.
    not_sent: Vec<NotSentSummary>,
    /// The sources of the facts about the vendor.
    sources: Vec<SourceSummary>,
    /// The faults that a redelivery can have, or the deliveries of a run in progress.
    faults: Vec<FaultSummary>,
    /// The kinds of messages that people can send.
    message_kinds: Vec<MessageKindSummary>,
}

/// A kind of message.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageKindSummary {
    /// Its neutral name: `kind` of the action `say`.
    name: String,
    /// The kind that is sent, if the vendor does not support this one.
    sent_as: Option<String>,
    /// The kind of message to which it responds.
    answers: Option<String>,
    /// What `say` can set for it.
    fields: Vec<MessageFieldSummary>,
}

/// A field of a message.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageFieldSummary {
    /// Its name.
    name: String,
    /// Its meaning, with known values and limits.
    about: String,
    /// Value if `say` sets none; it determines the type. Placeholders stand for generated values.
    #[schema(value_type = Option<Object>)]
    default: Option<serde_json::Value>,
}

/// A vendor-neutral event for which a vendor sends nothing.
#[derive(Serialize, ToSchema)]
pub(super) struct NotSentSummary {
    /// The vendor-neutral event.
    event: &'static str,
    /// Whether it can happen at the vendor.
    possible: bool,
    /// The reason.
    reason: String,
}

/// The source of facts about a vendor.
#[derive(Serialize, ToSchema)]
pub(super) struct SourceSummary {
    /// What the facts are about.
    section: String,
    /// Evidence: `documented`, `observed`, `inferred` or `assumed`.
    certainty: &'static str,
    /// Month in which the source was last checked.
    seen: Option<String>,
    /// URL of the source.
    url: Option<String>,
    /// Remarks.
    note: Option<String>,
}

/// A fault of deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct FaultSummary {
    /// Its name, with the default amount: `huge:1MiB`.
    name: &'static str,
    /// Its group: `token`, `body`, `wire`; or `order`, which a redelivery cannot have.
    group: &'static str,
    /// What it does.
    about: &'static str,
    /// What a correct receiver does.
    expects: &'static str,
}

impl NotSentSummary {
    /// Describes what a platform does for an event; `None` if it sends something.
    fn of(platform: &Platform, event: EventKind) -> Option<Self> {
        let is_sent = platform.events.iter().any(|rule| rule.on == event);
        let (possible, reason) = match platform.coverage(event, Role::Visitor) {
            _ if is_sent || event == EventKind::Emitted => return None,
            Coverage::Sends => return None,
            Coverage::Silent(reason) => (true, reason),
            Coverage::Cannot(reason) => (false, reason),
        };
        Some(Self { event: event.as_str(), possible, reason: reason.to_string() })
    }
}

impl FaultSummary {
    fn of(kind: FaultKind) -> Self {
        Self {
            name: kind.with_default_amount(),
            group: kind.group().as_str(),
            about: kind.description(),
            expects: kind.expected_reaction().as_str(),
        }
    }
}

impl From<&FactSource> for SourceSummary {
    fn from(source: &FactSource) -> Self {
        Self {
            section: source.section.clone(),
            certainty: source.status.as_str(),
            seen: source.seen.clone(),
            url: source.url.clone(),
            note: source.note.clone(),
        }
    }
}

impl MessageKindSummary {
    fn of(platform: &Platform, name: &str, kind: &MessageKind) -> Self {
        let field = |field: &str| MessageFieldSummary {
            name: field.to_owned(),
            about: platform.field_about(name, field, &kind.data),
            default: kind.data.defaults.get(field).cloned(),
        };
        Self {
            name: name.to_owned(),
            sent_as: (kind.name != name).then(|| kind.name.clone()),
            answers: kind.answers.clone(),
            fields: kind.data.keys().map(field).collect(),
        }
    }
}

/// An event type of a vendor.
#[derive(Serialize, ToSchema)]
pub(super) struct EventTypeSummary {
    /// The vendor's name.
    name: String,
    /// The vendor-neutral events that cause it.
    sent_for: Vec<&'static str>,
    /// Whether an endpoint gets it by default.
    by_default: bool,
    /// Evidence for its format: `documented`, `observed`, `inferred` or `assumed`.
    certainty: Vec<&'static str>,
}

impl VendorSummary {
    async fn of(live: &LiveServer, vendor: &ServedVendor) -> Self {
        let platform = &vendor.account().platform;
        Self {
            id: platform.id.clone(),
            name: platform.name.clone(),
            revision: platform.revision.clone(),
            differs: platform.differs.clone(),
            api: vendor.api().map(|address| format!("http://{address}")),
            endpoints: live.endpoints(vendor).await.len(),
            verified_by: ReceiverGuide::of(&vendor.account()).verified_by(),
        }
    }
}

/// Lists the emulated vendors.
#[utoipa::path(get, path = "/api/v1/vendors", tag = "vendors",
    responses((status = 200, body = VendorList)))]
pub(super) async fn list(live: Data<LiveServer>) -> Json<VendorList> {
    let mut items = Vec::new();
    for vendor in live.vendors() {
        items.push(VendorSummary::of(&live, vendor).await);
    }
    Json(VendorList { items })
}

/// Describes a vendor: verification, handshake and event types.
#[utoipa::path(get, path = "/api/v1/vendors/{vendor}", tag = "vendors",
    params(("vendor" = String, Path, description = "Id of the vendor")),
    responses((status = 200, body = VendorDetail), (status = 404, body = ErrorResponse)))]
pub(super) async fn read(
    live: Data<LiveServer>,
    vendor: Path<String>,
) -> Result<Json<VendorDetail>, ApiError> {
    let vendor = live.vendor(&vendor)?;
    let account = vendor.account();
    let guide = ReceiverGuide::of(&account);
    let platform = &account.platform;
    let event_type = |name: &str| {
        let rules = || platform.events.iter().filter(|rule| rule.event_type == name);
        let sent_for: BTreeSet<&str> = rules().map(|rule| rule.on.as_str()).collect();
        let certainty: BTreeSet<&str> = rules().map(|rule| rule.certainty.as_str()).collect();
        EventTypeSummary {
            name: name.to_owned(),
            sent_for: sent_for.into_iter().collect(),
            by_default: platform.covers(&platform.default_subscription, name),
            certainty: certainty.into_iter().collect(),
        }
    };
    let redactor = Redactor::new(account.secret_references());
    let shown = |mut text: String| {
        redactor.redact(&mut text);
        text
    };
    let headers = guide.headers().into_iter().map(|(name, value)| (name, shown(value))).collect();
    let can_have = |kind: &&FaultKind| can_turn_on(&account, **kind);
    let faults = FaultKind::ALL.iter().filter(can_have);
    Ok(Json(VendorDetail {
        vendor: VendorSummary::of(&live, vendor).await,
        verification: shown(guide.verification()),
        handshake: shown(guide.handshake()),
        headers,
        event_types: platform.event_types().into_iter().map(event_type).collect(),
        not_sent: EventKind::ALL
            .iter()
            .filter_map(|event| NotSentSummary::of(platform, *event))
            .collect(),
        sources: platform.sources.iter().map(SourceSummary::from).collect(),
        faults: faults.map(|kind| FaultSummary::of(*kind)).collect(),
        message_kinds: platform
            .kinds
            .iter()
            .map(|(name, kind)| MessageKindSummary::of(platform, name, kind))
            .collect(),
    }))
}

/// Returns a sample webhook body of an event type.
#[utoipa::path(get, path = "/api/v1/vendors/{vendor}/samples/{type}", tag = "vendors",
    params(("vendor" = String, Path, description = "Id of the vendor"),
           ("type" = String, Path, description = "The vendor's name of the event type")),
    responses((status = 200, body = serde_json::Value), (status = 404, body = ErrorResponse)))]
pub(super) async fn sample(
    live: Data<LiveServer>,
    path: Path<(String, String)>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let (vendor, event_type) = path.into_inner();
    let vendor = live.vendor(&vendor)?;
    let account = vendor.account();
    let (platform, query) = (&account.platform, EventQuery::default());
    let unknown = || ApiError::not_found(format!("{} sends no `{event_type}`", platform.name));
    let rule = platform.rule(&event_type, &query).ok_or_else(unknown)?;
    let script = Arc::new(Script::for_event(platform, rule, &query));
    let body = sent(&script, &account, &event_type, 1, Timestamp::UNIX_EPOCH);
    let body = body.and_then(|body| serde_json::from_str(&body).ok());
    body.map(Json).ok_or_else(unknown)
}
