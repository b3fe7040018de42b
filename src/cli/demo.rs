//! `standin demo`: the vendor and a receiver in one process, both sides shown as it happens.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::mpsc;

use super::setup::{Setup, instant, scenarios, speed, until_interrupted, while_serving_files};
use super::{CommandError, ExitStatus, Global, print};
use crate::base::address::EgressPolicy;
use crate::base::clock::Clock;
use crate::config::receiver_url;
use crate::delivery::{ClockMode, Connector, NetworkTransport};
use crate::diag::{Problem, code};
use crate::listen::{BundledReceiver, serve};
use crate::record::{RecordKind, RecordLog, Subscription};
use crate::report::{ConsoleReport, Detail, Report as _, RerunCommand};
use crate::run::{self, RunPlan, StopSignal};
use crate::scenario;

/// Plays a conversation for you to watch
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The vendor; one with a signature without it
    vendor: Option<String>,
    /// How many times faster than life
    #[arg(long, value_name = "FACTOR", default_value = "8", value_parser = speed,
          allow_negative_numbers = true)]
    speed: f64,
}

pub(super) fn demo(args: &DemoArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor = setup.vendor(args.vendor.as_ref().unwrap_or(&setup.config.demo_vendor.value))?;
    let account = setup.account(&vendor)?;
    let source = scenarios(std::slice::from_ref(&setup.config.demo_scenario.value))?.pop();
    let source = source.ok_or_else(|| {
        Problem::anywhere(code::NOTHING_TO_PLAY, "the configuration names no scenario for the demo")
    })?;
    let draft = scenario::read(&source)?;
    let script = Arc::new(scenario::check(draft, &[Arc::clone(&vendor)], setup.vendors())?);
    let (pace, start) = (ClockMode::Real(args.speed), instant(setup.config.start));
    until_interrupted(async {
        let (came, coming) = mpsc::unbounded_channel::<String>();
        let receiver = BundledReceiver::new(vec![Arc::clone(&account)], Vec::new());
        let serving = serve(receiver, 0, move |received| drop(came.send(received.told())))
            .context("cannot start the receiver")?;
        let url =
            receiver_url(&format!("http://{}/", serving.address)).map_err(anyhow::Error::msg)?;
        let log = RecordLog::new(1, Clock::System);
        let records = log.subscribe(1).context("cannot follow the run")?;
        let telling = tokio::spawn(tell(records, coming));
        let net = Arc::new(NetworkTransport::new(
            Connector::new(EgressPolicy::default()),
            vendor.wire.as_deref(),
        ));
        let finished = while_serving_files(setup.config.files_port, async |files| {
            let plan = RunPlan {
                number: 1,
                script,
                url,
                headers: Vec::new(),
                subscription: vendor.subscription(None),
                seed: setup.config.seed,
                start,
                pace,
                conversations: 1,
                account,
                files,
                resume: None,
                stop: StopSignal::default(),
            };
            run::run(plan, net, log).await
        })
        .await;
        telling.await.context("the report broke")?;
        serving.stop().await;
        let next = next_steps(&vendor.full_id(), &setup.config.demo_scenario.value);
        print(format_args!("{next}\n"))?;
        Ok(finished.verdict.into())
    })
}

/// Tells both sides: what the receiver saw comes before what became of it.
async fn tell(mut records: Subscription, mut coming: mpsc::UnboundedReceiver<String>) {
    let mut console = ConsoleReport::new(Detail::Normal, RerunCommand::default());
    let mut out = anstream::stdout();
    while let Some(record) = records.next().await {
        if matches!(
            record.kind,
            RecordKind::DeliverySettled(_) | RecordKind::HandshakeFinished { .. }
        ) {
            while let Ok(received) = coming.try_recv() {
                let _ = writeln!(out, "{received}");
            }
        }
        let _ = console.record(&record, &mut out);
    }
}

/// What to type next.
fn next_steps(vendor: &str, scenario: &str) -> String {
    format!(
        "Next, to your own receiver:\n  \
         standin secrets {vendor}\n  \
         standin run {scenario} --vendor {vendor} --to http://localhost:3000/"
    )
}
