//! Messages about calls between the handle of an emulator and its account.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use super::handshake::{HandshakeEnd, HandshakeJob, shake};
use super::subscriptions::SubscriptionChange;
use crate::base::address::EgressPolicy;
use crate::delivery::{ConversationKey, Transport};
use crate::platform::api::{ApiCall, ApiResponse, FieldCall};
use crate::record::RecordLog;

/// A call to handle.
#[derive(Debug)]
pub(super) struct IncomingCall {
    pub(super) call: ApiCall,
    /// The addresses to which a call may subscribe.
    pub(super) egress: EgressPolicy,
    /// The ends of the handshakes that the call needs, as far as they have been performed.
    pub(super) handshakes: Vec<HandshakeEnd>,
    /// Whether it is handled only if it belongs to a conversation, or a script waits for it.
    pub(super) only_known: bool,
    /// What happens if it opens a conversation.
    pub(super) opening: Opening,
    /// What of a GraphQL request it is.
    pub(super) part: CallPart,
}

/// What happens if a call opens a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// It waits until it is the only one that opens a conversation.
    WaitsForTurn,
    /// It waits until a run has started for it, if no script expects the conversation.
    WaitsForRun,
    /// It opens the conversation.
    Opens,
}

/// What of a request a call is.
#[derive(Clone, Debug)]
pub(super) enum CallPart {
    /// All of it.
    Whole,
    /// A field of a GraphQL request.
    Field(FieldCall),
    /// A GraphQL request that is not executed.
    Invalid {
        /// Why.
        reason: String,
        /// Body of the response.
        body: Vec<u8>,
    },
}

impl IncomingCall {
    pub(super) fn new(call: ApiCall, egress: EgressPolicy) -> Self {
        let (handshakes, part) = (Vec::new(), CallPart::Whole);
        Self { call, egress, handshakes, only_known: false, opening: Opening::Opens, part }
    }
}

/// What an account does about a call.
#[derive(Debug)]
pub(super) enum CallOutcome {
    /// It responds. The deliveries that the call causes wait until the response has been sent.
    Respond(CallReply),
    /// It needs a handshake first. Nothing has changed.
    Shake(Box<HandshakeJob>, Box<IncomingCall>),
    /// It opens a conversation, and has to wait for that. Nothing has changed.
    Wait(Box<IncomingCall>),
    /// It is a GraphQL request with this body. Each of its fields is a call.
    Graphql(Json, ApiCall),
    /// There is no run in which the call could happen, or it belongs to another account.
    NoRun,
}

/// A response that can be sent once these logs are stored.
#[derive(Debug)]
pub(super) struct CallReply {
    pub(super) response: ApiResponse,
    pub(super) sent: Vec<SentResponse>,
    /// How it changes subscriptions.
    pub(super) change: Option<Box<SubscriptionChange>>,
    /// The logs of the runs that must be restorable.
    pub(super) logs: Vec<RecordLog>,
    /// The response that replaces it when the conversation has settled.
    pub(super) settling: Option<SettlingResponse>,
    /// Whether the call failed.
    pub(super) is_error: bool,
    /// Whether what it has changed about the account is stored, or need not be.
    pub(super) is_kept: bool,
}

/// A response that follows.
#[derive(Debug)]
pub(super) struct SettlingResponse {
    /// Number of the call.
    pub(super) call: u64,
    /// Longest wait.
    pub(super) within: Duration,
    pub(super) response: oneshot::Receiver<ApiResponse>,
}

/// The response to a call has been sent. Deliveries and scripts wait for that.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentResponse {
    /// Number of the call.
    pub(super) call: u64,
    /// The conversation of the call.
    pub(super) conversation: Option<ConversationKey>,
    /// Whether deliveries that the call caused wait there.
    pub(super) holds_deliveries: bool,
    /// Wall time before the response.
    pub(super) delay: Option<Duration>,
}

/// Performs handshakes with the transport of an emulator.
#[derive(Clone)]
pub(super) struct Handshaker(
    Arc<dyn Fn(HandshakeJob) -> BoxFuture<'static, HandshakeEnd> + Send + Sync>,
);

impl Handshaker {
    pub(super) fn new<T: Transport>(transport: &Arc<T>) -> Self {
        let transport = Arc::clone(transport);
        Self(Arc::new(move |job| {
            let transport = Arc::clone(&transport);
            Box::pin(async move { shake(job, &*transport).await })
        }))
    }

    pub(super) async fn shake(&self, job: HandshakeJob) -> HandshakeEnd {
        (self.0)(job).await
    }
}

impl fmt::Debug for Handshaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Handshaker")
    }
}
