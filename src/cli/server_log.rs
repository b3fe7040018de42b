//! `serve --log json`: what the server does, as JSON lines on standard error.

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use super::terminal::log_notes;

/// Form of the messages of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people: problems and changes only
    #[default]
    Text,
    /// For programs: a JSON object for each request, run, change and problem
    Json,
}

impl LogFormat {
    /// Writes messages in this form from now on.
    pub(super) fn start(self) {
        if self == Self::Text {
            return;
        }
        // Libraries log what belongs to them: addresses that the welcome names, and internals.
        let own = Targets::new().with_target("standin", LevelFilter::INFO);
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .with_filter(own);
        // Fails only if there is a log already, which then stays.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
        log_notes();
    }
}
