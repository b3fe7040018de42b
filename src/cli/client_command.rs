//! `run --exec`: a program that runs as long as the runs do, usually the receiver or a client of the
//! vendor's API.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::exit::CommandError;
use super::setup::Signals;
use crate::base::text::escape;
use crate::run::FailureSignal;

/// How long the program may take to end by itself.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(5);
/// How often it is checked whether its processes have ended.
#[cfg(unix)]
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Option of the program.
#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    /// Start CMD with a shell before the runs, wait for the receivers as `--wait-ready` does, and stop
    /// CMD after the runs; with `--listen`, variables such as `STANDIN_URL` hold the
    /// addresses
    #[arg(long, value_name = "CMD", conflicts_with_all = ["dry_run", "curl", "shrink"])]
    pub(super) exec: Option<String>,
}

/// A program to start.
#[derive(Clone, Debug)]
pub(super) struct ClientCommand {
    /// Command line for a shell.
    pub(super) line: String,
    /// Environment variables besides those of this process.
    pub(super) variables: Vec<(String, String)>,
}

/// A program that has been started. It is killed when it is dropped.
pub(super) struct RunningClient {
    /// Process group of the program and of what it starts.
    #[cfg(unix)]
    group: Option<Pid>,
    watching: JoinHandle<()>,
    failure: watch::Receiver<Option<String>>,
}

impl RunningClient {
    /// Starts the program.
    pub(super) fn start(client: &ClientCommand) -> Result<Self, CommandError> {
        let mut command = shell(&client.line);
        command.envs(client.variables.iter().cloned());
        command.stdin(Stdio::null());
        // Standard output has the report, which another program may read.
        command.stdout(Stdio::from(io::stderr())).stderr(Stdio::inherit());
        command.kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let child =
            command.spawn().with_context(|| format!("cannot start `{}`", escape(&client.line)))?;
        #[cfg(unix)]
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        let (failed, failure) = watch::channel(None);
        Ok(Self {
            #[cfg(unix)]
            group: group.and_then(Pid::from_raw),
            watching: tokio::spawn(watch_end(child, client.line.clone(), failed)),
            failure,
        })
    }

    /// Returns the signal of a failure: the program has ended with a code other than 0.
    pub(super) fn failure(&self) -> FailureSignal {
        FailureSignal::new(self.failure.clone())
    }

    /// Asks the program and what it has started to end, and kills what has not ended after a while.
    #[cfg(unix)]
    async fn stop(self) {
        let Some(group) = self.group else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let ending = async {
            while test_kill_process_group(group).is_ok() {
                tokio::time::sleep(CHECK_INTERVAL).await;
            }
        };
        // What is left is killed when the program is dropped.
        let _ = tokio::time::timeout(GRACE, ending).await;
    }

    /// Kills the program.
    #[cfg(not(unix))]
    async fn stop(self) {}
}

impl Drop for RunningClient {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.watching.abort();
    }
}

/// Stops the program. A signal kills it at once.
pub(super) async fn stop_client(client: Option<RunningClient>, signals: &mut Signals) {
    let Some(client) = client else { return };
    tokio::select! {
        () = client.stop() => {}
        () = signals.next() => {}
    }
}

/// Waits for the end of the program, and reports a failure.
async fn watch_end(mut child: Child, line: String, failed: watch::Sender<Option<String>>) {
    let how = match child.wait().await {
        Ok(status) if status.success() => None,
        Ok(status) => Some(describe(status)),
        Err(error) => Some(format!("was lost: {error}")),
    };
    if let Some(how) = how {
        let _ = failed.send(Some(format!("the command of --exec, `{}`, {how}", escape(&line))));
    }
    // The end of the sender would be the end of the channel.
    failed.closed().await;
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    format!("ended with code {} before the run", status.code().unwrap_or(-1))
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command
}

#[cfg(not(unix))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", line]);
    command
}
