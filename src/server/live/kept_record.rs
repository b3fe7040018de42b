//! A record with its place in the history of a server.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::record::Record;

/// A record with its place in the history of the server.
#[derive(Clone, Debug)]
pub struct KeptRecord {
    /// Number in the history, from 1.
    pub id: u64,
    /// Id of the vendor.
    pub vendor: Arc<str>,
    /// Id of the conversation, such as `3-1`. A redelivery belongs to the original conversation.
    pub conversation: Option<Arc<str>>,
    /// The record.
    pub record: Arc<Record>,
}

/// The public form of a kept record.
#[derive(Serialize)]
struct KeptRecordJson<'a> {
    id: u64,
    vendor: &'a str,
    conversation: Option<&'a str>,
    record: &'a Record,
}

impl KeptRecord {
    /// Returns the record as one line of JSON.
    pub fn to_json(&self) -> String {
        let Self { id, vendor, conversation, record } = self;
        let conversation = conversation.as_deref();
        let json = KeptRecordJson { id: *id, vendor, conversation, record };
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// Returns the JSON for use as a part of another document.
    pub fn to_raw(&self) -> Option<Box<RawValue>> {
        RawValue::from_string(self.to_json()).ok()
    }
}
