//! Deliveries and their attempts: list, read, verify and send again.

use actix_web::web::{Data, Json, Path, Payload, Query, ServiceConfig, block, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::body;
use super::error::{ApiError, ErrorResponse, interrupted};
use super::faults::read_faults;
use super::runs::RunSummary;
use crate::base::limits::{MAX_PAGE, PAGE_SIZE};
use crate::base::redact::Redactor;
use crate::platform::{
    Check, RequestExplanation, RequestFacts, RestoredRequest, SignatureExplanation, Verifier,
};
use crate::record::{Mistake, RecordKind};
use crate::run::DeliveryChange;
use crate::server::live::{
    DeliveryFilter, DeliveryState, DeliverySummary, HistoryFilter, HistoryPage, KeptRecord,
    LiveError, LiveServer,
};

pub(super) fn routes(app: &mut ServiceConfig) {
    let delivery = "/api/v1/deliveries/{delivery}";
    app.service(resource("/api/v1/deliveries").route(get().to(list)))
        .service(resource(delivery).route(get().to(read)))
        .service(resource(format!("{delivery}/verification")).route(get().to(verification)))
        .service(resource(format!("{delivery}/redeliver")).route(post().to(redeliver)));
}

/// Which deliveries to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryQuery {
    /// Only those of this run.
    run: Option<u32>,
    /// Only those of this conversation.
    conversation: Option<String>,
    /// Only those of this vendor.
    vendor: Option<String>,
    /// Only those in this state: `pending`, `sending`, `retrying`, `passed` or `failed`.
    #[param(value_type = Option<String>)]
    state: Option<DeliveryState>,
    /// Only those whose event type contains this text.
    event_type: Option<String>,
    /// Only those with a smaller number: the next page.
    before: Option<u64>,
    /// Number of entries, at most 500. Default: 100.
    limit: Option<usize>,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryList {
    items: Vec<DeliverySummary>,
    /// Value of `before` for the next page, if there may be one.
    next: Option<u64>,
}

/// A delivery with everything that is known about it.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryDetail {
    /// What the list shows.
    delivery: DeliverySummary,
    /// Its records, in order: the request body, and the requests and responses of its attempts.
    #[schema(value_type = Vec<Object>)]
    records: Vec<Box<RawValue>>,
}

/// Why a receiver can rely on a request.
#[derive(Serialize, ToSchema)]
pub(super) struct VerificationDetail {
    /// How a receiver verifies requests of this vendor.
    instructions: String,
    /// The signatures, from what is signed to the header; empty if the vendor signs nothing.
    signatures: Vec<SignatureEntry>,
    /// Names of the headers that contain a token.
    token_headers: Vec<String>,
    /// The checks that a receiver does, with their results.
    checks: Vec<CheckEntry>,
    /// Whether all checks pass.
    passed: bool,
    /// If the receiver rejected the request with 401 or 403: values that receivers compute by common
    /// mistakes.
    mistakes: Vec<MistakeEntry>,
}

/// A common mistake in verification.
#[derive(Serialize, ToSchema)]
pub(super) struct MistakeEntry {
    /// How the value is computed by mistake.
    computed: String,
    /// Header name.
    header: String,
    /// The value that the mistake computes.
    value: String,
}

/// How a signature is computed.
#[derive(Serialize, ToSchema)]
pub(super) struct SignatureEntry {
    /// The header that contains it.
    header: String,
    /// The algorithm, such as `hmac-sha256`.
    algorithm: String,
    /// The encoding of the result, such as `hex`.
    encoding: String,
    /// The encoding of the key, such as `text`.
    key_encoding: String,
    /// Names of the secrets that the key is made of.
    secrets: Vec<String>,
    /// The signed text, unless it is the request body.
    content: Option<String>,
    /// The signature that a receiver computes.
    computed: String,
    /// The value of the header; absent if the header is missing.
    received: Option<String>,
    /// Whether the header contains the computed signature.
    matches: bool,
}

/// One check of a request.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckEntry {
    /// What is checked: `body`, or a header.
    name: String,
    /// Why it fails; absent if it passes.
    error: Option<String>,
}

/// Lists deliveries, the newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "deliveries", params(DeliveryQuery),
    responses((status = 200, body = DeliveryList), (status = 503, body = ErrorResponse)))]
pub(super) async fn list(
    live: Data<LiveServer>,
    query: Query<DeliveryQuery>,
) -> Result<Json<DeliveryList>, ApiError> {
    let DeliveryQuery { run, conversation, vendor, state, event_type, before, limit } =
        query.into_inner();
    let limit = limit.unwrap_or(PAGE_SIZE).clamp(1, MAX_PAGE);
    let within = HistoryFilter { before, run, conversation, vendor };
    let filter = DeliveryFilter { within, state, event_type };
    // Reading many of a journal must not delay other requests.
    let found = block(move || live.deliveries(&filter, limit)).await.map_err(|_| interrupted())?;
    let HistoryPage { items, next } = found?;
    Ok(Json(DeliveryList { items, next }))
}

fn find(live: &LiveServer, id: &str) -> Result<(DeliverySummary, Vec<KeptRecord>), ApiError> {
    live.delivery(id)?.ok_or_else(|| {
        let error = ApiError::not_found(format!("there is no delivery `{id}`"));
        error.hint("`GET /api/v1/deliveries` lists the deliveries")
    })
}

