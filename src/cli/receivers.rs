//! Receivers of a run: their URLs, the egress policy, and waiting until they are up.

use std::ops::Deref;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use jiff::SignedDuration;

use super::connection_args::ConnectionArgs;
use super::exit::CommandError;
use super::planned_runs::PlannedReceiver;
use crate::base::address::EgressPolicy;
use crate::base::duration;
use crate::base::url_reference::shown_url;
use crate::config::{ReceiverAddress, ReceiverUrl};
use crate::delivery::Connector;
use crate::diag::{Problem, Problems, code};
use crate::platform::Catalog;
use crate::record::AttemptOutcome;
use crate::report::start_receiver_hint;

/// How long a run waits for a receiver that is about to start, unless `--wait-ready` says it.
pub(super) const READY_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// Receivers, and where they may be.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Receiver to send to: URL, or VENDOR=URL for one vendor only; can be repeated
    ///
    /// `env:NAME` or `file:PATH` in place of the URL is a reference, which appears in output instead.
    ///
    /// The certificates of https receivers are verified with the CA certificates of the system. On
    /// Linux, `SSL_CERT_FILE` (a PEM file) and `SSL_CERT_DIR` (folders) replace these.
    // A URL may contain a password, so `--help` must not print the variable.
    #[arg(long = "to", value_name = "URL", env = "STANDIN_TO", hide_env_values = true)]
    to: Vec<RunTarget>,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    /// Also send to public addresses [default: only this machine and private networks]
    // `1` and `yes` are usual values of such variables; clap accepts only `true` and `false`.
    #[arg(long, env = "STANDIN_ALLOW_PUBLIC", value_parser = BoolishValueParser::new())]
    allow_public: bool,
}

/// Receiver options of `run`, `send` and `journal redeliver`.
#[derive(Debug, Args)]
pub(super) struct ReceiverArgs {
    #[command(flatten)]
    targets: TargetArgs,
    /// Wait until the receivers respond to HTTP requests, at most this long, such as `30s`
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "STANDIN_WAIT_READY",
          allow_hyphen_values = true)]
    wait_ready: Option<SignedDuration>,
}

impl Deref for ReceiverArgs {
    type Target = TargetArgs;

    fn deref(&self) -> &TargetArgs {
        &self.targets
    }
}

impl TargetArgs {
    /// Returns the policy for the addresses that may be sent to.
    pub(super) fn egress(&self) -> EgressPolicy {
        EgressPolicy { public: self.allow_public }
    }

    /// Returns whether `--to` is set.
    pub(super) fn has_targets(&self) -> bool {
        !self.to.is_empty()
    }

    /// Returns whether a target is not limited to one vendor.
    pub(super) fn has_any(&self) -> bool {
        self.to.iter().any(|target| target.vendor.is_none())
    }

    /// Returns the targets that name the vendor, or those for every vendor if none names it.
    pub(super) fn targets(&self, vendor: &str) -> Vec<&RunTarget> {
        // So that `--to URL --to VENDOR=URL` means: this vendor there, every other one here.
        let names_it = |target: &&RunTarget| target.vendor.as_deref() == Some(vendor);
        let named: Vec<&RunTarget> = self.to.iter().filter(names_it).collect();
        if !named.is_empty() {
            return named;
        }
        self.to.iter().filter(|target| target.vendor.is_none()).collect()
    }

    /// Reports invalid targets, even those that no run uses.
    pub(super) fn check(&self, catalog: &Catalog) -> Problems {
        let mut problems = Problems::new();
        for target in &self.to {
            if let Some(id) = target.vendor.as_ref().filter(|id| !catalog.contains(id)) {
                problems.push(catalog.unknown(id));
            }
            target
                .resolve(self.egress())
                .err()
                .into_iter()
                .for_each(|problem| problems.push(problem));
        }
        problems
    }

