//! A conversation as it is played: which act comes next, when, and what the vendor makes of it.
//!
//! Pure: nobody waits here and nothing is sent. Whoever plays asks for one scene after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::dry_check::unplayable;
use super::script::{ConversationSeed, ReadMarks, Script, SharedStaff, Step};
use crate::conversation::{Action, Conversation};
use crate::fault::Faults;
use crate::platform::{Account, ActionResult, Session, Subscription};

/// A conversation on its way: an iterator over its scenes.
pub struct ScriptState<'a> {
    play: ConversationSeed,
    steps: std::slice::Iter<'a, Step>,
    last_only: Option<usize>,
    account: Arc<Account>,
    subscription: &'a Subscription,
    session: Session,
    now: Timestamp,
    step: usize,
    label: &'a str,
    faults: Faults,
    read_marks: ReadMarks,
    /// What follows by itself. It is there all the time and seldom holds anything.
    pending: VecDeque<Box<PendingAction>>,
}

/// One thing that happens, or does not.
#[derive(Debug)]
pub struct StepOutput {
    /// The step that it belongs to.
    pub step: usize,
    /// When, in run time.
    pub at: Timestamp,
    /// What is wrong on purpose with what is sent for it.
    pub faults: Faults,
    /// What.
    pub outcome: StepOutcome,
}

/// What becomes of an act.
#[derive(Debug)]
pub enum StepOutcome {
    /// It happens.
    Done {
        /// The act.
        action: Action,
        /// Whether it follows from another by itself.
        implied: bool,
        /// What it causes.
        happened: Box<ActionResult>,
    },
    /// It is left out, as the vendor or the file wants it.
    Skipped {
        /// The act's word.
        action: &'static str,
        /// Why.
        reason: String,
    },
    /// It could not be made into payloads, which no run passes with.
    Dropped {
        /// The act's word.
        action: &'static str,
        /// Why.
        reason: String,
    },
}

/// An act that is due, with the name of its values.
struct PendingAction {
    action: Action,
    label: String,
    delay: SignedDuration,
    implied: bool,
}

impl<'a> ScriptState<'a> {
    /// The conversation of this number, at an account, with an endpoint's subscription.
    pub fn new(
        script: &'a Script,
        account: &Arc<Account>,
        subscription: &'a Subscription,
        (staff, number): (&SharedStaff, u32),
    ) -> Self {
        let play = script.play(account, staff, number);
        let seeds = play.ids().clone();
        let session = Session::new(Arc::clone(account), number, play.cast.clone(), seeds);
        Self {
            play,
            steps: script.steps.iter(),
            last_only: script.only_last.then_some(script.steps.len()),
            account: Arc::clone(account),
            subscription,
            session,
            now: staff.start,
            step: 0,
            label: "",
            faults: Faults::default(),
            read_marks: ReadMarks::default(),
            pending: VecDeque::new(),
        }
    }

    /// The conversation as it stands.
    pub fn conversation(&self) -> &Conversation {
        self.session.conversation()
    }

    fn begin(&mut self, step: &'a Step) -> StepOutput {
        (self.step, self.label) = (step.number, &step.label);
        self.faults.clone_from(&step.faults);
        self.read_marks.begin(step, self.conversation().messages.len());
        let played = match self.play.step(step, (self.session.conversation(), &self.read_marks)) {
            Ok(played) => played,
            Err(error) => return self.dropped(step.word(), error.to_string()),
        };
        self.wait(played.after);
        let action = match played.action {
            Ok(action) => action,
            Err(reason) => return self.skipped(step.word(), reason),
        };
        if let Some(reason) = unplayable(&self.account, &action, self.conversation()) {
            return self.skipped(action.word(), reason);
        }
        if let Action::Assign { accept: Some(after), .. } = &action
            && !self.conversation().rules.offers
        {
            self.wait(*after);
        }
        let before = self.conversation().implied_before(&action);
        let asked = PendingAction::new(action, step.label.clone(), false);
        let Some(before) = before else { return self.perform(asked) };
        self.pending.push_back(Box::new(asked));
        self.perform(PendingAction::new(before, format!("{} before", step.label), true))
    }

    fn perform(&mut self, pending: PendingAction) -> StepOutput {
        let PendingAction { action, label, delay, implied } = pending;
        self.wait(delay);
        self.wait(self.play.gap(&label));
        let happened = match self.session.act(&action, self.now, &label, self.subscription) {
            Ok(happened) => Box::new(happened),
            Err(error) => return self.dropped(action.word(), error.to_string()),
        };
        if let Some((delay, next)) = self.conversation().implied_after(&action) {
            let label = format!("{} then {}", self.label, next.word());
            let delay = delay.unwrap_or_default();
            self.pending.push_back(Box::new(PendingAction {
                delay,
                ..PendingAction::new(next, label, true)
            }));
        }
        self.output(StepOutcome::Done { action, implied, happened })
    }

    /// Whether a scene is among those that the script wants told.
    fn is_told(&self, output: &StepOutput) -> bool {
        match output.outcome {
            StepOutcome::Done { implied, .. } => {
                self.last_only.is_none_or(|last| output.step == last && !implied)
            }
            StepOutcome::Skipped { .. } | StepOutcome::Dropped { .. } => true,
        }
    }

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
            let output = match self.pending.pop_front() {
                Some(pending) => self.perform(*pending),
                None => {
                    let step = self.steps.next()?;
                    self.begin(step)
                }
            };
            if self.is_told(&output) {
                return Some(output);
            }
        }
    }
}
