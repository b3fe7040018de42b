//! `standin run`: plays scenarios at vendors and judges the receiver.

use std::io::{self, Write as _};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;

use super::check::played_at;
use super::receivers::{Receivers, allowed};
use super::setup::{Setup, instant, runtime, scenarios};
use super::{Exit, Failure, Global};
use crate::base::clock::Clock;
use crate::base::limits::{MAX_CONVERSATIONS, RECORD_QUEUE};
use crate::config::Start;
use crate::delivery::{Dial, Net, Pace};
use crate::diag::{Problem, Problems, Source, code};
use crate::record::Record;
use crate::report::{Console, Detail, JsonLines, Report};
use crate::run::{self, Plan};
use crate::scenario;
use crate::server::serve_files;
use crate::vendor::{Subscription, Vendor, VendorRef};

/// Plays scenarios, sends their webhooks, and judges the receiver
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Scenarios: files, folders, or names of bundled ones
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// The vendor to play them at, perhaps with a revision: VENDOR@REV; repeat it for more
    #[arg(long = "vendor", value_name = "VENDOR")]
    vendors: Vec<String>,
    #[command(flatten)]
    receivers: Receivers,
    /// What to send: patterns of event types, such as `chat.*,!chat.close`
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    events: Vec<String>,
    /// What everything random is drawn from; the same seed sends the same bytes
    #[arg(long, env = "STANDIN_SEED")]
    seed: Option<u64>,
    /// When the conversations begin, in run time: an instant, or `now`
    #[arg(long, value_name = "INSTANT", value_parser = Start::parse, env = "STANDIN_START")]
    start: Option<Start>,
    /// How run time passes
    #[arg(long, default_value = "virtual")]
    clock: ClockArg,
    /// How many times faster a real clock runs
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: f64,
    /// How many conversations to play at once
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CONVERSATIONS)))]
    conversations: u32,
    /// Print records as JSON lines
    #[arg(long)]
    json: bool,
    /// Print only what went wrong, and the end
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Print bodies and headers too
    #[arg(short, long)]
    verbose: bool,
}

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockArg {
    /// It jumps over every wait
    Virtual,
    /// It passes as wall time does
    Real,
}

/// Reads a factor that a clock can run at.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 0.01 to 1000".into()),
    }
}

pub(super) fn run(args: &RunArgs, global: &Global) -> Result<Exit, Failure> {
    let setup = Setup::read(global)?;
    let sources = scenarios(&args.scenarios)?;
    let plans = plans(args, &setup, &sources)?;
    let detail = match (args.quiet, args.verbose) {
        (true, _) => Detail::Quiet,
        (_, true) => Detail::Verbose,
        _ => Detail::Normal,
    };
    let report: Box<dyn Report> =
        if args.json { Box::new(JsonLines) } else { Box::new(Console::new(detail)) };
    let dial = Dial::new(args.receivers.egress());
    runtime()?.block_on(async {
        tokio::select! {
            exit = async {
                args.receivers.wait(&plans, &dial).await?;
                let (serving, files) = serve_files(setup.config.files_port);
                let plans = plans.into_iter().map(|plan| Plan { files: Arc::clone(&files), ..plan });
                let exit = play(plans.collect(), &dial, report).await;
                if let Some(serving) = serving {
                    serving.stop().await;
                }
                exit
            } => exit,
            _ = tokio::signal::ctrl_c() => {
                anstream::eprintln!("interrupted");
                Ok(Exit::Interrupted)
            }
        }
    })
}

/// Plays one run after the other; the worst of them is how the command ends.
async fn play(plans: Vec<Plan>, dial: &Dial, report: Box<dyn Report>) -> Result<Exit, Failure> {
    let (sink, records) = mpsc::channel(RECORD_QUEUE);
    let telling = tokio::task::spawn_blocking(move || tell(records, report));
    let mut exit = Exit::Passed;
    for plan in plans {
        let net = Arc::new(Net::new(dial.clone(), plan.account.vendor.wire.as_deref()));
        let finished = run::run(plan, net, Clock::System, sink.clone()).await;
        if Exit::from(finished.verdict) != Exit::Passed {
            exit = Exit::Failed;
        }
    }
    drop(sink);
    telling.await.map_err(|error| anyhow::anyhow!("the report broke: {error}"))??;
    Ok(exit)
}

/// Numbers the records and tells them; a reader that has gone away is no failure of ours.
fn tell(mut records: mpsc::Receiver<Record>, mut report: Box<dyn Report>) -> io::Result<()> {
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    let mut seq = 0;
    while let Some(mut record) = records.blocking_recv() {
        seq += 1;
        record.seq = seq;
        let told = report
            .tell(&record, &mut out)
            .and_then(|()| if records.is_empty() { out.flush() } else { Ok(()) });
        match told {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                records.close();
                return Ok(());
            }
            other => other?,
        }
    }
    out.flush()
}

/// Checks everything; what cannot be played is told before anything is sent.
fn plans(args: &RunArgs, setup: &Setup, sources: &[Arc<Source>]) -> Result<Vec<Plan>, Problems> {
    let mut problems = Problems::new();
    let (mut plans, mut left_out) = (Vec::new(), Vec::new());
    for source in sources {
        match plans_of(args, setup, source, &mut left_out) {
            Ok(more) => plans.extend(more),
            Err(others) => problems.extend(others),
        }
    }
    for reason in left_out {
        if plans.is_empty() {
            problems.push(Problem::anywhere(code::VENDOR_CANNOT, reason));
        } else {
            anstream::eprintln!("{reason}");
        }
    }
    if plans.is_empty() && problems.is_empty() {
        problems.push(Problem::anywhere(code::NOTHING_TO_PLAY, "there is nothing to play"));
    }
    for (plan, number) in plans.iter_mut().zip(1..) {
        plan.number = number;
    }
    problems.or(Some(plans))
}

