//! `standin run`: plays scenarios at vendors and judges the receiver.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::init::there_already;
use super::play::{BatchOptions, PlayArgs, no_receiver};
use super::setup::{Setup, scenarios, speed};
use super::watch::watch;
use super::{CommandError, ExitStatus, Global, note};
use crate::base::limits::{MAX_CONVERSATIONS, MAX_PLAYED_STEPS};
use crate::base::text::{escape, one_of};
use crate::delivery::ClockMode;
use crate::diag::{Problem, Problems, Source, code};
use crate::fault::ChaosProfile;
use crate::platform::{Platform, Subscription};
use crate::report::RerunCommand;
use crate::run::{RunPlan, schedule};
use crate::scenario::{self, Script};

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
    playing: PlayArgs,
    /// What to send: patterns of event types, such as `chat.*,!chat.close`
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    events: Vec<String>,
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
    /// Only runs whose scenario, file or vendor holds this text; repeat it for more
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// How many runs go on at once; they are told one after the other
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Start no other run once one was not right
    #[arg(long)]
    fail_fast: bool,
    /// Draw faults for the steps from the seed: `gentle`, `order`, `network`, `auth`, `payload` or
    /// `all`
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    chaos: Option<ChaosProfile>,
    /// Where a run with drawn faults fails, write the fewest with which it still does as a scenario
    #[arg(long, value_name = "FILE", requires = "chaos", conflicts_with_all = ["dry_run", "curl", "watch"])]
    shrink: Option<PathBuf>,
    /// Run again whenever a scenario, the configuration or a template changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// Reads the name of a profile; clap shows the error.
fn profile(text: &str) -> Result<ChaosProfile, String> {
    let known = || one_of(ChaosProfile::WORDS.iter().copied());
    ChaosProfile::of_word(text).ok_or_else(|| format!("a profile is {}", known()))
}

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockArg {
    /// It jumps over every wait
    Virtual,
    /// It passes as wall time does
    Real,
}

pub(super) fn run(args: &RunArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    if args.watch {
        return watch(&args.scenarios, global, || once(args, global));
    }
    once(args, global)
}

fn once(args: &RunArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let mut problems = args.playing.receivers.check(&setup.catalog);
    let sources = problems.note(scenarios(&args.scenarios));
    let sources = problems.or(sources)?;
    let plans = plans(&RunSelection { args, setup: &setup }, &sources)?;
    if let Some(file) = args.shrink.as_ref().filter(|file| file.exists()) {
        return Err(there_already(file).into());
    }
    let (jobs, shrink) = (args.jobs.into(), args.shrink.clone());
    let pace = BatchOptions { jobs, fail_fast: args.fail_fast, shrink };
    args.playing.execute(plans, pace, args.again(global), &setup)
}

/// What is wanted of the command.
struct RunSelection<'a> {
    args: &'a RunArgs,
    setup: &'a Setup,
}

/// Checks everything; what cannot be played is told before anything is sent.
fn plans(wanted: &RunSelection<'_>, sources: &[Arc<Source>]) -> Result<Vec<RunPlan>, Problems> {
    let mut problems = Problems::new();
    let (mut plans, mut left_out) = (Vec::new(), Vec::new());
    for source in sources {
        plans.extend(problems.note(wanted.plans_of(source, &mut left_out)).unwrap_or_default());
    }
    for reason in left_out {
        if plans.is_empty() {
            problems.push(Problem::anywhere(code::VENDOR_CANNOT, reason));
        } else {
            note(escape(&reason));
        }
    }
    if plans.is_empty() && problems.is_empty() {
        problems.push(Problem::anywhere(code::NOTHING_TO_PLAY, "there is nothing to play"));
    }
    if !plans.is_empty() {
        plans.retain(|plan| wanted.args.wants(plan));
        if plans.is_empty() {
            let message = "no run holds what `--filter` asks for";
            problems.push(Problem::anywhere(code::NOTHING_TO_PLAY, message));
        }
    }
    problems.or(Some(plans))
}

impl RunArgs {
    /// What makes these runs what they are, beside what they tell.
    fn again(&self, global: &Global) -> RerunCommand {
        let mut words = Vec::new();
        if !self.events.is_empty() {
            words.extend(["--events".to_owned(), self.events.join(",")]);
        }
        if self.clock == ClockArg::Real {
            words.extend(["--clock", "real", "--speed"].map(str::to_owned));
            words.push(self.speed.to_string());
        }
        if let Some(profile) = self.chaos {
            words.extend(["--chaos", profile.word()].map(str::to_owned));
        }
        self.playing.again(words, global)
    }

    /// Whether a run is among those that the filters leave.
    fn wants(&self, plan: &RunPlan) -> bool {
        let names = [&plan.script.name, &plan.script.file, &plan.account.platform.full_id()];
        let names = names.map(|name| name.to_lowercase());
        let holds = |text: &String| names.iter().any(|name| name.contains(&text.to_lowercase()));
        self.filter.is_empty() || self.filter.iter().any(holds)
    }
}

