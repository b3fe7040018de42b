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
        act: Action,
        /// Whether it follows from another by itself.
        implied: bool,
        /// What it causes.
        happened: Box<ActionResult>,
    },
    /// It is left out, as the vendor or the file wants it.
    Skipped {
        /// The act's word.
        act: &'static str,
        /// Why.
        reason: String,
    },
    /// It could not be made into payloads, which no run passes with.
    Dropped {
        /// The act's word.
        act: &'static str,
        /// Why.
        reason: String,
    },
}

/// An act that is due, with the name of its values.
struct PendingAction {
    act: Action,
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
        (company, number): (&SharedStaff, u32),
    ) -> Self {
        let play = script.play(account, company, number);
        let draw = play.ids().clone();
        let session = Session::new(Arc::clone(account), number, play.cast.clone(), draw);
        Self {
            play,
            steps: script.steps.iter(),
            last_only: script.only_last.then_some(script.steps.len()),
            account: Arc::clone(account),
            subscription,
            session,
            now: company.start,
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
        let act = match played.act {
            Ok(act) => act,
            Err(reason) => return self.skipped(step.word(), reason),
        };
        if let Some(reason) = unplayable(&self.account, &act, self.conversation()) {
            return self.skipped(act.word(), reason);
        }
        if let Action::Assign { accept: Some(after), .. } = &act
            && !self.conversation().rules.offers
        {
            self.wait(*after);
        }
        let before = self.conversation().implied_before(&act);
        let asked = PendingAction::new(act, step.label.clone(), false);
        let Some(before) = before else { return self.perform(asked) };
        self.pending.push_back(Box::new(asked));
        self.perform(PendingAction::new(before, format!("{} before", step.label), true))
    }

    fn perform(&mut self, cue: PendingAction) -> StepOutput {
        let PendingAction { act, label, delay, implied } = cue;
        self.wait(delay);
        self.wait(self.play.gap(&label));
        let happened = match self.session.act(&act, self.now, &label, self.subscription) {
            Ok(happened) => Box::new(happened),
            Err(error) => return self.dropped(act.word(), error.to_string()),
        };
        if let Some((delay, next)) = self.conversation().implied_after(&act) {
            let label = format!("{} then {}", self.label, next.word());
            let delay = delay.unwrap_or_default();
            self.pending.push_back(Box::new(PendingAction {
                delay,
                ..PendingAction::new(next, label, true)
            }));
        }
        self.scene(StepOutcome::Done { act, implied, happened })
    }

    /// Whether a scene is among those that the script wants told.
    fn is_told(&self, scene: &StepOutput) -> bool {
        match scene.outcome {
            StepOutcome::Done { implied, .. } => {
                self.last_only.is_none_or(|last| scene.step == last && !implied)
            }
            StepOutcome::Skipped { .. } | StepOutcome::Dropped { .. } => true,
        }
    }

    fn wait(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).unwrap_or(Timestamp::MAX);
    }

    fn skipped(&self, act: &'static str, reason: String) -> StepOutput {
        self.scene(StepOutcome::Skipped { act, reason })
    }

    fn dropped(&self, act: &'static str, reason: String) -> StepOutput {
        self.scene(StepOutcome::Dropped { act, reason })
    }

    fn scene(&self, turn: StepOutcome) -> StepOutput {
        StepOutput { step: self.step, at: self.now, faults: self.faults.clone(), outcome: turn }
    }
}

impl PendingAction {
    fn new(act: Action, label: String, implied: bool) -> Self {
        Self { act, label, delay: SignedDuration::ZERO, implied }
    }
}

impl Iterator for ScriptState<'_> {
    type Item = StepOutput;

    fn next(&mut self) -> Option<StepOutput> {
        loop {
            let scene = match self.pending.pop_front() {
                Some(cue) => self.perform(*cue),
                None => {
                    let step = self.steps.next()?;
                    self.begin(step)
                }
            };
            if self.is_told(&scene) {
                return Some(scene);
            }
        }
    }
}
