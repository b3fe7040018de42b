//! GraphQL requests: each field that an operation resolves is a call of the account.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use super::incoming::{CallPart, IncomingCall};
use super::{CallResponse, Emulator, HandledCall};
use crate::platform::api::{ApiCall, ApiResponse, FieldCall, FieldResolver};

/// Passes the fields of a request to an account.
struct FieldCalls {
    emulator: Emulator,
    call: ApiCall,
    /// Whether the first field is handled only if the account knows it.
    only_known: bool,
    /// Locked while a field is handled: the fields of a query are resolved at once, and the first of
    /// them decides whether the account handles the others.
    responses: Mutex<FieldResponses>,
}

/// What the fields of a request have got.
#[derive(Default)]
struct FieldResponses {
    all: Vec<CallResponse>,
    /// Whether the request is left to another account.
    is_refused: bool,
}

impl FieldResolver for FieldCalls {
    fn resolve(&self, field: FieldCall) -> BoxFuture<'_, Result<Json, String>> {
        self.resolve_field(field).boxed()
    }
}

impl FieldCalls {
    async fn resolve_field(&self, field: FieldCall) -> Result<Json, String> {
        let mut known = self.responses.lock().await;
        if known.is_refused {
            return Ok(Json::Null);
        }
        let only_known = self.only_known && known.all.is_empty();
        let incoming = IncomingCall {
            only_known,
            part: CallPart::Field(field),
            ..self.emulator.incoming(self.call.clone())
        };
        let response = self.emulator.handle_part(incoming).await;
        let Some(HandledCall::Response(response)) = response else {
            known.is_refused = true;
            return Ok(Json::Null);
        };
        let body = &response.response.body;
        // Vendors also refuse silently: JSON with a 2xx status is a value, even if the call has failed.
        let result = if response.is_error && !is_value(&response.response) {
            Err(String::from_utf8_lossy(body).into_owned())
        } else {
            // An empty body is null.
            Ok(serde_json::from_slice(body).unwrap_or_default())
        };
        known.all.push(response);
        result
    }
}

impl Emulator {
    /// Executes a GraphQL request. Returns `None` if it belongs to another account.
    pub(super) async fn execute_graphql(
        &self,
        call: ApiCall,
        body: &Json,
        only_known: bool,
    ) -> Option<CallResponse> {
        let api = Arc::clone(self.account().platform.api.graphql.as_ref()?);
        let fields = Arc::new(FieldCalls {
            emulator: self.clone(),
            call: call.clone(),
            only_known,
            responses: Mutex::default(),
        });
        let resolver: Arc<dyn FieldResolver> = Arc::clone(&fields) as _;
        let executed = api.execute(body, resolver).await;
        let bytes = executed.body.to_string().into_bytes();
        if let Some(reason) = executed.invalid {
            let part = CallPart::Invalid { reason, body: bytes };
            let incoming = IncomingCall { only_known, part, ..self.incoming(call) };
            let HandledCall::Response(response) = self.handle_part(incoming).await? else {
                return None;
            };
            return Some(response);
        }
        let mut known = fields.responses.lock().await;
        if known.is_refused {
            return None;
        }
        Some(self.merged(std::mem::take(&mut known.all), bytes))
    }

    /// Returns one response for the calls of a request.
    fn merged(&self, parts: Vec<CallResponse>, body: Vec<u8>) -> CallResponse {
        let mut response = ApiResponse::empty(200).with_json(body);
        let delay = parts.iter().filter_map(|part| part.delay).max();
        let (mut sent, mut subscription) = (Vec::new(), None);
        for mut part in parts {
            sent.append(&mut part.sent);
            for header in std::mem::take(&mut part.response.headers) {
                if !is_content_type(&header.0) && !response.headers.contains(&header) {
                    response.headers.push(header);
                }
            }
            subscription = match (subscription, part.subscription.take()) {
                (None, change) => change,
                (Some(before), None) => Some(before),
                (Some(before), Some(change)) => Some(Box::new(before.followed_by(*change))),
            };
        }
        let driver = self.driver.clone();
        CallResponse { response, delay, sent, subscription, is_error: false, driver }
    }
}

fn is_content_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-type")
}

fn is_value(response: &ApiResponse) -> bool {
    let is_json = |(name, value): &(String, String)| {
        is_content_type(name) && value.starts_with("application/json")
    };
    (200..300).contains(&response.status) && response.headers.iter().any(is_json)
}
