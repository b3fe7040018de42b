//! The JSON form of records: one object, with `kind` and `data` beside the common keys.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::{Record, RecordKind};

/// Version of the JSON form. It changes when a key is renamed, removed or gets another meaning.
const VERSION: u32 = 1;

/// The JSON form of a record, as it is written.
// Derived, because it is written in one pass: a tree of values took a third of the CPU time of a run
// with a journal.
#[derive(Serialize)]
struct WrittenRecord<'a> {
    v: u32,
    seq: u64,
    run_time: Timestamp,
    wall_time: Timestamp,
    run: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    /// Writes `kind` and `data`.
    #[serde(flatten)]
    kind: &'a RecordKind,
}

/// The JSON form of a record, as it is read.
#[derive(Deserialize)]
struct JsonRecord {
    seq: u64,
    kind: String,
    run_time: Timestamp,
    wall_time: Timestamp,
    run: u32,
    conversation: Option<u32>,
    step: Option<usize>,
    data: Json,
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = JsonRecord::deserialize(from)?;
        // Not flattened: numbers of any precision do not survive that.
        let kind = json!({"kind": read.kind, "data": read.data});
        Ok(Self {
            seq: read.seq,
            run_time: read.run_time,
            wall_time: read.wall_time,
            run: read.run,
            conversation: read.conversation,
            step: read.step,
            kind: serde_json::from_value(kind).map_err(D::Error::custom)?,
        })
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WrittenRecord {
            v: VERSION,
            seq: self.seq,
            run_time: self.run_time,
            wall_time: self.wall_time,
            run: self.run,
            conversation: self.conversation,
            step: self.step,
            kind: &self.kind,
        }
        .serialize(serializer)
    }
}
