//! Steering that goes beyond the clock of a run: jumping to a step, playing again, and faults.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout_at};

use super::LiveServer;
use super::error::LiveError;
use super::redelivery::{can_redeliver_with, check_groups};
use super::run::ServedRun;
use super::runs::RunRequest;
use crate::base::limits::MAX_JUMP;
use crate::delivery::{ClockMode, ConversationKey};
use crate::diag::{Problem, Problems, code};
use crate::fault::{FaultKind, Faults};
use crate::platform::Account;
use crate::scenario::UpcomingStep;

/// Time to wait for deliveries or calls that a step needs.
const POLL: Duration = Duration::from_millis(10);

/// How a run is played again.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestartRequest {
    /// Number of the step to begin at, from 1. What comes before it happens without waiting.
    pub step: Option<usize>,
    /// The seed; `None` for the same one.
    pub seed: Option<u64>,
}

/// Returns whether the deliveries of an account can get a fault of this kind while a run is in progress.
pub fn can_turn_on(account: &Account, kind: FaultKind) -> bool {
    [FaultKind::Drop, FaultKind::Duplicate].contains(&kind) || can_redeliver_with(account, kind)
}

impl LiveServer {
    /// Plays a run again: the same scenario, in the version that it had, as a new run. With a step, it
    /// is paused before it.
    ///
    /// # Errors
    /// There is no such run or step, it is a redelivery, or the server cannot start runs now.
    pub async fn restart(
        &self,
        number: u32,
        request: RestartRequest,
    ) -> Result<Arc<ServedRun>, LiveError> {
        let original = self.run(number).await?;
        if original.redelivery_of.is_some() || original.conversations == 0 {
            let message =
                format!("run {number} plays no scenario, so that it cannot be played again");
            return Err(LiveError::conflict(message, "choose the run of a scenario"));
        }
        let steps = original.script.script.steps.len();
        request.step.map_or(Ok(()), |step| check_step(step, steps))?;
        let clock = match (original.clock(), request.step) {
            // Nobody could look at a run that waits for nothing.
            (ClockMode::Virtual, Some(_)) => ClockMode::Real(1.0),
            (clock, _) => clock,
        };
        let run = self
            .start_run(&RunRequest {
                vendor: original.vendor.to_string(),
                source: Arc::clone(&original.source),
                seed: Some(request.seed.unwrap_or(original.script.seed)),
                clock,
                conversations: original.conversations,
                is_paused: request.step.is_some(),
            })
            .await?;
        if let Some(step) = request.step {
            self.advance(&run, step).await?;
        }
        Ok(run)
    }

    /// Pauses a run before a step. What comes before it happens without waiting. Steps that wait for
    /// the receiver take their time; after a maximum, the run stands still where it is.
    ///
    /// # Errors
    /// The scenario has no such step, the run is beyond it, or the journal failed.
    pub async fn jump(&self, run: &ServedRun, step: usize) -> Result<(), LiveError> {
        check_step(step, run.script.script.steps.len())?;
        let first = ConversationKey { run: run.number, number: 1 };
        let next = self.upcoming(run, first).await;
        if run.has_begun() && next.is_none_or(|next| next.step > step) {
            let message = format!("run {} is beyond step {step}", run.number);
            let help = "restart it from this step: `POST /runs/RUN/restart` plays it again";
            return Err(LiveError::conflict(message, help));
        }
        self.pause(run).await?;
        self.advance(run, step).await
    }

    async fn advance(&self, run: &ServedRun, step: usize) -> Result<(), LiveError> {
        let deadline = Instant::now() + MAX_JUMP;
        // Its conversations exist after the handshakes.
        if timeout_at(deadline, run.begun()).await.is_err() {
            return Ok(());
        }
        let first = ConversationKey { run: run.number, number: 1 };
        while Instant::now() < deadline && !run.is_over() {
            let Some(next) = run.emulator.upcoming(first).await else { break };
            if next.step >= step {
                break;
            }
            self.step(run).await?;
            if run.emulator.upcoming(first).await.as_ref() == Some(&next) {
                sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Returns what the script of a conversation does next; `None` at its end.
    pub async fn upcoming(&self, run: &ServedRun, key: ConversationKey) -> Option<UpcomingStep> {
        // The conversations of a cancelled run stay as they are.
        if run.is_over() { None } else { run.emulator.upcoming(key).await }
    }

    /// Returns the present run time of a conversation.
    pub async fn run_time(&self, run: &ServedRun, key: ConversationKey) -> Option<Timestamp> {
        run.emulator.now(key).await
    }

    /// Gives the deliveries of a run these faults from now on; none if it is empty. Before the script
    /// has begun, waits for that.
    ///
    /// # Errors
    /// The run was cancelled, its vendor cannot have a fault, two faults exclude each other, or the
    /// journal failed.
    pub async fn set_faults(&self, run: &ServedRun, faults: Faults) -> Result<(), LiveError> {
        self.readiness()?;
        let vendor = self.vendor(&run.vendor)?;
        let mut problems = Problems::new();
        for fault in &faults.0 {
            if !can_turn_on(&vendor.account(), fault.kind) {
                let message = format!("`{fault}` cannot be turned on for a run at {}", vendor.id());
                problems.push(Problem::anywhere(code::VENDOR_CANNOT, message));
            }
        }
        problems.extend(check_groups(&faults));
        problems.into_result(Some(()))?;
        // The emulator knows the run only after the handshakes.
        run.begun().await;
        if run.redelivery_of.is_some() || run.is_cancelled() {
            let message = "nothing happens any more in this run";
            return Err(LiveError::conflict(message, "start another run"));
        }
        run.emulator.set_faults(run.number, faults.clone());
        run.note_faults(faults);
        self.history.touch();
        if run.is_stored().await { Ok(()) } else { Err(self.not_stored()) }
    }
}

fn check_step(step: usize, steps: usize) -> Result<(), LiveError> {
    if (1..=steps).contains(&step) {
        return Ok(());
    }
    let message = format!("`step` must be from 1 to {steps}, found {step}");
    Err(Problem::anywhere(code::INVALID_TYPE, message).into())
}
