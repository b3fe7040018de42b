//! What the headers of a request say about its event.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The event of a delivery, for vendors whose headers or signatures depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFacts {
    /// The vendor's name of the event type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Run time of the event.
    pub at: Timestamp,
    /// Generated ids, by name.
    pub ids: Map<String, Json>,
}
