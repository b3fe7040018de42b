//! What the records say about the endpoints: their subscriptions and their last handshakes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::record::{EndpointSubscription, Record, RecordKind};

/// What the records say about an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointState {
    /// The event types that it gets, as patterns; `None` before the first run.
    pub subscribed: Option<Vec<String>>,
    /// Its last handshake.
    pub handshake: Option<HandshakeSummary>,
}

/// A handshake with an endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HandshakeSummary {
    /// The run that it belongs to.
    run: u32,
    /// Wall time of its end.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Status of the response.
    status: Option<u16>,
    /// Why the response does not complete the handshake, if it does not.
    error: Option<String>,
    /// Whether the endpoint gets events nevertheless.
    pub(super) continues: bool,
}

/// The endpoints of all vendors, by vendor and number.
#[derive(Debug, Default)]
pub(super) struct EndpointStates(BTreeMap<(Arc<str>, u32), EndpointState>);

impl EndpointStates {
    /// Takes note of a record.
    pub(super) fn note(&mut self, vendor: &Arc<str>, record: &Record) {
        match &record.kind {
            RecordKind::EndpointsChanged { endpoints } => {
                self.note_subscriptions(vendor, endpoints);
            }
            RecordKind::HandshakeFinished { endpoint, result, error, continues, .. } => {
                self.state(vendor, *endpoint).handshake = Some(HandshakeSummary {
                    run: record.run,
                    at: record.wall_time,
                    status: result.status,
                    error: error.clone(),
                    continues: *continues,
                });
            }
            _ => {}
        }
    }

    /// Takes note of subscriptions.
    pub(super) fn note_subscriptions(
        &mut self,
        vendor: &Arc<str>,
        endpoints: &[EndpointSubscription],
    ) {
        for EndpointSubscription { endpoint, events } in endpoints {
            self.state(vendor, *endpoint).subscribed = Some(events.clone());
        }
    }

    fn state(&mut self, vendor: &Arc<str>, endpoint: u32) -> &mut EndpointState {
        self.0.entry((Arc::clone(vendor), endpoint)).or_default()
    }

    /// Returns what is known about an endpoint.
    pub(super) fn of(&self, vendor: &str, endpoint: u32) -> EndpointState {
        self.0.get(&(vendor.into(), endpoint)).cloned().unwrap_or_default()
    }
}