/// Returns a delivery with its records.
#[utoipa::path(get, path = "/api/v1/deliveries/{delivery}", tag = "deliveries",
    params(("delivery" = String, Path, description = "Id, such as `3-1-7`")),
    responses((status = 200, body = DeliveryDetail), (status = 404, body = ErrorResponse),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn read(
    live: Data<LiveServer>,
    id: Path<String>,
) -> Result<Json<DeliveryDetail>, ApiError> {
    let (delivery, records) = find(&live, &id)?;
    let records = records.iter().filter_map(KeptRecord::to_raw).collect();
    Ok(Json(DeliveryDetail { delivery, records }))
}

/// Explains how a receiver verifies a delivery, and whether its last request passes.
#[utoipa::path(get, path = "/api/v1/deliveries/{delivery}/verification", tag = "deliveries",
    params(("delivery" = String, Path, description = "Id, such as `3-1-7`")),
    responses((status = 200, body = VerificationDetail), (status = 404, body = ErrorResponse),
              (status = 409, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn verification(
    live: Data<LiveServer>,
    id: Path<String>,
) -> Result<Json<VerificationDetail>, ApiError> {
    let (delivery, records) = find(&live, &id)?;
    let account = &live.account_of(&delivery)?;
    let body = records.iter().find_map(|kept| match &kept.record.kind {
        RecordKind::DeliveryPlanned { body, .. } => Some(body.to_string()),
        _ => None,
    });
    let sent = records.iter().rev().find_map(|kept| match &kept.record.kind {
        RecordKind::AttemptStarted { headers, hop: 0, .. } => Some(headers.clone()),
        _ => None,
    });
    let (Some(body), Some(headers)) = (body, sent) else {
        let message = format!("delivery `{id}` was not sent");
        return Err(LiveError::Conflict { message, help: None }.into());
    };
    // Records contain references in place of configured secrets.
    let restored = RestoredRequest::new(account, &body, &headers);
    let report = Verifier::of(account).verify(&restored.body, &|name| restored.header(name));
    let RequestExplanation { instructions, signatures, token_headers } = restored.explain(account);
    let redactor = Redactor::new(account.secret_references());
    let signature = |signature| SignatureEntry::of(signature, &redactor);
    let passed = report.passed();
    let mistakes =
        rejected(&records, &restored.body).map(|facts| Verifier::of(account).mistakes(&facts, &[]));
    let mistakes = mistakes.into_iter().flatten().map(|Mistake { computed, header, value }| {
        MistakeEntry { computed, header, value: redacted(value, &redactor) }
    });
    Ok(Json(VerificationDetail {
        instructions: redacted(instructions, &redactor),
        signatures: signatures.into_iter().map(signature).collect(),
        token_headers,
        checks: report.checks.into_iter().map(CheckEntry::from).collect(),
        passed,
        mistakes: mistakes.collect(),
    }))
}

/// Returns the last request of a delivery, if its receiver rejected it with 401 or 403.
fn rejected<'a>(records: &'a [KeptRecord], body: &'a str) -> Option<RequestFacts<'a>> {
    let status = records.iter().rev().find_map(|kept| match &kept.record.kind {
        RecordKind::AttemptFinished { result, .. } => Some(result.status),
        _ => None,
    });
    if !matches!(status??, 401 | 403) {
        return None;
    }
    let event = records.iter().find_map(|kept| match &kept.record.kind {
        RecordKind::DeliveryPlanned { event, .. } => Some(event.as_deref()),
        _ => None,
    });
    records.iter().rev().find_map(|kept| match &kept.record.kind {
        RecordKind::AttemptStarted { attempt, hop: 0, .. } => {
            Some(RequestFacts::of_event(body, *attempt, kept.record.run_time, event.flatten()))
        }
        _ => None,
    })
}

fn redacted(mut text: String, redactor: &Redactor) -> String {
    redactor.redact(&mut text);
    text
}

impl SignatureEntry {
    fn of(explained: SignatureExplanation, redactor: &Redactor) -> Self {
        let content = (!explained.signs_body_only).then(|| redacted(explained.content, redactor));
        Self {
            header: explained.header,
            algorithm: explained.algorithm,
            encoding: explained.encoding,
            key_encoding: explained.key_encoding,
            secrets: explained.secrets,
            content,
            computed: explained.computed,
            received: explained.received.map(|received| redacted(received, redactor)),
            matches: explained.matches,
        }
    }
}

impl From<Check> for CheckEntry {
    fn from(check: Check) -> Self {
        Self { name: check.name, error: check.error }
    }
}

/// How a redelivery differs from the original.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedeliverRequest {
    /// The body to send, with a new signature. Default: that of the original.
    body: Option<String>,
    /// Faults, such as `wrong_token`; an empty list for none. Default: those of the original.
    faults: Option<Vec<String>>,
}

impl RedeliverRequest {
    fn change(self) -> Result<DeliveryChange, ApiError> {
        let faults = self.faults.as_deref().map(read_faults).transpose()?;
        Ok(DeliveryChange { body: self.body, faults })
    }
}

/// Sends a delivery once more, signed with the present time. Returns the run that does it.
///
/// Without a request body, nothing is different. The receiver has to react to a fault as in a scenario.
#[utoipa::path(post, path = "/api/v1/deliveries/{delivery}/redeliver", tag = "deliveries",
    params(("delivery" = String, Path, description = "Id, such as `3-1-7`")),
    request_body = RedeliverRequest,
    responses((status = 201, body = RunSummary), (status = 400, body = ErrorResponse),
              (status = 404, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn redeliver(
    live: Data<LiveServer>,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let change: RedeliverRequest = body::read(&request, payload).await?;
    let run = live.redeliver(&id, change.change()?).await?;
    Ok(HttpResponse::Created().json(RunSummary::of(&run)))
}
