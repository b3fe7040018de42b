//! The actor of one conversation: its state and its script. Everything that happens in a
//! conversation goes through its actor.
//!
//! The actor has no clock and sends nothing. It returns what happened, and when it is due again.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::base::seed::SeedScope;
use crate::conversation::{Action, Conversation, EventKind, Person};
use crate::fault::Faults;
use crate::platform::{
    Account, ActionResult, LostField, Session, SessionCheckpoint, SessionError, Subscription,
};
use crate::record::{AttemptResult, CallRecord};
use crate::scenario::{
    CallExpectation, ConversationStart, Expectation, OmittedAction, PatchMismatch, ReactionActions,
    Script, ScriptAction, ScriptInput, ScriptRequest, ScriptState, SharedStaff, UpcomingStep,
};

/// One conversation of an account.
pub(super) struct ConversationActor {
    session: Session,
    /// The script; `None` after its end, unless it reacts to calls.
    script: Option<ScriptState>,
    /// Number of the only step to report; all steps if `None`.
    only_step: Option<usize>,
    /// Number of calls of `act`. Their values are generated from it.
    acts: u32,
}

/// What a script waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScriptWait {
    /// A run time.
    Until(Timestamp),
    /// The deliveries of the step of this number, or of all steps.
    Deliveries(Option<usize>),
    /// The result of the expectation that was output last.
    Expectation,
    /// The script is in the conversation of this index.
    Elsewhere(usize),
    /// Nothing: the script has ended.
    Nothing,
}

/// Actions that happen together, while they are performed.
#[derive(Debug)]
pub(super) struct ActUnit {
    label: String,
    performed: u32,
    before: SessionCheckpoint,
}

/// One executed, skipped or dropped action.
#[derive(Debug)]
pub struct StepOutput {
    /// Number of its step in the file, from 1; `None` for an action that is in no script.
    pub step: Option<usize>,
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
        /// Whether the action is implied by another one.
        implied: bool,
        /// Event and payloads that the action causes.
        result: Box<ActionResult>,
    },
    /// The vendor does not support the action or sends a part of it, or the file skips the step.
    Skipped {
        /// Key of the action, such as `say`.
        action: &'static str,
        /// Reason for the report.
        reason: String,
    },
    /// The script requires something of the receiver.
    Expected(Box<Expectation>),
    /// No payload could be created for the action. The run fails.
    Dropped {
        /// Key of the action, such as `say`.
        action: &'static str,
        /// Reason for the report.
        reason: String,
        /// A change of the bodies of the step that matches nothing, if that is the reason.
        mismatch: Option<Box<PatchMismatch>>,
    },
}

impl ConversationActor {
    /// Creates the actor of conversation `number`, from 1, of a script.
    pub(super) fn new(
        script: &Arc<Script>,
        account: &Arc<Account>,
        staff: &SharedStaff,
        number: u32,
    ) -> Self {
        let ConversationStart { cast, ids, state } =
            ConversationStart::new(script, account, staff, number);
        let session = Session::new(Arc::clone(account), number, cast, ids);
        let only_step = script.only_last.then_some(script.steps.len());
        Self { session, script: state, only_step, acts: 0 }
    }

    /// Creates the actor of a conversation without a script. Its ids are generated from `seeds`.
    pub(super) fn without_script(
        account: &Arc<Account>,
        number: u32,
        cast: Vec<Person>,
        seeds: SeedScope,
    ) -> Self {
        let session = Session::new(Arc::clone(account), number, cast, seeds);
        Self { session, script: None, only_step: None, acts: 0 }
    }

    /// Returns the current state of the conversation.
    pub(super) fn conversation(&self) -> &Conversation {
        self.session.conversation()
    }

    /// Returns what its script does next.
    pub(super) fn upcoming(&self) -> Option<UpcomingStep> {
        self.script.as_ref()?.upcoming(self.session.conversation())
    }

    /// Notes the response to a delivery of a step, from which the script may capture values.
    pub(super) fn note_response(&mut self, step: usize, delivery: &str, result: &AttemptResult) {
        if let Some(script) = &mut self.script {
            script.note_response(step, delivery, result);
        }
    }

