//! `standin runs`: lists and steers the runs of a running server.

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::client::ClientArgs;
use super::exit::{CommandError, ExitStatus};
use super::terminal::{note, print};

/// List the runs of a running server, or steer one of them
#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// Number of a run
    #[arg(requires = "command")]
    run: Option<u32>,
    /// What to do with it
    #[arg(requires = "run")]
    command: Option<RunCommand>,
    #[command(flatten)]
    client: ClientArgs,
}

/// What can be done with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RunCommand {
    /// Stop its run time
    Pause,
    /// Continue it
    Resume,
    /// Advance it to the next thing that happens
    Step,
    /// End it where it is
    Cancel,
}

impl RunCommand {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Step => "step",
            Self::Cancel => "cancel",
        }
    }
}

pub(super) fn runs(args: &RunsArgs) -> Result<ExitStatus, CommandError> {
    let client = args.client.client()?;
    if let (Some(run), Some(command)) = (args.run, args.command) {
        let run = client.post(&format!("/runs/{run}/{}", command.as_str()), "")?;
        print(line(&run))?;
        return Ok(ExitStatus::Passed);
    }
    let list = client.get("/runs")?;
    let lines = list["items"].as_array().into_iter().flatten().map(line);
    print(lines.collect::<Vec<_>>().concat())?;
    if !list["next"].is_null() {
        note("older runs are not listed");
    }
    Ok(ExitStatus::Passed)
}

/// A run in one line.
fn line(run: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    // A finished run has a verdict, which says more than its phase.
    let (phase, verdict) = (text(&run["phase"]), text(&run["result"]["verdict"]));
    let state = if phase == "finished" { verdict } else { phase };
    let (number, vendor, file) = (&run["run"], text(&run["vendor"]), text(&run["file"]));
    format!("{number:>4}  {state:<12} {vendor:<12} {file}  seed {}\n", run["seed"])
}