/// The plans of one scenario; the vendors that cannot play it are left out, each for a reason.
fn plans_of(
    args: &RunArgs,
    setup: &Setup,
    source: &Arc<Source>,
    left_out: &mut Vec<String>,
) -> Result<Vec<Plan>, Problems> {
    let draft = scenario::read(source)?;
    let (vendors, others): (Vec<_>, Vec<_>) = vendors(args, setup, &draft.form)?
        .into_iter()
        .partition(|vendor| draft.form.is_for(&vendor.id));
    for vendor in others {
        left_out.push(format!("{} is left out of {}: it is for others", vendor.name, source.name));
    }
    if vendors.is_empty() {
        return Ok(Vec::new());
    }
    let script = Arc::new(scenario::check(draft, &vendors, &setup.vendors())?);
    let mut problems = Problems::new();
    let mut plans = Vec::new();
    for vendor in &vendors {
        if let Some(reason) = script.cannot.get(&vendor.id) {
            left_out.push(format!("{} is left out of {}: {reason}", vendor.name, script.file));
            continue;
        }
        match plan(args, setup, &script, vendor) {
            Ok(more) => plans.extend(more),
            Err(others) => problems.extend(others),
        }
    }
    problems.or(Some(plans))
}

/// The vendors of the flags, else those that have a receiver among those that can play the
/// scenario.
fn vendors(
    args: &RunArgs,
    setup: &Setup,
    form: &scenario::ScenarioForm,
) -> Result<Vec<Arc<Vendor>>, Problems> {
    if args.vendors.is_empty() {
        let all = played_at(form, setup)?;
        if args.receivers.has_any() && all.len() > 1 {
            let ids = all.iter().map(|vendor| vendor.id.as_str());
            let message = "the scenario can be played at more than one vendor";
            let help = format!("choose with `--vendor`: {}", crate::base::text::one_of(ids));
            return Err(Problem::anywhere(code::NOTHING_TO_PLAY, message).help(help).into());
        }
        let has_receiver = |vendor: &Arc<Vendor>| {
            args.receivers.target(&vendor.id).is_some() || !setup.endpoints(&vendor.id).is_empty()
        };
        let played: Vec<_> = all.into_iter().filter(has_receiver).collect();
        if played.is_empty() {
            return Err(no_receiver("any vendor").into());
        }
        return Ok(played);
    }
    let mut problems = Problems::new();
    let mut vendors = Vec::new();
    for name in &args.vendors {
        match setup.vendor(&VendorRef::parse(name)) {
            Ok(vendor) => vendors.push(vendor),
            Err(others) => problems.extend(others),
        }
    }
    problems.or(Some(vendors))
}

/// One plan for each receiver of a vendor.
fn plan(
    args: &RunArgs,
    setup: &Setup,
    script: &Arc<scenario::Script>,
    vendor: &Arc<Vendor>,
) -> Result<Vec<Plan>, Problems> {
    let account = setup.account(vendor)?;
    let wanted = if args.events.is_empty() {
        script.subscribe.get(&vendor.id).cloned()
    } else {
        Some(Subscription::check_plain(&args.events, &vendor.event_types())?)
    };
    let mut problems = Problems::new();
    let egress = args.receivers.egress();
    let plan =
        |url: &url::Url, headers: Vec<(String, String)>, events: Option<Subscription>| Plan {
            number: 0,
            script: Arc::clone(script),
            account: Arc::clone(&account),
            url: url.clone(),
            headers,
            subscription: wanted.clone().or(events).map_or_else(
                || vendor.default_subscription.clone(),
                |wanted| wanted.over(&vendor.default_subscription),
            ),
            seed: args.seed.unwrap_or(setup.config.seed),
            start: instant(args.start.unwrap_or(setup.config.start)),
            pace: match args.clock {
                ClockArg::Virtual => Pace::Virtual,
                ClockArg::Real => Pace::Real(args.speed),
            },
            conversations: args.conversations,
            files: Arc::default(),
        };
    let plans = match args.receivers.target(&vendor.id) {
        Some(target) => vec![plan(&target.url(egress)?, Vec::new(), None)],
        None => {
            let endpoints = setup.endpoints(&vendor.id).into_iter().map(|endpoint| {
                if let Err(problem) = allowed(&endpoint.url, egress) {
                    problems.push(Problem { place: Some(endpoint.url.place.clone()), ..problem });
                }
                let events = endpoint.events.as_ref().map(|events| {
                    Subscription::check(events, &vendor.event_types(), &mut problems)
                });
                let headers = endpoint.headers.iter();
                let headers = headers.map(|(key, value)| (key.name.clone(), value.value.clone()));
                plan(&endpoint.url, headers.collect(), events)
            });
            endpoints.collect()
        }
    };
    if plans.is_empty() {
        return Err(no_receiver(&vendor.id).into());
    }
    problems.or(Some(plans))
}

fn no_receiver(vendor: &str) -> Problem {
    let message = format!("there is no receiver to send to for {vendor}");
    Problem::anywhere(code::NO_RECEIVER, message).help(
        "add `--to http://localhost:3000/`, where `standin listen` or your own receiver listens",
    )
}
