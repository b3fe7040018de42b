//! Idempotency keys: a request that is repeated with the same key has the response of the first one.
//!
//! A client whose connection broke cannot know whether its request was handled. With a key, it can send
//! the request again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::body::{EitherBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage as _, HttpResponse};
use sha2::{Digest as _, Sha256};

use super::body::{collect_in_time, most};
use super::error::ApiError;
use crate::base::limits::{MAX_IDEMPOTENCY_KEY, MAX_IDEMPOTENCY_KEYS};

/// Header with the key.
const KEY: &str = "idempotency-key";

/// Header of a response that is repeated.
const REPLAYED: &str = "idempotency-replayed";

/// The responses to requests with keys. The oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct KeyedResponses(Mutex<KeyedState>);

#[derive(Debug, Default)]
struct KeyedState {
    requests: HashMap<String, KeyedRequest>,
    /// The keys, the oldest first.
    order: VecDeque<String>,
}

/// A request with a key.
#[derive(Debug)]
struct KeyedRequest {
    /// Digest of its method, path and body.
    digest: [u8; 32],
    /// `None` while it is being handled.
    response: Option<KeptResponse>,
}

/// A response to repeat.
#[derive(Clone, Debug)]
struct KeptResponse {
    status: StatusCode,
    media_type: Option<HeaderValue>,
    body: Bytes,
}

impl KeyedResponses {
    fn state(&self) -> MutexGuard<'_, KeyedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request. Returns the response, if it was handled before.
    fn begin(&self, key: &str, digest: [u8; 32]) -> Result<Option<KeptResponse>, ApiError> {
        let mut state = self.state();
        if let Some(known) = state.requests.get(key) {
            let conflict = |message: &str| ApiError::new(StatusCode::CONFLICT, "conflict", message);
            if known.digest != digest {
                let error = conflict("another request has used this idempotency key");
                return Err(error.hint("use a new key for each request"));
            }
            return match &known.response {
                Some(response) => Ok(Some(response.clone())),
                None => Err(conflict("the first request with this key is being handled")),
            };
        }
        if state.order.len() >= MAX_IDEMPOTENCY_KEYS
            && let Some(oldest) = state.order.pop_front()
        {
            state.requests.remove(&oldest);
        }
        state.order.push_back(key.to_owned());
        state.requests.insert(key.to_owned(), KeyedRequest { digest, response: None });
        Ok(None)
    }

    /// Ends a request. One that failed because of the server can be tried again.
    fn end(&self, key: &str, response: &KeptResponse) {
        let mut state = self.state();
        if response.status.is_server_error() {
            state.remove(key);
        } else if let Some(known) = state.requests.get_mut(key) {
            known.response = Some(response.clone());
        }
    }
}

/// A request with a key while it is handled. If the handler is dropped, for example because the client
/// has hung up, the request can be sent again.
struct OpenRequest {
    responses: Data<KeyedResponses>,
    key: String,
    has_ended: bool,
}

impl OpenRequest {
    fn end(mut self, response: &KeptResponse) {
        self.responses.end(&self.key, response);
        self.has_ended = true;
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if !self.has_ended {
            self.responses.state().remove(&self.key);
        }
    }
}

impl KeyedState {
    fn remove(&mut self, key: &str) {
        self.requests.remove(key);
        self.order.retain(|known| known != key);
    }
}

impl KeptResponse {
    fn build(self, is_repeated: bool) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header(("content-length", self.body.len()));
        if let Some(media_type) = self.media_type {
            response.insert_header((CONTENT_TYPE, media_type));
        }
        if is_repeated {
            let name = HeaderName::from_static(REPLAYED);
            response.insert_header((name, HeaderValue::from_static("true")));
        }
        response.body(self.body)
    }
}

/// Handles requests with a key once.
pub(super) async fn idempotent<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let key = request.headers().get(KEY).cloned();
    let responses = request.app_data::<Data<KeyedResponses>>().cloned();
    let (Some(key), Some(responses)) = (key, responses) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    if request.method() != Method::POST {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let open = match keyed(&key, &mut request, &responses).await {
        Ok((key, None)) => OpenRequest { responses, key, has_ended: false },
        Ok((_, Some(kept))) => return Ok(respond(request, kept.build(true))),
        Err(error) => return Ok(respond(request, error.response())),
    };
    let (http, response) = next.call(request).await?.into_parts();
    let (status, media_type) = (response.status(), response.headers().get(CONTENT_TYPE).cloned());
    let body = to_bytes(response.into_body()).await.unwrap_or_default();
    let response = KeptResponse { status, media_type, body };
    open.end(&response);
    Ok(ServiceResponse::new(http, response.build(false)).map_into_right_body())
}

fn respond<B>(request: ServiceRequest, response: HttpResponse) -> ServiceResponse<EitherBody<B>> {
    request.into_response(response).map_into_right_body::<B>()
}

/// Reads the key and the body of a request. Returns the key, and the response if there is one.
async fn keyed(
    key: &HeaderValue,
    request: &mut ServiceRequest,
    responses: &KeyedResponses,
) -> Result<(String, Option<KeptResponse>), ApiError> {
    let key = key.to_str().ok().filter(|key| (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()));
    let key = key.ok_or_else(|| {
        let limit = MAX_IDEMPOTENCY_KEY;
        ApiError::invalid(format!("`Idempotency-Key` must have 1 to {limit} ASCII characters"))
    })?;
    let most = most(request.request());
    let body = collect_in_time(request.take_payload(), most).await?;
    let digest = Sha256::new()
        .chain_update(request.method().as_str())
        .chain_update(request.uri().to_string())
        .chain_update(&body)
        .finalize();
    request.set_payload(Payload::from(Bytes::from(body)));
    Ok((key.to_owned(), responses.begin(key, digest.into())?))
}
