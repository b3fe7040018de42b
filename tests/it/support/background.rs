//! A command in the background: its output can be read while it runs, and it is killed when dropped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

/// A command in the background.
pub(crate) struct Background {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

/// The exit code and the unread output of a command.
pub(crate) struct ExitedCommand {
    /// The exit code; `None` if a signal killed it.
    pub(crate) code: Option<i32>,
    /// The rest of standard output.
    pub(crate) stdout: String,
    /// The rest of standard error.
    pub(crate) stderr: String,
}

impl Background {
    /// Starts the binary in this folder.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_standin")).args(arguments), folder)
    }

    /// Starts the binary in this folder, through a shell script that gets the command as `$0` and `$@`.
    pub(crate) fn start_through(folder: &Path, script: &str, arguments: &[&str]) -> Self {
        let binary = env!("CARGO_BIN_EXE_standin");
        Self::spawn(Command::new("sh").args(["-c", script, binary]).args(arguments), folder)
    }

    fn spawn(command: &mut Command, folder: &Path) -> Self {
        let mut child = command
            .current_dir(folder)
            .env_clear()
            .env("XDG_DATA_HOME", super::DATA_HOME)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Reads standard error up to the line that contains a text.
    pub(crate) fn read_stderr_until(&mut self, part: &str) -> String {
        let mut told = String::new();
        loop {
            let from = told.len();
            assert_ne!(self.stderr.read_line(&mut told).unwrap(), 0, "no `{part}` in\n{told}");
            if told[from..].contains(part) {
                return told;
            }
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGINT, like Ctrl-C.
    #[cfg(unix)]
    pub(crate) fn interrupt(self) -> ExitedCommand {
        self.signal("-INT")
    }

    /// Sends SIGTERM, like CI systems and containers.
    #[cfg(unix)]
    pub(crate) fn terminate(self) -> ExitedCommand {
        self.signal("-TERM")
    }

    #[cfg(unix)]
    fn signal(self, signal: &str) -> ExitedCommand {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.end()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) -> ExitedCommand {
        self.child.kill().unwrap();
        self.end()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(self) -> ExitedCommand {
        self.end()
    }

    fn end(mut self) -> ExitedCommand {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        ExitedCommand { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
