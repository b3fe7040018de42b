//! The command line: one file per command.
//!
//! Arguments, environment variables and files are read here and nowhere else. Data goes to
//! standard output, messages go to standard error.

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

/// Exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// The command succeeded and every run passed.
    Passed = 0,
    /// A run failed or was inconclusive.
    Failed = 1,
    /// Arguments, configuration, a scenario or a vendor folder are invalid. Nothing was sent.
    // clap also exits with 2 when it rejects an argument.
    InvalidInput = 2,
    /// standin could not work: no receiver, a port in use, a full disk, a damaged journal.
    CannotWork = 3,
    /// Ctrl-C or SIGTERM ended the command.
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

/// Error that ends a command.
#[derive(Debug)]
enum CommandError {
    /// Invalid input, reported with its place in the file: exit code 2.
    Input(Problems),
    /// Failure of the environment, such as the network or the disk: exit code 3.
    Environment(anyhow::Error),
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
        Self::Environment(error)
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::Environment(error.into())
    }
}

/// Stand-in for chat vendors: plays scripted conversations, sends the webhooks that the vendor
/// would send, and checks how the receiver responds.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Try `standin demo` first.\n\n\
    Exit codes: 0 passed, 1 failed or inconclusive, 2 invalid input, 3 standin could not work, \
    4 interrupted.")]
struct CliArgs {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command accepts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Configuration file [default: standin.toml in the working folder, if there is one]
    #[arg(long, global = true, display_order = 100, value_name = "FILE", env = "STANDIN_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of vendor folders; they extend or replace the bundled vendors
    #[arg(long, global = true, display_order = 101, value_name = "DIR", env = "STANDIN_TEMPLATES")]
    templates: Option<PathBuf>,
    /// Port that serves the sample attachments; it appears in attachment URLs [default: 4999]
    #[arg(long, global = true, display_order = 102, value_name = "PORT", env = "STANDIN_FILES_PORT",
          value_parser = clap::value_parser!(u16).range(1..))]
    files_port: Option<u16>,
}

impl Global {
    /// Returns the options that are set as command-line arguments.
    fn to_args(&self) -> Vec<String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let options = [
            ("--config", path(&self.config)),
            ("--templates", path(&self.templates)),
            ("--files-port", self.files_port.map(|port| port.to_string())),
        ];
        let set = options.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        set.flatten().collect()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a sample conversation against the bundled receiver and show both sides
    Demo(demo::DemoArgs),
    /// Run scenarios: send their webhooks and check how the receiver responds
    Run(run::RunArgs),
    /// Send one webhook; the events that must precede it are simulated but not sent
    Send(send::SendArgs),
    /// Start a receiver that verifies webhooks, responds to handshakes and prints each request
    Listen(listen::ListenArgs),
    /// Check scenarios, vendor folders and configuration; report every problem with its source line
    Check(check::CheckArgs),
    /// List vendors, the event types of a vendor, or a sample webhook of one event type
    Vendors(vendors::VendorsArgs),
    /// Write a commented scenario to start from, and its JSON Schema
    Init(init::InitArgs),
    /// Print the JSON Schema of a file format, for editors
    Schema(schema::SchemaArgs),
    /// Print the test credentials for your receiver and how to verify requests with them
    Secrets(secrets::SecretsArgs),
    /// List, show, export, check and redeliver the runs recorded in a journal
    Journal(journal::JournalCommandArgs),
    /// Print the completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Write the man pages, one per command
    Man(man::ManArgs),
}

/// Parses the command line, runs the command and returns the exit code.
pub fn main() -> ExitCode {
    // For crash tests. Only debug builds crash on purpose: a release must ignore the variable.
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
    exit.unwrap_or_else(report_error).into()
}

/// Prints data to standard output.
fn print(data: impl Display) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match write!(out, "{data}").and_then(|()| out.flush()) {
        // The reader closed the pipe, as `standin vendors | head` does. That is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints a line to standard error.
fn note(line: impl Display) {
    // If standard error is closed, there is no place left to report the failure.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints the error that ended a command and returns the exit status for it.
fn report_error(error: CommandError) -> ExitStatus {
    match error {
        CommandError::Input(problems) => {
            note(render(problems));
            ExitStatus::InvalidInput
        }
        CommandError::Environment(error) => {
            // Escaped, since the text may quote a response of the receiver.
            note(format_args!("error: {}", escape(&format!("{error:#}"))));
            ExitStatus::CannotWork
        }
    }
}