    /// Whether the script is in this conversation.
    pub(super) fn has_script(&self) -> bool {
        self.script.is_some()
    }

    /// Takes the script, which continues in another conversation.
    pub(super) fn take_script(&mut self) -> Option<ScriptState> {
        self.script.take()
    }

    /// Gets the script, which continues in this conversation.
    pub(super) fn give_script(&mut self, script: ScriptState) {
        self.script = Some(script);
    }

    /// Continues the script with what it waited for. Returns what it waits for next.
    pub(super) fn advance(
        &mut self,
        input: ScriptInput<'_>,
        subscriptions: &[Subscription],
        outputs: &mut Vec<StepOutput>,
    ) -> ScriptWait {
        let Some(script) = self.script.as_mut() else { return ScriptWait::Nothing };
        let mut output = script.step(input, self.session.conversation());
        loop {
            outputs.extend(output.omitted.into_iter().map(StepOutput::omitted));
            let ScriptAction { step, at, faults, label, action, implied } = match output.request {
                ScriptRequest::Act(action) => *action,
                ScriptRequest::WaitUntil(at) => return ScriptWait::Until(at),
                ScriptRequest::Continue(other) => return ScriptWait::Elsewhere(other),
                ScriptRequest::AwaitDeliveries(step) => return ScriptWait::Deliveries(step),
                ScriptRequest::Expect(expectation) => {
                    outputs.push(StepOutput::expected(expectation));
                    return ScriptWait::Expectation;
                }
                ScriptRequest::Done => {
                    // Reactions outlive the steps.
                    self.script.take_if(|script| !script.has_reactions());
                    return ScriptWait::Nothing;
                }
            };
            let mut result = match self.session.execute(&action, at, &label, subscriptions) {
                Ok(mut result) => {
                    script.patch(&mut result.payloads);
                    Box::new(result)
                }
                Err(error) => {
                    let input = ScriptInput::Failed(&action, &error.to_string());
                    output = script.step(input, self.session.conversation());
                    continue;
                }
            };
            output = script.step(ScriptInput::Applied(&action), self.session.conversation());
            let lost = std::mem::take(&mut result.lost);
            let reports_step = self.only_step.is_none_or(|only| step == only);
            if reports_step && (self.only_step.is_none() || !implied) {
                let outcome = StepOutcome::Done { action, implied, result };
                outputs.push(StepOutput { step: Some(step), at, faults, outcome });
            }
            if reports_step {
                let lost = lost.into_iter().map(|lost| StepOutput::lost(lost, Some(step), at));
                outputs.extend(lost);
            }
        }
    }

    /// Performs actions as one unit, with those that they imply: all of them, or none.
    pub(super) fn act(
        &mut self,
        actions: &[Action],
        at: Timestamp,
        subscriptions: &[Subscription],
    ) -> Result<Vec<StepOutput>, SessionError> {
        let (mut unit, mut outputs) = (self.begin_unit(), Vec::new());
        for action in actions {
            match self.perform(&mut unit, action, at, subscriptions) {
                Ok(more) => outputs.extend(more),
                Err(error) => {
                    self.roll_back(unit);
                    return Err(error);
                }
            }
        }
        Ok(outputs)
    }

    /// Begins a unit of actions.
    pub(super) fn begin_unit(&mut self) -> ActUnit {
        self.acts += 1;
        let label = format!("act {}", self.acts);
        ActUnit { label, performed: 0, before: self.session.checkpoint() }
    }

    /// Performs the next action of a unit, with those that it implies. After an error, the unit must
    /// be rolled back.
    pub(super) fn perform(
        &mut self,
        unit: &mut ActUnit,
        action: &Action,
        at: Timestamp,
        subscriptions: &[Subscription],
    ) -> Result<Vec<StepOutput>, SessionError> {
        unit.performed += 1;
        let label = format!("{} {}", unit.label, unit.performed);
        let mut outputs = Vec::new();
        self.act_once(action, at, &label, subscriptions, &mut outputs)?;
        Ok(outputs)
    }

    /// Returns to the state before a unit.
    pub(super) fn roll_back(&mut self, unit: ActUnit) {
        self.session.restore(unit.before);
        // A journal has no trace of it, so that values must not depend on it.
        self.acts -= 1;
    }

