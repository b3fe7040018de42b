//! Numbers of the server for monitoring, in the `OpenMetrics` format.

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::record::{Record, RecordKind};

/// Labels of a number: names and values.
type Labels = Vec<(&'static str, String)>;

/// Numbers of the server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    records: Counter,
    runs: Family<Labels, Counter>,
    deliveries: Family<Labels, Counter>,
    attempts: Family<Labels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let (mut registry, records) = (Registry::with_prefix("standin"), Counter::default());
        registry.register("records", "Records of all runs", records.clone());
        let mut family = |name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let runs = family("runs_finished", "Finished runs, by verdict");
        let deliveries = family("deliveries_settled", "Settled deliveries, by verdict");
        let attempts = family("attempts_finished", "Finished requests, by outcome");
        Self { registry, records, runs, deliveries, attempts }
    }
}

impl Metrics {
    /// Counts a record.
    pub(super) fn count(&self, vendor: &Arc<str>, record: &Record) {
        self.records.inc();
        let labels = |name, value: String| vec![("vendor", vendor.to_string()), (name, value)];
        match &record.kind {
            RecordKind::RunFinished(run) => {
                self.runs.get_or_create(&labels("verdict", run.verdict.to_string())).inc();
            }
            RecordKind::DeliverySettled(settled) => {
                let verdict = if settled.passed { "passed" } else { "failed" }.to_owned();
                self.deliveries.get_or_create(&labels("verdict", verdict)).inc();
            }
            RecordKind::AttemptFinished { result, .. } => {
                let outcome = result.outcome.to_string();
                self.attempts.get_or_create(&labels("outcome", outcome)).inc();
            }
            _ => {}
        }
    }

    /// Returns all numbers as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
