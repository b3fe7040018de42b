//! Reports as an HTTP archive (HAR 1.2), which the network tools of browsers open.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use url::Url;

use super::run_report::{EntryContent, ExchangeReport, RunReport};
use crate::record::AttemptResult;

pub(super) fn write_head(out: &mut dyn Write) -> io::Result<()> {
    let creator = json!({"name": "standin", "version": env!("CARGO_PKG_VERSION")});
    write!(out, "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"entries\":[")
}

/// End of the file.
pub(super) const TAIL: &str = "]}}\n";

pub(super) fn write_run(run: &RunReport, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut is_first = is_first;
    for entry in &run.entries {
        let (title, body, exchanges) = match &entry.content {
            EntryContent::Delivery(delivery) => {
                (delivery.event_type.as_str(), &*delivery.body, delivery.attempts.as_slice())
            }
            EntryContent::Test(test) => {
                (test.title.as_str(), "", std::slice::from_ref(&test.exchange))
            }
            EntryContent::Action(_) | EntryContent::ImpliedAction(_) | EntryContent::Note(_) => {
                continue;
            }
        };
        for exchange in exchanges {
            out.write_all(if is_first { b"\n" } else { b",\n" })?;
            is_first = false;
            let comment = format!("{} at {}: {title}", run.started.scenario, run.started.vendor);
            let body = exchange.body.as_deref().unwrap_or(body);
            serde_json::to_writer(&mut *out, &har_entry(exchange, body, &comment))?;
        }
    }
    Ok(())
}

fn har_entry(exchange: &ExchangeReport, body: &str, comment: &str) -> Json {
    let millis = |micros: u64| std::time::Duration::from_micros(micros).as_secs_f64() * 1_000.0;
    let timings = exchange.result.as_ref().map(|result| result.timings).unwrap_or_default();
    let total = millis(timings.total_us);
    let connect = timings.connect_us.map(millis);
    let first_byte = timings.first_byte_us.map_or(total, millis);
    json!({
        "startedDateTime": exchange.wall_time.to_string(),
        "time": total,
        "request": request(exchange, body),
        "response": response(exchange.result.as_ref()),
        "cache": {},
        "timings": {
            "connect": connect.unwrap_or(-1.0),
            "send": 0,
            "wait": (first_byte - connect.unwrap_or_default()).max(0.0),
            "receive": (total - first_byte).max(0.0),
        },
        "comment": comment,
    })
}

fn request(exchange: &ExchangeReport, body: &str) -> Json {
    let url = Url::parse(&exchange.url).ok();
    let query: Vec<Json> = url
        .iter()
        .flat_map(Url::query_pairs)
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let is_type = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-type");
    let media_type = exchange.headers.iter().find(is_type).map_or("", |(_, value)| value);
    json!({
        "method": exchange.method,
        "url": exchange.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": named(&exchange.headers),
        "queryString": query,
        "postData": {"mimeType": media_type, "text": body},
        "headersSize": -1,
        "bodySize": body.len(),
    })
}

/// Returns the response. Without one, the status is 0, as browsers write it, with the reason.
fn response(result: Option<&AttemptResult>) -> Json {
    let header = |name| result.and_then(|result| result.header(name)).unwrap_or_default();
    let bytes = result.map(|result| result.body.as_bytes()).unwrap_or_default();
    let (text, encoding) = match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => (Cow::Owned(STANDARD.encode(bytes)), Some("base64")),
    };
    let mut content =
        json!({"size": bytes.len(), "mimeType": header("content-type"), "text": text});
    if let Some(encoding) = encoding {
        content["encoding"] = encoding.into();
    }
    let reason = result.and_then(|result| result.reason.as_deref());
    json!({
        "status": result.and_then(|result| result.status).unwrap_or(0),
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": named(result.map(|result| result.headers.as_slice()).unwrap_or_default()),
        "content": content,
        "redirectURL": header("location"),
        "headersSize": -1,
        "bodySize": bytes.len(),
        "_error": reason,
    })
}

fn named(headers: &[(String, String)]) -> Vec<Json> {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}
