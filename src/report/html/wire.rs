//! Requests and responses on the page.

use maud::{Markup, html};
use serde_json::Value as Json;

use super::text::{class_of, mark, prose};
use crate::base::text::count;
use crate::record::SettledDelivery;
use crate::report::run_report::{DeliveryReport, ExchangeReport, RunReport};

/// Shows a delivery with its attempts.
pub(super) fn delivery(sent: &DeliveryReport, anchor: &str, run: &RunReport) -> Markup {
    let has_passed = sent.settled.as_ref().is_some_and(|settled| settled.passed);
    let result = sent.settled.as_ref().map(|settled| &settled.result);
    html! {
        details.delivery.(class_of(has_passed)) id=(anchor) {
            summary {
                span.mark { (mark(has_passed)) } " " code { (sent.event_type) }
                @if let Some(result) = result {
                    " " span.status { (result.label()) }
                    " " span.numbers { (result.timings.total_ms()) " ms" }
                }
                @if sent.attempts.len() > 1 {
                    " " span.numbers { (count(sent.attempts.len(), "attempt", "attempts")) }
                }
                @for fault in &sent.faults.0 { " " span.fault { "fault " (fault) } }
                @if sent.control { " " span.fault { "control" } }
                @if sent.certainty != "documented" { " " span.certainty { (sent.certainty) } }
                @if let Some(why) = why(sent.settled.as_ref()) { span.reason { (prose(&why)) } }
            }
            @if run.started.urls.len() > 1 { p.endpoint { "endpoint " (sent.endpoint) } }
            (body_markup("Request body", &sent.body))
            @for (number, attempt) in (1..).zip(&sent.attempts) {
                (exchange(attempt, (sent.attempts.len() > 1).then_some(number)))
            }
        }
    }
}

/// Why a delivery failed.
fn why(settled: Option<&SettledDelivery>) -> Option<String> {
    let Some(settled) = settled else { return Some("not settled".to_owned()) };
    let why = settled.why.as_ref().filter(|_| !settled.passed)?;
    let source = settled.source.as_ref().map(|source| format!(" ({source})"));
    Some(format!("{why}{}", source.unwrap_or_default()))
}

/// Shows a request and its response. `number` is that of the attempt, if there are several.
pub(super) fn exchange(exchange: &ExchangeReport, number: Option<u32>) -> Markup {
    let ExchangeReport { method, url, headers, body, result, .. } = exchange;
    html! {
        section.exchange {
            h4 {
                @if let Some(number) = number { "Attempt " (number) ": " }
                code { (method) " " (url) }
            }
            (header_markup("Request headers", headers))
            @if let Some(body) = body { (body_markup("Request body", body)) }
            @if let Some(result) = result {
                h4 { "Response: " (result.label()) }
                @if let Some(reason) = &result.reason { p.reason { (prose(reason)) } }
                (header_markup("Response headers", &result.headers))
                @if !result.body.is_empty() { (body_markup("Response body", &result.body.text())) }
            }
        }
    }
}

fn header_markup(title: &str, headers: &[(String, String)]) -> Markup {
    html! {
        @if !headers.is_empty() {
            dl.headers aria-label=(title) {
                @for (name, value) in headers { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// Shows a body: JSON is formatted, with the bytes as sent below it.
fn body_markup(title: &str, body: &str) -> Markup {
    let json = serde_json::from_str::<Json>(body).ok().filter(|json| !json.is_string());
    let formatted = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    html! {
        @match formatted {
            Some(formatted) => {
                pre aria-label=(title) { (formatted) }
                details.raw { summary { "As sent" } pre { (body) } }
            },
            None => pre aria-label=(title) { (body) },
        }
    }
}
