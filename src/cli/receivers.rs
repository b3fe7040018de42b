//! The receivers of a run: where they are, whether they may be sent to, whether they are up.

use clap::Args;
use jiff::SignedDuration;
use url::Url;

use super::CommandError;
use crate::base::address::EgressPolicy;
use crate::base::duration;
use crate::config::receiver_url;
use crate::delivery::Connector;
use crate::diag::{Problem, Problems, code};
use crate::platform::Catalog;
use crate::report::start_one;
use crate::run::RunPlan;

/// Where to send, as flags say it.
#[derive(Debug, Args)]
pub(super) struct ReceiverArgs {
    /// Where to send: URL, or VENDOR=URL; repeat it for more
    #[arg(long = "to", value_name = "URL", env = "STANDIN_TO", hide_env_values = true)]
    to: Vec<RunTarget>,
    /// Send to public addresses too; without it only to this machine and private networks
    #[arg(long, env = "STANDIN_ALLOW_PUBLIC")]
    allow_public: bool,
    /// Wait for receivers that are still starting, at most so long
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "STANDIN_WAIT_READY",
          allow_hyphen_values = true)]
    wait_ready: Option<SignedDuration>,
}

impl ReceiverArgs {
    /// How far the operator lets us reach.
    pub(super) fn egress(&self) -> EgressPolicy {
        EgressPolicy { public: self.allow_public }
    }

    /// Whether any flag says where to send.
    pub(super) fn has_targets(&self) -> bool {
        !self.to.is_empty()
    }

    /// Whether a target is for every vendor.
    pub(super) fn has_any(&self) -> bool {
        self.to.iter().any(|target| target.vendor.is_none())
    }

    /// Where a vendor's payloads go: the targets that name it, else those for every vendor.
    pub(super) fn targets(&self, vendor: &str) -> Vec<&RunTarget> {
        let own = |target: &&RunTarget| target.vendor.as_deref() == Some(vendor);
        let named: Vec<&RunTarget> = self.to.iter().filter(own).collect();
        if !named.is_empty() {
            return named;
        }
        self.to.iter().filter(|target| target.vendor.is_none()).collect()
    }

    /// What is wrong with the targets, whatever is played.
    pub(super) fn check(&self, catalog: &Catalog) -> Problems {
        let mut problems = Problems::new();
        for target in &self.to {
            if let Some(id) = target.vendor.as_ref().filter(|id| !catalog.contains(id)) {
                problems.push(catalog.unknown(id));
            }
            target.url(self.egress()).err().into_iter().for_each(|problem| problems.push(problem));
        }
        problems
    }

    /// Waits until the receivers of these plans listen, where that is wanted.
    pub(super) async fn wait(
        &self,
        plans: &[RunPlan],
        connector: &Connector,
    ) -> Result<(), CommandError> {
        let Some(limit) = self.wait_ready else { return Ok(()) };
        for plan in plans {
            if let Err(failure) = connector.listens(&plan.url, limit.unsigned_abs()).await {
                let (vendor, url) = (&plan.account.platform.full_id(), &plan.url);
                let told =
                    format!("{failure}, even after {limit:#}: {url}; {}", start_one(vendor, url));
                return Err(anyhow::Error::msg(told).into());
            }
        }
        Ok(())
    }
}

/// Where a vendor's payloads go, as flags say it: `URL`, or `VENDOR=URL`.
#[derive(Clone, Debug)]
pub(super) struct RunTarget {
    pub(super) vendor: Option<String>,
    address: String,
}

impl From<&str> for RunTarget {
    /// Takes a target apart. Its address is read later: clap would print it, passwords and all.
    fn from(text: &str) -> Self {
        let named = text.split_once('=').filter(|(vendor, _)| {
            vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        });
        Self {
            vendor: named.map(|(vendor, _)| vendor.to_owned()),
            address: named.map_or(text, |(_, address)| address).to_owned(),
        }
    }
}

impl RunTarget {
    /// Its address, which may be sent to.
    pub(super) fn url(&self, egress: EgressPolicy) -> Result<Url, Problem> {
        let url = receiver_url(&self.address)
            .map_err(|message| Problem::anywhere(code::WRONG_URL, message))
            .map_err(|problem| problem.help("write `--to URL`, or `--to VENDOR=URL`"))?;
        allowed(&url, egress)?;
        Ok(url)
    }
}

/// Nothing, where the URL may be sent to as far as that can be said of it now; else the problem.
pub(super) fn allowed(url: &Url, egress: EgressPolicy) -> Result<(), Problem> {
    egress.check_url(url).map_err(|forbidden| {
        let message = format!("`{url}` is not sent to: {forbidden}");
        Problem::anywhere(code::FORBIDDEN_ADDRESS, message).help(forbidden.help())
    })
}
