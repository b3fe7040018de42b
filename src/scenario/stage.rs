//! A conversation as it is played: which act comes next, when, and what the vendor makes of it.
//!
//! Pure: nobody waits here and nothing is sent. Whoever plays asks for one scene after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::dry::unplayable;
use super::script::{Company, Heard, Play, Script, Step};
use crate::conversation::{Act, Conversation};
use crate::fault::Faults;
use crate::vendor::{Account, Happened, Session, Subscription};

/// A conversation on its way: an iterator over its scenes.
pub struct Stage<'a> {
    play: Play,
    steps: std::slice::Iter<'a, Step>,
    alone: Option<usize>,
    account: Arc<Account>,
    subscription: &'a Subscription,
    session: Session,
    now: Timestamp,
    step: usize,
    label: &'a str,
    faults: Faults,
    heard: Heard,
    /// What follows by itself. It is there all the time and seldom holds anything.
    cues: VecDeque<Box<Cue>>,
}

/// One thing that happens, or does not.
#[derive(Debug)]
pub struct Scene {
    /// The step that it belongs to.
    pub step: usize,
    /// When, in run time.
    pub at: Timestamp,
    /// What is wrong on purpose with what is sent for it.
    pub faults: Faults,
    /// What.
    pub turn: Turn,
}

/// What becomes of an act.
#[derive(Debug)]
pub enum Turn {
    /// It happens.
    Done {
        /// The act.
        act: Act,
        /// Whether it follows from another by itself.
        implied: bool,
        /// What it causes.
        happened: Box<Happened>,
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
struct Cue {
    act: Act,
    label: String,
    delay: SignedDuration,
    implied: bool,
}

impl<'a> Stage<'a> {
    /// The conversation of this number, at an account, with an endpoint's subscription.
    pub fn new(
        script: &'a Script,
        account: &Arc<Account>,
        subscription: &'a Subscription,
        (company, number): (&Company, u32),
    ) -> Self {
        let play = script.play(account, company, number);
        let draw = play.ids().clone();
        let session = Session::new(Arc::clone(account), number, play.cast.clone(), draw);
        Self {
            play,
            steps: script.steps.iter(),
            alone: script.alone.then_some(script.steps.len()),
            account: Arc::clone(account),
            subscription,
            session,
            now: company.start,
            step: 0,
            label: "",
            faults: Faults::default(),
            heard: Heard::default(),
            cues: VecDeque::new(),
        }
    }

    /// The conversation as it stands.
    pub fn conversation(&self) -> &Conversation {
        self.session.conversation()
    }

    fn begin(&mut self, step: &'a Step) -> Scene {
        (self.step, self.label) = (step.number, &step.label);
        self.faults.clone_from(&step.faults);
        self.heard.begin(step, self.conversation().messages.len());
        let played = match self.play.step(step, (self.session.conversation(), &self.heard)) {
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
        if let Act::Assign { accept: Some(after), .. } = &act
            && !self.conversation().habits.offers
        {
            self.wait(*after);
        }
        let before = self.conversation().implied_before(&act);
        let asked = Cue::new(act, step.label.clone(), false);
        let Some(before) = before else { return self.perform(asked) };
        self.cues.push_back(Box::new(asked));
        self.perform(Cue::new(before, format!("{} before", step.label), true))
    }

    fn perform(&mut self, cue: Cue) -> Scene {
        let Cue { act, label, delay, implied } = cue;
        self.wait(delay);
        self.wait(self.play.gap(&label));
        let happened = match self.session.act(&act, self.now, &label, self.subscription) {
            Ok(happened) => Box::new(happened),
            Err(error) => return self.dropped(act.word(), error.to_string()),
        };
        if let Some((delay, next)) = self.conversation().implied_after(&act) {
            let label = format!("{} then {}", self.label, next.word());
            let delay = delay.unwrap_or_default();
            self.cues.push_back(Box::new(Cue { delay, ..Cue::new(next, label, true) }));
        }
        self.scene(Turn::Done { act, implied, happened })
    }

    /// Whether a scene is among those that the script wants told.
    fn is_told(&self, scene: &Scene) -> bool {
        match scene.turn {
            Turn::Done { implied, .. } => {
                self.alone.is_none_or(|last| scene.step == last && !implied)
            }
            Turn::Skipped { .. } | Turn::Dropped { .. } => true,
        }
    }

    fn wait(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).unwrap_or(Timestamp::MAX);
    }

    fn skipped(&self, act: &'static str, reason: String) -> Scene {
        self.scene(Turn::Skipped { act, reason })
    }

    fn dropped(&self, act: &'static str, reason: String) -> Scene {
        self.scene(Turn::Dropped { act, reason })
    }

    fn scene(&self, turn: Turn) -> Scene {
        Scene { step: self.step, at: self.now, faults: self.faults.clone(), turn }
    }
}

impl Cue {
    fn new(act: Act, label: String, implied: bool) -> Self {
        Self { act, label, delay: SignedDuration::ZERO, implied }
    }
}

impl Iterator for Stage<'_> {
    type Item = Scene;

    fn next(&mut self) -> Option<Scene> {
        loop {
            let scene = match self.cues.pop_front() {
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