impl RunSelection<'_> {
    /// The plans of one scenario; the vendors that cannot play it are left out, each for a reason.
    fn plans_of(
        &self,
        source: &Arc<Source>,
        left_out: &mut Vec<String>,
    ) -> Result<Vec<RunPlan>, Problems> {
        let mut draft = scenario::read(source)?;
        let known = self.setup.vendors();
        let playable = if self.args.vendors.is_empty() {
            self.setup.vendors_of(&mut draft)
        } else {
            Vec::new() // the flags say where; another vendor's mistakes are not in the way
        };
        let named = draft.form.vendors.iter().flat_map(|named| named.iter());
        let named = one_of(named.map(|name| name.as_str()));
        let wanted = self.vendors(&playable);
        let all = wanted.as_deref().unwrap_or_default().iter().cloned();
        let (vendors, others): (Vec<_>, Vec<_>) =
            all.partition(|vendor| draft.form.is_for(&vendor.reference()));
        // Where it is played nowhere, what is wrong with the file is told all the same.
        let played = match (vendors.is_empty(), self.args.vendors.is_empty()) {
            (false, _) => &vendors,
            (true, true) => &playable,
            (true, false) => &self.setup.vendors_of(&mut draft),
        };
        let mut problems = wanted.err().unwrap_or_default();
        let checked = problems.note(scenario::check(draft, played, known));
        let script = Arc::new(problems.or(checked)?);
        for vendor in others {
            let name = &vendor.name;
            let file = &source.name;
            left_out.push(format!("{name} is left out of {file}: it names {named}"));
        }
        let mut problems = Problems::new();
        let mut plans = Vec::new();
        for vendor in &vendors {
            if let Some(reason) = script.cannot.get(&vendor.full_id()) {
                left_out.push(format!("{} is left out of {}: {reason}", vendor.name, script.file));
                continue;
            }
            plans.extend(problems.note(self.plans_at(&script, vendor)).unwrap_or_default());
        }
        problems.or(Some(plans))
    }

    /// The vendors of the flags, else those that have a receiver among those that can play the
    /// scenario.
    fn vendors(&self, playable: &[Arc<Platform>]) -> Result<Vec<Arc<Platform>>, Problems> {
        if !self.args.vendors.is_empty() {
            let mut problems = Problems::new();
            let mut vendors = Vec::new();
            for name in &self.args.vendors {
                vendors.extend(problems.note(self.setup.vendor(name)));
            }
            return problems.or(Some(vendors));
        }
        if self.args.playing.receivers.has_any() && playable.len() > 1 {
            let ids: Vec<String> = playable.iter().map(|vendor| vendor.full_id()).collect();
            let message = "the scenario can be played at more than one vendor";
            let help =
                format!("choose with `--vendor`: {}", one_of(ids.iter().map(String::as_str)));
            return Err(Problem::anywhere(code::NOTHING_TO_PLAY, message).help(help).into());
        }
        let playing = &self.args.playing;
        let has_receiver = |vendor: &&Arc<Platform>| {
            playing.is_dry()
                || !playing.receivers.targets(&vendor.id).is_empty()
                || !self.setup.endpoints(&vendor.id).is_empty()
        };
        let played: Vec<_> = playable.iter().filter(has_receiver).cloned().collect();
        if played.is_empty() {
            return Err(no_receiver("any vendor").into());
        }
        Ok(played)
    }

    /// One plan for each receiver of a vendor.
    fn plans_at(
        &self,
        script: &Arc<Script>,
        vendor: &Arc<Platform>,
    ) -> Result<Vec<RunPlan>, Problems> {
        let args = self.args;
        let wanted = if args.events.is_empty() {
            script.subscribe.get(&vendor.id).cloned()
        } else {
            Some(Subscription::check_plain(&args.events, &vendor.type_names())?)
        };
        let mut problems = too_many(script, args.conversations);
        let plans = args.playing.plans(script, vendor, wanted.as_ref(), self.setup);
        let plans = problems.note(plans).unwrap_or_default();
        let pace = match args.clock {
            ClockArg::Virtual => ClockMode::Virtual,
            ClockArg::Real => ClockMode::Real(args.speed),
        };
        let conversations = args.conversations;
        let mut plans: Vec<RunPlan> =
            plans.into_iter().map(|plan| RunPlan { pace, conversations, ..plan }).collect();
        if let Some(profile) = args.chaos {
            for plan in &mut plans {
                problems.extend(strike(plan, profile));
            }
        }
        problems.or(Some(plans))
    }
}

/// Draws faults for a plan; where it can have none, that is a problem.
fn strike(plan: &mut RunPlan, profile: ChaosProfile) -> Problems {
    let chaos = schedule(plan, profile);
    if chaos.schedule.is_empty() {
        let message =
            format!("{} can have no fault of `{profile}` here", plan.account.platform.name);
        let problem = Problem::anywhere(code::VENDOR_CANNOT, message);
        return problem.help("choose another profile, or leave faults out of the file").into();
    }
    plan.script = Arc::new(plan.script.with_chaos(chaos));
    Problems::new()
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
