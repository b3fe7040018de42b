//! Runs one conversation of a script: the next action, its time, and the payloads it causes.
//!
//! This is pure computation. The caller waits until an output is due and sends its payloads.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::dry_check::unsupported;
use super::script::{ConversationSeed, ReadMarks, Script, SharedStaff, Step};
use crate::conversation::{Action, Conversation};
use crate::fault::Faults;
use crate::platform::{Account, ActionResult, LostField, Session, Subscription};

/// Execution of one conversation of a script. Iterates over its outputs.
pub struct ScriptState<'a> {
    seed: ConversationSeed,
    steps: std::slice::Iter<'a, Step>,
    /// Number of the only step to report; all steps if `None`.
    only_step: Option<usize>,
    account: Arc<Account>,
    subscriptions: &'a [Subscription],
    session: Session,
    /// Run time of the current action.
    now: Timestamp,
    step: usize,
    label: &'a str,
    faults: Faults,
    read_marks: ReadMarks,
    /// Implied actions that are due before the next step.
    // Boxed to save memory: thousands of conversations wait at once, mostly with an empty queue.
    pending: VecDeque<Box<PendingAction>>,
    /// Parts of the last action that the vendor does not send.
    lost: VecDeque<StepOutput>,
}

/// One executed, skipped or dropped action.
#[derive(Debug)]
pub struct StepOutput {
    /// Number of its step in the file, from 1.
    pub step: usize,
    /// Run time of the action.
    pub at: Timestamp,
    /// Faults of its deliveries.
    pub faults: Faults,
    /// Outcome of the action.
    pub outcome: StepOutcome,
}

/// Outcome of an action.
#[derive(Debug)]
pub enum StepOutcome {
    /// The action was executed.
    Done {
        /// The action.
        action: Action,
        /// Whether the action is implied by that of a step.
        implied: bool,
        /// Event and payloads that the action causes.
        result: Box<ActionResult>,
    },
    /// The vendor does not support the action, or the file skips the step.
    Skipped {
        /// Key of the action, such as `say`.
        action: &'static str,
        /// Reason for the report.
        reason: String,
    },
    /// No payload could be created for the action. The run fails.
    Dropped {
        /// Key of the action, such as `say`.
        action: &'static str,
        /// Reason for the report.
        reason: String,
    },
}

/// An action to execute.
struct PendingAction {
    action: Action,
    /// Name of the seed scope of its values.
    label: String,
    /// Time since the previous action.
    delay: SignedDuration,
    implied: bool,
}

impl<'a> ScriptState<'a> {
    /// Starts conversation `number`, from 1, at an account, for endpoints with these
    /// subscriptions.
    pub fn new(
        script: &'a Script,
        account: &Arc<Account>,
        subscriptions: &'a [Subscription],
        staff: &SharedStaff,
        number: u32,
    ) -> Self {
        let seed = script.seed_conversation(account, staff, number);
        let ids = seed.ids().clone();
        let session = Session::new(Arc::clone(account), number, seed.cast.clone(), ids);
        Self {
            seed,
            steps: script.steps.iter(),
            only_step: script.only_last.then_some(script.steps.len()),
            account: Arc::clone(account),
            subscriptions,
            session,
            now: staff.start,
            step: 0,
            label: "",
            faults: Faults::default(),
            read_marks: ReadMarks::default(),
            pending: VecDeque::new(),
            lost: VecDeque::new(),
        }
    }

    /// Returns the current state of the conversation.
    pub fn conversation(&self) -> &Conversation {
        self.session.conversation()
    }

    fn begin(&mut self, step: &'a Step) -> StepOutput {
        (self.step, self.label) = (step.number, &step.label);
        self.faults.clone_from(&step.faults);
        self.read_marks.begin(step, self.conversation().messages.len());
        let rendered = self.seed.render_step(step, self.session.conversation(), &self.read_marks);
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(error) => return self.dropped(step.action_key(), error.to_string()),
        };
        // A skipped step takes its time too, so that the pace is the same at every vendor.
        self.wait(rendered.after);
        let action = match rendered.action {
            Ok(action) => action,
            Err(reason) => return self.skipped(step.action_key(), reason),
        };
        if let Some(reason) = unsupported(&self.account, &action, self.conversation()) {
            return self.skipped(action.as_str(), reason);
        }
        // A vendor without offers reports the assignment only, at the time of its acceptance.
        if let Action::Assign { accept: Some(after), .. } = &action
            && !self.conversation().rules.offers
        {
            self.wait(*after);
        }
        let before = self.conversation().implied_before(&action);
        let requested = PendingAction::new(action, step.label.clone(), false);
        let Some(before) = before else { return self.perform(requested) };
        self.pending.push_back(Box::new(requested));
        self.perform(PendingAction::new(before, format!("{} before", step.label), true))
    }

    fn perform(&mut self, pending: PendingAction) -> StepOutput {
        let PendingAction { action, label, delay, implied } = pending;
        self.wait(delay);
        self.wait(self.seed.gap(&label));
        let result = match self.session.execute(&action, self.now, &label, self.subscriptions) {
            Ok(result) => Box::new(result),
            Err(error) => return self.dropped(action.as_str(), error.to_string()),
        };
        for LostField { part, reason } in self.session.take_lost() {
            let lost = self.skipped(part, reason);
            self.lost.push_back(lost);
        }
        if let Some((delay, next)) = self.conversation().implied_after(&action) {
            let label = format!("{} then {}", self.label, next.as_str());
            let delay = delay.unwrap_or_default();
            self.pending.push_back(Box::new(PendingAction {
                delay,
                ..PendingAction::new(next, label, true)
            }));
        }
        self.output(StepOutcome::Done { action, implied, result })
    }

    /// Returns whether the script reports this output.
    fn is_reported(&self, output: &StepOutput) -> bool {
        match output.outcome {
            StepOutcome::Done { implied, .. } => {
                self.only_step.is_none_or(|only| output.step == only && !implied)
            }
            // Always reported: the last step may be impossible without the one that failed.
            StepOutcome::Skipped { .. } | StepOutcome::Dropped { .. } => true,
        }
    }

    /// Advances the run time.
    fn wait(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).unwrap_or(Timestamp::MAX);
    }

    fn skipped(&self, action: &'static str, reason: String) -> StepOutput {
        self.output(StepOutcome::Skipped { action, reason })
    }

    fn dropped(&self, action: &'static str, reason: String) -> StepOutput {
        self.output(StepOutcome::Dropped { action, reason })
    }

    fn output(&self, outcome: StepOutcome) -> StepOutput {
        StepOutput { step: self.step, at: self.now, faults: self.faults.clone(), outcome }
    }
}

impl PendingAction {
    fn new(action: Action, label: String, implied: bool) -> Self {
        Self { action, label, delay: SignedDuration::ZERO, implied }
    }
}

impl Iterator for ScriptState<'_> {
    type Item = StepOutput;

    fn next(&mut self) -> Option<StepOutput> {
        loop {
            // A loss follows the action that it is about, and is reported with it.
            if let Some(lost) = self.lost.pop_front() {
                if self.only_step.is_none_or(|only| lost.step == only) {
                    return Some(lost);
                }
                continue;
            }
            let output = match self.pending.pop_front() {
                Some(pending) => self.perform(*pending),
                None => {
                    let step = self.steps.next()?;
                    self.begin(step)
                }
            };
            if self.is_reported(&output) {
                return Some(output);
            }
        }
    }
}
