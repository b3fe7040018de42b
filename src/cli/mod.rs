//! The command line: one file per verb.
//!
//! Here the world is read once: arguments, environment, files. Data goes to standard output,
//! everything else to standard error.

mod check;
mod completions;
mod demo;
mod dry_run;
mod init;
mod journal;
mod listen;
mod man;
mod output;
mod play;
mod progress;
mod receivers;
mod run;
mod schema;
mod secrets;
mod send;
mod setup;
mod shrink;
mod vendors;
mod watch;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::base::fail_points;
use crate::base::text::escape;
use crate::diag::Problems;
use crate::diag::render::render;
use crate::record::Verdict;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was right.
    Passed = 0,
    /// A run failed or was inconclusive.
    Failed = 1,
    /// The input was bad; nothing was sent.
    BadInput = 2,
    /// We could not do our work.
    CouldNot = 3,
    /// Somebody interrupted.
    Interrupted = 4,
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Verdict> for ExitStatus {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed | Verdict::Inconclusive => Self::Failed,
            Verdict::Interrupted => Self::Interrupted,
        }
    }
}

/// Why a command could not be carried out.
#[derive(Debug)]
enum CommandError {
    /// The input is bad.
    Input(Problems),
    /// The world is not as it should be.
    World(anyhow::Error),
}

impl From<Problems> for CommandError {
    fn from(problems: Problems) -> Self {
        Self::Input(problems)
    }
}

impl From<crate::diag::Problem> for CommandError {
    fn from(problem: crate::diag::Problem) -> Self {
        Self::Input(problem.into())
    }
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self::World(error)
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::World(error.into())
    }
}

/// A stand-in for chat vendors: plays scripted conversations, sends the webhooks that the vendor
/// would send, and judges what the receiver did.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Try `standin demo` first.\n\n\
    Exit codes: 0 passed, 1 failed or inconclusive, 2 bad input, 3 could not, 4 interrupted.")]
struct CliArgs {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// The configuration; `standin.toml` of this folder without it
    #[arg(long, global = true, display_order = 100, value_name = "FILE", env = "STANDIN_CONFIG")]
    config: Option<PathBuf>,
    /// A folder of vendors, beside the bundled ones or in their place
    #[arg(long, global = true, display_order = 101, value_name = "DIR", env = "STANDIN_TEMPLATES")]
    templates: Option<PathBuf>,
    /// The port on which files that links point to can be fetched meanwhile; links name it
    #[arg(long, global = true, display_order = 102, value_name = "PORT", env = "STANDIN_FILES_PORT",
          value_parser = clap::value_parser!(u16).range(1..))]
    files_port: Option<u16>,
}

impl Global {
    /// What was given, as words of a command line.
    fn words(&self) -> Vec<String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let given = [
            ("--config", path(&self.config)),
            ("--templates", path(&self.templates)),
            ("--files-port", self.files_port.map(|port| port.to_string())),
        ];
        let given = given.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        given.flatten().collect()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays a conversation for you to watch: the vendor, and a receiver that verifies
    Demo(demo::DemoArgs),
    /// Plays scenarios, sends their webhooks, and judges the receiver
    Run(run::RunArgs),
    /// Sends one webhook, as if all that leads to it had happened
    Send(send::SendArgs),
    /// Receives webhooks: verifies them, answers handshakes, shows what came and why it is right
    Listen(listen::ListenArgs),
    /// Checks scenarios, vendor folders and configuration: every problem, drawn on its source
    Check(check::CheckArgs),
    /// Shows what can be sent: by all vendors, by one, or of one type
    Vendors(vendors::VendorsArgs),
    /// Writes a commented scenario that passes, and its schema, for you to go on from
    Init(init::InitArgs),
    /// Prints the JSON Schema of a file, for editors
    Schema(schema::SchemaArgs),
    /// Prints the fixed test credentials that a receiver must be given
    Secrets(secrets::SecretsArgs),
    /// Shows what is kept of runs, and sends it again
    Journal(journal::JournalCommandArgs),
    /// Prints the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Writes the manual's pages, one for each command
    Man(man::ManArgs),
}

/// Carries out the command line of this process.
pub fn main() -> ExitCode {
    if cfg!(debug_assertions)
        && let Ok(point) = std::env::var("STANDIN_CRASH_AT")
    {
        fail_points::arm(&point);
    }
    let cli = CliArgs::parse();
    let exit = match cli.command {
        Command::Demo(args) => demo::demo(&args, &cli.global),
        Command::Run(args) => run::run(&args, &cli.global),
        Command::Send(args) => send::send(&args, &cli.global),
        Command::Journal(args) => journal::journal(&args, &cli.global),
        Command::Listen(args) => listen::listen(&args, &cli.global),
        Command::Check(args) => check::check(&args, &cli.global),
        Command::Vendors(args) => vendors::vendors(&args, &cli.global),
        Command::Init(args) => init::init(&args, &cli.global),
        Command::Schema(args) => schema::schema(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
        Command::Secrets(args) => secrets::secrets(&args, &cli.global),
    };
    exit.unwrap_or_else(tell).into()
}

/// Prints data to standard output. A reader that has gone away is no failure of ours.
fn print(data: impl Display) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match write!(out, "{data}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints a line to standard error. Where that fails, there is nobody left to tell.
fn note(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Tells why a command could not be carried out.
fn tell(failure: CommandError) -> ExitStatus {
    match failure {
        CommandError::Input(problems) => {
            note(render(problems));
            ExitStatus::BadInput
        }
        CommandError::World(error) => {
            note(format_args!("could not: {}", escape(&format!("{error:#}"))));
            ExitStatus::CouldNot
        }
    }
}