    /// Ends a unit that stays. One without actions does not count.
    pub(super) fn end_unit(&mut self, unit: &ActUnit) {
        self.acts -= u32::from(unit.performed == 0);
    }

    /// Adds a person who can act in the conversation.
    pub(super) fn admit(&mut self, person: &Person) {
        self.session.admit(person);
    }

    /// Replaces the visitor of the script by the person whom a call names. Returns the person under the
    /// name of the visitor.
    pub(super) fn adopt_visitor(&mut self, person: &Person) -> Person {
        self.session.adopt_visitor(person)
    }

    /// Gives the conversation to another visitor, also what the earlier one has written.
    pub(super) fn hand_over(&mut self, person: &Person) {
        self.session.hand_over(person);
    }

    /// Returns the call with which the receiver has to open the conversation, if the script expects that.
    pub(super) fn opening(&self) -> Option<CallExpectation> {
        self.script.as_ref()?.opening(self.session.conversation())
    }

    /// Returns the call that the script waits for, before the wait has begun.
    pub(super) fn upcoming_call(&self) -> Option<CallExpectation> {
        self.script.as_ref()?.upcoming_call(self.session.conversation())
    }

    /// Returns whether the script reacts to calls.
    pub(super) fn has_reactions(&self) -> bool {
        self.script.as_ref().is_some_and(ScriptState::has_reactions)
    }

    /// Returns the reactions of the script to a call.
    pub(super) fn react(&self, call: &CallRecord, names: &[String]) -> Vec<ReactionActions> {
        let script = self.script.as_ref();
        let react = |script: &ScriptState| script.react(call, names, self.session.conversation());
        script.map(react).unwrap_or_default()
    }

    fn act_once(
        &mut self,
        action: &Action,
        at: Timestamp,
        label: &str,
        subscriptions: &[Subscription],
        outputs: &mut Vec<StepOutput>,
    ) -> Result<(), SessionError> {
        let before = self.conversation().implied_before(action).map(|before| (before, true));
        let requested = (action.clone(), false);
        let mut actions: VecDeque<_> = before.into_iter().chain([requested]).collect();
        let mut number = 0;
        while let Some((action, implied)) = actions.pop_front() {
            number += 1;
            let label = format!("{label} {number}");
            let mut result = Box::new(self.session.execute(&action, at, &label, subscriptions)?);
            let lost = std::mem::take(&mut result.lost);
            // Nobody waits between the actions of a unit: a delay is ignored.
            let after = self.conversation().implied_after(&action);
            actions.extend(after.map(|(_, action)| (action, true)));
            let outcome = StepOutcome::Done { action, implied, result };
            outputs.push(StepOutput { step: None, at, faults: Faults::default(), outcome });
            outputs.extend(lost.into_iter().map(|lost| StepOutput::lost(lost, None, at)));
        }
        Ok(())
    }
}

impl StepOutput {
    /// Whether a conversation or its survey may have been opened, and has its ids now.
    pub(super) fn opens_dialog(&self) -> bool {
        let StepOutcome::Done { result, .. } = &self.outcome else { return false };
        matches!(result.event.kind, EventKind::ConversationOpened | EventKind::ConversationClosed)
    }

    fn expected(expectation: Box<Expectation>) -> Self {
        let (step, at) = (Some(expectation.step()), expectation.at());
        Self { step, at, faults: Faults::default(), outcome: StepOutcome::Expected(expectation) }
    }

    fn omitted(omitted: OmittedAction) -> Self {
        let OmittedAction { step, at, action, reason, is_dropped, mismatch } = omitted;
        let outcome = if is_dropped {
            StepOutcome::Dropped { action, reason, mismatch }
        } else {
            StepOutcome::Skipped { action, reason }
        };
        Self { step: Some(step), at, faults: Faults::default(), outcome }
    }

    fn lost(lost: LostField, step: Option<usize>, at: Timestamp) -> Self {
        let outcome = StepOutcome::Skipped { action: lost.part, reason: lost.reason };
        Self { step, at, faults: Faults::default(), outcome }
    }
}
