//! `standin run`: plays scenarios at vendors and judges the receiver.

use std::io::{self, Write as _};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;
use url::Url;

use super::receivers::{Receivers, allowed};
use super::setup::{Setup, instant, interrupt, runtime, scenarios, speed, subscription};
use super::watch::watch;
use super::{Exit, Failure, Global};
use crate::base::clock::Clock;
use crate::base::limits::{MAX_CONVERSATIONS, MAX_PLAYED_STEPS, RECORD_QUEUE};
use crate::base::secret::Secret;
use crate::base::text::one_of;
use crate::config::Start;
use crate::delivery::{Dial, Net, Pace};
use crate::diag::{Problem, Problems, Source, code};
use crate::record::{Record, RunFinished, Verdict};
use crate::report::{Console, Detail, JsonLines, Report};
use crate::run::{self, Plan};
use crate::scenario::{self, Script};
use crate::server::serve_files;
use crate::vendor::{Subscription, Vendor, VendorRef};

/// Plays scenarios, sends their webhooks, and judges the receiver
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    #[arg(long, env = "STANDIN_SEED", value_parser = seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// When the conversations begin, in run time: an instant, or `now`
    #[arg(long, value_name = "INSTANT", value_parser = Start::parse, env = "STANDIN_START")]
    start: Option<Start>,
    /// How run time passes
    #[arg(long, default_value = "virtual")]
    clock: ClockArg,
    /// How many times faster a real clock runs
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed,
          allow_negative_numbers = true)]
    speed: f64,
    /// How many conversations to play at once
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CONVERSATIONS)))]
    conversations: u32,
    /// Print records as JSON lines, one for everything that happens
    #[arg(long, conflicts_with_all = ["quiet", "verbose"])]
    json: bool,
    /// Print only what went wrong, and the end
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Print bodies and headers too
    #[arg(short, long)]
    verbose: bool,
    /// Run again whenever a scenario, the configuration or a template changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockArg {
    /// It jumps over every wait
    Virtual,
    /// It passes as wall time does
    Real,
}

/// Reads a seed; clap shows the error.
fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a whole number from 0 to {}", u64::MAX))
}

pub(super) fn run(args: &RunArgs, global: &Global) -> Result<Exit, Failure> {
    if args.watch {
        return watch(&args.scenarios, global, || once(args, global));
    }
    once(args, global)
}

fn once(args: &RunArgs, global: &Global) -> Result<Exit, Failure> {
    let setup = Setup::read(global)?;
    let mut problems = args.receivers.check(&setup.catalog);
    let sources = scenarios(&args.scenarios).map_err(|others| problems.extend(others));
    let sources = problems.or(sources.ok())?;
    let plans = plans(&Wanted { args, setup: &setup }, &sources)?;
    let dial = Dial::new(args.receivers.egress());
    runtime()?.block_on(async {
        let interrupted = interrupt().await;
        let playing = async {
            args.receivers.wait(&plans, &dial).await?;
            let (serving, files) = serve_files(setup.config.files_port);
            let plans = plans.into_iter().map(|plan| Plan { files: Arc::clone(&files), ..plan });
            let exit = play(plans.collect(), &dial, args).await;
            if let Some(serving) = serving {
                serving.stop().await;
            }
            exit
        };
        tokio::select! {
            exit = playing => exit,
            _ = interrupted => {
                anstream::eprintln!("interrupted");
                Ok(Exit::Interrupted)
            }
        }
    })
}

/// Plays one run after the other; the worst of them is how the command ends.
async fn play(plans: Vec<Plan>, dial: &Dial, args: &RunArgs) -> Result<Exit, Failure> {
    let detail = match (args.quiet, args.verbose) {
        (true, _) => Detail::Quiet,
        (_, true) => Detail::Verbose,
        _ => Detail::Normal,
    };
    let report: Box<dyn Report> =
        if args.json { Box::new(JsonLines) } else { Box::new(Console::new(detail)) };
    let (sink, records) = mpsc::channel(RECORD_QUEUE);
    let telling = tokio::task::spawn_blocking(move || tell(records, report));
    let mut finished = Vec::new();
    for plan in plans {
        let net = Arc::new(Net::new(dial.clone(), plan.account.vendor.wire.as_deref()));
        finished.push(run::run(plan, net, Clock::System, sink.clone()).await);
    }
    drop(sink);
    telling.await.map_err(|error| anyhow::anyhow!("the report broke: {error}"))??;
    if finished.len() > 1 && !args.json {
        anstream::println!("{}", total(&finished));
    }
    let passed = finished.iter().all(|run| run.verdict == Verdict::Passed);
    Ok(if passed { Exit::Passed } else { Exit::Failed })
}

/// How several runs ended, in a line.
fn total(runs: &[RunFinished]) -> String {
    let passed = runs.iter().filter(|run| run.verdict == Verdict::Passed).count();
    let right: u64 = runs.iter().map(|run| run.right).sum();
    let deliveries: u64 = runs.iter().map(|run| run.deliveries).sum();
    format!(
        "\ntotal: {passed} of {} runs passed ({right} of {deliveries} deliveries right)",
        runs.len()
    )
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

/// What is wanted of the command.
struct Wanted<'a> {
    args: &'a RunArgs,
    setup: &'a Setup,
}

