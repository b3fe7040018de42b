//! `standin demo`: runs a scenario against the bundled receiver and prints both sides.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::mpsc;

use super::demo_bots::DemoApi;
use super::demo_page::{PageDemo, show_page};
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::inputs::scenarios;
use super::scenario_reader::ScenarioReader;
use super::setup::{Setup, instant, speed, until_interrupted, while_serving_files};
use super::terminal::print;
use crate::base::address::EgressPolicy;
use crate::base::clock::Clock;
use crate::config::{Config, receiver_url};
use crate::delivery::{AttemptSlots, ClockMode, Connector, Http1Client};
use crate::diag::{Problem, code};
use crate::listen::{BundledReceiver, serve};
use crate::platform::Platform;
use crate::record::{LogReader, RecordKind, RecordLog};
use crate::report::{ConsoleReport, Detail, Report as _, RerunCommand};
use crate::run::{self, EndpointPlan, RunLimits, RunPlan, StopSignal, check_patches};
use crate::scenario::{self, VariableInputs};

/// Play a sample conversation against the bundled receiver and show both sides
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[arg(help = vendor_help())]
    vendor: Option<String>,
    /// Speed of the clock: 8 is eight times as fast as wall time [default: 1 with the page, else 8]
    #[arg(long, value_name = "FACTOR", value_parser = speed, allow_negative_numbers = true)]
    speed: Option<f64>,
    /// Print both sides of the conversation once, instead of opening a page [default: only if the
    /// output is not a terminal]
    #[arg(long)]
    once: bool,
    /// Print the URL of the page, but do not open it in a browser
    #[arg(long, conflicts_with = "once")]
    no_open: bool,
}

/// Returns the help of the vendor argument, with the default of the bundled configuration.
// Not a literal: which vendors exist is data, so no Rust file names one.
fn vendor_help() -> String {
    let (defaults, _) = Config::read_partial(None);
    let vendor = defaults.map(|config| config.demo_vendor.value).unwrap_or_default();
    format!("Vendor to emulate [default: {vendor}]")
}

pub(super) fn demo(args: &DemoArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor =
        setup.observed_vendor(args.vendor.as_ref().unwrap_or(&setup.config.demo_vendor.value))?;
    let account = setup.account(&vendor)?;
    let story = setup.config.scenario_of_demo(vendor.bot.story.as_deref()).to_owned();
    let source = scenarios(std::slice::from_ref(&story))?.pop();
    let shows_page = !args.once && std::io::stdout().is_terminal();
    if let Some(source) = source.clone().filter(|_| shows_page) {
        let speed = args.speed.unwrap_or(1.0);
        return show_page(&PageDemo { vendor, source, speed, opens: !args.no_open }, &setup);
    }
    let (inputs, mut files) = (VariableInputs::default(), BTreeSet::new());
    let mut reader = ScenarioReader::new(inputs, &mut files);
    let drafts = source.map(|source| reader.drafts(&source)).transpose()?;
    let draft = drafts.and_then(|mut drafts| drafts.next()).ok_or_else(|| {
        Problem::anywhere(
            code::NOTHING_TO_RUN,
            "the configuration names no scenario for `standin demo`",
        )
    })?;
    let known = setup.known_to(&draft);
    let script = Arc::new(scenario::check(draft, &[Arc::clone(&vendor)], &known)?);
    check_patches(&script, std::slice::from_ref(&account)).into_result(Some(()))?;
    let start = instant(script.start.unwrap_or(setup.config.start));
    let seed = script.seed.unwrap_or(setup.config.seed);
    let pace = ClockMode::Real(args.speed.unwrap_or(8.0));
    until_interrupted(async {
        let (received_sink, received_lines) = mpsc::unbounded_channel::<String>();
        let receiver = BundledReceiver::new(vec![Arc::clone(&account)], Vec::new());
        let api = DemoApi::start(&account)?;
        let receiver = api.iter().fold(receiver, |receiver, api| {
            receiver.with_bot(&account.platform.id, api.bot.clone())
        });
        let serving =
            serve(receiver, 0, move |received| drop(received_sink.send(received.summary())))
                .context("cannot start the receiver")?;
        let url =
            receiver_url(&format!("http://{}/", serving.address)).map_err(anyhow::Error::msg)?;
        let log = RecordLog::new(1, Clock::System);
        let records = log.subscribe(1).context("cannot follow the run")?;
        let printing = tokio::spawn(print_both_sides(records, received_lines));
        let net = Arc::new(Http1Client::new(
            Connector::new(EgressPolicy::default()),
            vendor.wire.clone(),
        ));
        let finished = while_serving_files(&setup.config.files, async |files| {
            let plan = RunPlan {
                number: 1,
                occurrence: 1,
                script,
                endpoints: vec![EndpointPlan::new(1, url, vendor.subscription(None))],
                seed,
                start,
                pace,
                plays: 1,
                account,
                files,
                resume: None,
                memory: None,
                stop: StopSignal::default(),
                limits: RunLimits::default(),
                slots: AttemptSlots::default(),
                api: api.as_ref().map(DemoApi::access),
            };
            api.iter().for_each(|api| api.bot.open());
            run::run(plan, net, log).await
        })
        .await;
        printing.await.context("the report task failed")?;
        serving.stop().await;
        if let Some(api) = api {
            api.serving.stop().await;
        }
        // After the last request is printed, or it would appear below the suggestion.
        let next = next_steps(&vendor, &story);
        print(format_args!("{next}\n"))?;
        Ok(finished.verdict.into())
    })
}

/// Prints the records of the run and the lines of the receiver.
async fn print_both_sides(
    mut records: LogReader,
    mut received_lines: mpsc::UnboundedReceiver<String>,
) {
    let mut console = ConsoleReport::new(Detail::Normal, RerunCommand::default());
    let mut out = anstream::stdout();
    while let Some(record) = records.next().await {
        // A request is printed before its result, in the order in which a reader expects them.
        if matches!(
            record.kind,
            RecordKind::DeliverySettled(_) | RecordKind::HandshakeFinished { .. }
        ) {
            while let Ok(received) = received_lines.try_recv() {
                let _ = writeln!(out, "{received}");
            }
        }
        let _ = console.record(&record, &mut out);
    }
    let _ = console.finish(&mut out);
}

/// Suggests the commands that send to the user's receiver.
fn next_steps(vendor: &Platform, scenario: &str) -> String {
    let id = vendor.full_id();
    let listen = if vendor.bot.is_empty() { "" } else { " --listen" };
    format!(
        "Next, send to your own receiver:\n  \
         standin secrets {id}\n  \
         standin run {scenario} --vendor {id} --to http://localhost:3000/{listen}"
    )
}
