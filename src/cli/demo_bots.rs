//! The bots of `standin demo`: they call the APIs that the demo serves.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use super::exit::CommandError;
use super::terminal::note;
use crate::base::address::EgressPolicy;
use crate::base::limits::RECORD_PAGE;
use crate::emulator::EmulatorSlot;
use crate::listen::EchoBot;
use crate::platform::Account;
use crate::record::RecordKind;
use crate::run::ApiAccess;
use crate::server::live::{LiveServer, RecordFilter};
use crate::server::{ApiPort, ServerHandle};

/// The API of a vendor with a bot, which calls it.
pub(super) struct DemoApi {
    slot: EmulatorSlot,
    pub(super) serving: ServerHandle,
    pub(super) bot: EchoBot,
}

impl DemoApi {
    /// Serves the API, and starts the bot. Returns nothing if the vendor has no bot.
    pub(super) fn start(account: &Arc<Account>) -> Result<Option<Self>, CommandError> {
        if account.platform.bot.is_empty() {
            return Ok(None);
        }
        let slot = EmulatorSlot::default();
        let port = ApiPort::plain(Ipv4Addr::LOCALHOST.into(), 0);
        let serving = port.serve(&slot).context("cannot serve the API")?;
        let bot = EchoBot::start(account, local_url(serving.address)?, |report| {
            // The records show its calls, except those that did not arrive.
            if report.status.is_none() {
                note(report.summary());
            }
        });
        Ok(Some(Self { slot, serving, bot }))
    }

    pub(super) fn access(&self) -> ApiAccess {
        ApiAccess { slot: self.slot.clone(), egress: EgressPolicy::default() }
    }
}

/// Returns the base URL of a server on this machine.
fn local_url(address: SocketAddr) -> Result<Url, CommandError> {
    Ok(Url::parse(&format!("http://{address}/")).map_err(anyhow::Error::from)?)
}

/// Starts a bot at each vendor that has one. Returns them by vendor.
pub(super) fn bots(live: &LiveServer) -> Result<BTreeMap<String, EchoBot>, CommandError> {
    let mut bots = BTreeMap::new();
    for vendor in live.vendors().iter().filter(|vendor| !vendor.account().platform.bot.is_empty()) {
        let Some(address) = vendor.api() else { continue };
        // The page shows its calls.
        let bot = EchoBot::start(&vendor.account(), local_url(address)?, |_| {});
        bots.insert(vendor.id().to_owned(), bot);
    }
    Ok(bots)
}

/// Lets a bot open a conversation whenever a script waits for one. Does not end.
// A client opens conversations when it likes. Here it should when the story is played again.
pub(super) async fn open_when_awaited(live: &LiveServer, bots: &BTreeMap<String, EchoBot>) {
    let (mut changes, mut last) = (live.changes(), 0);
    loop {
        let read = live.history.read(last, RECORD_PAGE, &RecordFilter::default());
        let records = match read {
            Ok((records, read)) => {
                last = read;
                records
            }
            Err(gap) => {
                last = gap.first - 1;
                continue;
            }
        };
        for kept in &records {
            if let RecordKind::ExpectationStarted { request, .. } = &kept.record.kind
                && let Some(bot) = bots.get(&*kept.vendor)
                && request.call.as_deref().is_some_and(|call| opens(live, &kept.vendor, call))
            {
                bot.open();
            }
        }
        if records.is_empty() && changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Returns whether calls of this neutral name open conversations.
fn opens(live: &LiveServer, vendor: &str, call: &str) -> bool {
    let Ok(vendor) = live.vendor(vendor) else { return false };
    let routes = &vendor.account().platform.api.routes;
    let mut operations = routes.iter().flat_map(|route| &route.operations);
    operations.any(|operation| operation.call == call && operation.opens())
}
