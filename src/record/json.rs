//! The JSON form of records: one object, with `kind` and `data` beside the common keys.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::Record;

/// Version of the JSON form. It changes when a key is renamed, removed or gets another meaning.
const VERSION: u32 = 1;

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
        // The kind is the enum's tag in JSON; serde expects `{kind: data}`.
        let kind = Json::Object([(read.kind, read.data)].into_iter().collect());
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
        // Not through a `Value`: that took a third of the CPU time of a run with a journal.
        let tagged = serde_json::value::to_raw_value(&self.kind).map_err(S::Error::custom)?;
        let tagged: BTreeMap<&str, &RawValue> =
            serde_json::from_str(tagged.get()).map_err(S::Error::custom)?;
        let (kind, data) =
            tagged.first_key_value().ok_or_else(|| S::Error::custom("a record without a kind"))?;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &VERSION)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("kind", kind)?;
        map.serialize_entry("run_time", &self.run_time.to_string())?;
        map.serialize_entry("wall_time", &self.wall_time.to_string())?;
        map.serialize_entry("run", &self.run)?;
        if let Some(conversation) = self.conversation {
            map.serialize_entry("conversation", &conversation)?;
        }
        if let Some(step) = self.step {
            map.serialize_entry("step", &step)?;
        }
        map.serialize_entry("data", data)?;
        map.end()
    }
}