/// Checks everything; what cannot be played is told before anything is sent.
fn plans(wanted: &Wanted<'_>, sources: &[Arc<Source>]) -> Result<Vec<Plan>, Problems> {
    let mut problems = Problems::new();
    let (mut plans, mut left_out) = (Vec::new(), Vec::new());
    for source in sources {
        match wanted.plans_of(source, &mut left_out) {
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

impl Wanted<'_> {
    /// The plans of one scenario; the vendors that cannot play it are left out, each for a reason.
    fn plans_of(
        &self,
        source: &Arc<Source>,
        left_out: &mut Vec<String>,
    ) -> Result<Vec<Plan>, Problems> {
        let mut draft = scenario::read(source)?;
        let (playable, known) = (self.setup.vendors_of(&mut draft), self.setup.vendors());
        let wanted = self.vendors(&playable);
        let all = wanted.as_deref().unwrap_or_default().iter().cloned();
        let (vendors, others): (Vec<_>, Vec<_>) =
            all.partition(|vendor| draft.form.is_for(&vendor.reference()));
        // Where it is played nowhere, what is wrong with the file is told all the same.
        let played = if vendors.is_empty() { &playable } else { &vendors };
        let mut problems = wanted.err().unwrap_or_default();
        let checked = scenario::check(draft, played, known);
        let checked = checked.map_err(|others| problems.extend(others));
        let script = Arc::new(problems.or(checked.ok())?);
        for vendor in others {
            let name = &vendor.name;
            left_out.push(format!("{name} is left out of {}: it is for others", source.name));
        }
        let mut problems = Problems::new();
        let mut plans = Vec::new();
        for vendor in &vendors {
            if let Some(reason) = script.cannot.get(&vendor.full_id()) {
                left_out.push(format!("{} is left out of {}: {reason}", vendor.name, script.file));
                continue;
            }
            match self.plans_at(&script, vendor) {
                Ok(more) => plans.extend(more),
                Err(others) => problems.extend(others),
            }
        }
        problems.or(Some(plans))
    }

    /// The vendors of the flags, else those that have a receiver among those that can play the
    /// scenario.
    fn vendors(&self, playable: &[Arc<Vendor>]) -> Result<Vec<Arc<Vendor>>, Problems> {
        if !self.args.vendors.is_empty() {
            let mut problems = Problems::new();
            let mut vendors = Vec::new();
            for name in &self.args.vendors {
                match self.setup.vendor(&VendorRef::parse(name)) {
                    Ok(vendor) => vendors.push(vendor),
                    Err(others) => problems.extend(others),
                }
            }
            return problems.or(Some(vendors));
        }
        if self.args.receivers.has_any() && playable.len() > 1 {
            let ids: Vec<String> = playable.iter().map(|vendor| vendor.full_id()).collect();
            let message = "the scenario can be played at more than one vendor";
            let help =
                format!("choose with `--vendor`: {}", one_of(ids.iter().map(String::as_str)));
            return Err(Problem::anywhere(code::NOTHING_TO_PLAY, message).help(help).into());
        }
        let has_receiver = |vendor: &&Arc<Vendor>| {
            let targets = self.args.receivers.targets(&vendor.id);
            !targets.is_empty() || !self.setup.endpoints(&vendor.id).is_empty()
        };
        let played: Vec<_> = playable.iter().filter(has_receiver).cloned().collect();
        if played.is_empty() {
            return Err(no_receiver("any vendor").into());
        }
        Ok(played)
    }

    /// One plan for each receiver of a vendor: those of the flags, else those of the configuration.
    fn plans_at(&self, script: &Arc<Script>, vendor: &Arc<Vendor>) -> Result<Vec<Plan>, Problems> {
        let (args, setup) = (self.args, self.setup);
        let account = setup.account(vendor)?;
        let wanted = if args.events.is_empty() {
            script.subscribe.get(&vendor.id).cloned()
        } else {
            Some(Subscription::check_plain(&args.events, &vendor.type_names())?)
        };
        let mut problems = Problems::new();
        problems.extend(too_many(script, args.conversations));
        let plan = |url: &Url, headers: Vec<(String, Secret)>, own: Option<Subscription>| Plan {
            number: 0,
            script: Arc::clone(script),
            account: Arc::clone(&account),
            url: url.clone(),
            headers,
            subscription: wanted.clone().or(own).map_or_else(
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
        let egress = args.receivers.egress();
        let mut plans = Vec::new();
        for target in args.receivers.targets(&vendor.id) {
            plans.push(plan(&target.url(egress)?, Vec::new(), None));
        }
        if plans.is_empty() {
            for endpoint in setup.endpoints(&vendor.id) {
                let forbidden = allowed(&endpoint.url, egress).err().map(Problems::from);
                problems.extend(forbidden.unwrap_or_default().placed(&endpoint.url.place));
                let own = subscription(endpoint, vendor, &mut problems);
                plans.push(plan(&endpoint.url, endpoint.headers(&mut problems), own));
            }
        }
        if plans.is_empty() {
            return Err(no_receiver(&vendor.id).into());
        }
        problems.or(Some(plans))
    }
}

/// The problem with more steps than a run may play, all its conversations counted.
fn too_many(script: &Script, conversations: u32) -> Problems {
    let conversations = usize::try_from(conversations).unwrap_or(usize::MAX);
    let steps = script.steps.len().saturating_mul(conversations);
    if steps <= MAX_PLAYED_STEPS {
        return Problems::new();
    }
    let message =
        format!("{steps} steps in {conversations} conversations, more than {MAX_PLAYED_STEPS}");
    Problem::anywhere(code::TOO_MANY, message).help("give fewer `--conversations`").into()
}

fn no_receiver(vendor: &str) -> Problem {
    let message = format!("there is no receiver to send to for {vendor}");
    Problem::anywhere(code::NO_RECEIVER, message).help(
        "add `--to http://localhost:3000/`, where `standin listen` or your own receiver listens",
    )
}