    /// Reports the targets to which nothing is sent when these vendors are emulated.
    pub(super) fn unused(&self, vendors: &[&str]) -> Problems {
        let used: Vec<_> = vendors.iter().flat_map(|vendor| self.targets(vendor)).collect();
        let mut problems = Problems::new();
        for target in &self.to {
            if used.iter().any(|used| std::ptr::eq(*used, target)) {
                continue;
            }
            let (what, help) = match &target.vendor {
                Some(vendor) => (
                    format!("nothing is sent to the receiver of `--to {vendor}=…`"),
                    format!("remove it, or select the vendor with `--vendor {vendor}`"),
                ),
                None => (
                    "nothing is sent to the receiver of a `--to` without a vendor".to_owned(),
                    "remove it: each vendor has its own `--to VENDOR=URL`".to_owned(),
                ),
            };
            problems.push(Problem::anywhere(code::UNUSED_RECEIVER, what).help(help));
        }
        problems
    }
}

impl ReceiverArgs {
    /// Returns how long a run waits for the call that subscribes a receiver.
    pub(super) fn subscription_limit(&self) -> Duration {
        self.wait_ready.unwrap_or(READY_WAIT).unsigned_abs()
    }

    /// Waits until the receivers respond: as long as `--wait-ready` says, or else the default.
    pub(super) async fn wait(
        &self,
        receivers: &[PlannedReceiver],
        default: Option<SignedDuration>,
        connector: &Connector,
    ) -> Result<(), CommandError> {
        let Some(limit) = self.wait_ready.or(default) else { return Ok(()) };
        for PlannedReceiver { vendor, url, shown, options } in receivers {
            let waiting = connector.wait_ready(url, options, limit.unsigned_abs());
            if let Err(failure) = waiting.await {
                let reason = if failure.outcome == AttemptOutcome::Refused {
                    format!("no server is listening on {shown}")
                } else {
                    format!("{shown} is not ready: {}", failure.reason)
                };
                let hint = failure.help.unwrap_or_else(|| start_receiver_hint(vendor, url));
                let message = format!("{reason} (waited {limit:#}). {hint}.");
                return Err(anyhow::Error::msg(message).into());
            }
        }
        Ok(())
    }
}

/// Value of `--to`: `URL`, or `VENDOR=URL`.
#[derive(Clone, Debug)]
pub(super) struct RunTarget {
    pub(super) vendor: Option<String>,
    pub(super) address: String,
}

impl From<&str> for RunTarget {
    /// Splits a target. The URL is parsed later: clap would print an invalid one with its password.
    fn from(text: &str) -> Self {
        // The query of a URL can contain `=`, so only a plain name before it is a vendor.
        let named = text.split_once('=').filter(|(vendor, _)| {
            vendor.trim_end().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        });
        Self {
            vendor: named.map(|(vendor, _)| vendor.trim_end().to_owned()),
            // `VENDOR = URL`, as in the configuration. Any other space is an error of the URL.
            address: named
                .map_or(
                    text,
                    |(vendor, address)| {
                        if vendor.ends_with(' ') { address.trim_start() } else { address }
                    },
                )
                .to_owned(),
        }
    }
}

impl RunTarget {
    /// Parses or reads the URL and checks that the policy allows it.
    pub(super) fn resolve(&self, egress: EgressPolicy) -> Result<ReceiverUrl, Problem> {
        let address = ReceiverAddress::parse(&self.address)
            .map_err(|message| Problem::anywhere(code::INVALID_URL, message))
            .map_err(|problem| {
                problem
                    .help("write `--to URL`, or `--to VENDOR=URL`; repeat it for several receivers")
            })?;
        let resolved = address.resolve()?;
        allowed(&resolved, egress)?;
        Ok(resolved)
    }
}

/// Checks a URL against the policy. Host names are checked again when they are resolved.
pub(super) fn allowed(to: &ReceiverUrl, egress: EgressPolicy) -> Result<(), Problem> {
    egress.check_url(&to.url).map_err(|forbidden| {
        let shown = shown_url(&to.url, to.reference.as_deref());
        let reason = if to.reference.is_none() {
            forbidden.to_string()
        } else {
            format!("its host is {}", forbidden.class)
        };
        let message = format!("sending to `{shown}` is not allowed: {reason}");
        Problem::anywhere(code::FORBIDDEN_ADDRESS, message).help(forbidden.help())
    })
}
