//! Runs one conversation of a script: a state machine without I/O.
//!
//! [`ScriptState::step`] takes an input and returns outputs. The caller waits until an action is
//! due, applies it to the conversation, and reports the result. The script therefore sees the state
//! of the conversation at the time of each step, even if others act in it too.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Map;

use super::attachments;
use super::capture::{Capture, CapturedValues};
use super::dry_check::unsupported;
use super::expectation::{Expectation, ExpectationPlan};
use super::patch::{BodyPatch, PatchMismatch};
use super::script::{ReadMarks, Script, Step, StepPlan};
use super::script_io::{OmittedAction, ScriptAction, ScriptInput, ScriptOutput, ScriptRequest};
use super::text::{ScriptValues, TextContext};
use crate::base::duration::DurationRange;
use crate::base::seed::SeedScope;
use crate::conversation::{Action, ActionKind, Conversation};
use crate::platform::{Account, Payload};
use crate::record::AttemptResult;
use crate::template::TooLarge;

/// Time added between two actions.
// People and servers are never instantaneous. The range is small, so that `after` sets the pace.
const GAP: DurationRange =
    DurationRange { low: SignedDuration::from_millis(5), high: SignedDuration::from_millis(40) };

/// Why steps are skipped after a call that should have opened the conversation.
const UNOPENED: &str = "the receiver has not opened the conversation";

/// Execution of one conversation of a script.
pub struct ScriptState {
    pub(super) script: Arc<Script>,
    pub(super) account: Arc<Account>,
    /// Scope of the texts and times of the conversation.
    pub(super) seeds: SeedScope,
    /// Index of the next step.
    pub(super) next_step: usize,
    /// Index of the current step.
    pub(super) current: usize,
    /// Index of the conversation in which the script is.
    pub(super) conversation: usize,
    pub(super) stage: Stage,
    /// Run time of the current action.
    pub(super) now: Timestamp,
    /// Whether the call that should have opened the conversation has not come.
    pub(super) is_unopened: bool,
    pub(super) read_marks: ReadMarks,
    /// Changes of the bodies of the current step.
    patch: Option<Box<BodyPatch>>,
    /// Captured values; `None` if the script captures none.
    pub(super) captured: Option<Box<CapturedValues>>,
    /// Actions of the current step that are due before the next one.
    // Boxed to save memory: thousands of conversations wait at once, mostly with an empty queue.
    pending: VecDeque<Box<PendingAction>>,
}

/// What the state machine waits for.
pub(super) enum Stage {
    /// The run time of the next step or pending action has not been determined yet.
    Between,
    /// The run time at which the current step begins.
    Begin,
    /// The run time of this action.
    Perform(Box<PendingAction>),
    /// The result of the action that was output last.
    Performing {
        /// Whether it is assumed that a call has performed it.
        is_assumed: bool,
    },
    /// The responses to the deliveries of this step. The current step begins after that.
    Responses(usize),
    /// The responses to all deliveries. The current step expects something after that.
    AllResponses,
    /// The time to require this of the receiver has come.
    Expect(Box<Expectation>),
    /// The result of the expectation that was output last.
    Expecting,
}

/// The result of rendering a step.
pub(super) enum StepRendering {
    /// The step happens.
    Ready(Box<RenderedStep>),
    /// The step expects something of the receiver.
    Expects,
    /// The step is skipped, for this reason.
    Skipped(String),
    /// The step uses the captured value of this name, which does not exist.
    Uses(String),
}

/// A step with its texts and data.
pub(super) struct RenderedStep {
    pub(super) action: Action,
    /// Changes of the bodies that the action causes.
    patch: Option<BodyPatch>,
}

/// An action to perform.
pub(super) struct PendingAction {
    pub(super) action: Action,
    /// Name of the seed scope of its values.
    label: String,
    /// Time since the previous action.
    delay: SignedDuration,
    implied: bool,
    /// Whether it is assumed that a call performs it.
    is_assumed: bool,
}

impl ScriptState {
    /// Creates the state at the beginning of a conversation.
    pub(super) fn new(
        script: &Arc<Script>,
        account: &Arc<Account>,
        seeds: SeedScope,
        start: Timestamp,
    ) -> Self {
        Self {
            script: Arc::clone(script),
            account: Arc::clone(account),
            seeds,
            next_step: 0,
            current: 0,
            conversation: 0,
            stage: Stage::Between,
            now: start,
            is_unopened: false,
            read_marks: ReadMarks::default(),
            patch: None,
            captured: script.awaits_deliveries.then(Box::default),
            pending: VecDeque::new(),
        }
    }

    /// Notes the response to a delivery of the step of this number.
    pub fn note_response(&mut self, step: usize, delivery: &str, result: &AttemptResult) {
        if let (Some(captured), Some(captures)) =
            (&mut self.captured, self.script.captures.get(&step))
        {
            captured.note(step, captures, delivery, result);
        }
    }

    /// Processes an input, given the current state of the conversation.
    pub fn step(&mut self, input: ScriptInput<'_>, conversation: &Conversation) -> ScriptOutput {
        let mut omitted = Vec::new();
        match (std::mem::replace(&mut self.stage, Stage::Between), input) {
            (Stage::Begin, _) => self.begin(conversation, &mut omitted),
            (Stage::Responses(step), input) => {
                self.settle(step, input);
                self.begin(conversation, &mut omitted);
            }
            (Stage::Perform(pending), _) => {
                return ScriptOutput { omitted, request: self.perform(*pending) };
            }
            (Stage::AllResponses, input) => {
                self.settle_all(input);
                self.expect(conversation, &mut omitted);
            }
            (Stage::Expecting, input) => self.take(input, conversation),
            (Stage::Performing { .. }, ScriptInput::Applied(action)) => {
                self.imply(action, conversation);
            }
            (Stage::Performing { is_assumed: false }, ScriptInput::Failed(action, reason)) => {
                self.patch = None;
                omitted.push(self.dropped(action.kind.as_str(), reason.to_owned()));
            }
            (Stage::Between | Stage::Performing { .. } | Stage::Expect(_), _) => {}
        }
        while matches!(self.stage, Stage::Between) {
            if self.pending.is_empty() {
                omitted.extend(self.end_patch());
            }
            if let Some(other) = self.other_conversation() {
                self.conversation = other;
                return ScriptOutput { omitted, request: ScriptRequest::Continue(other) };
            }
            if !self.schedule() {
                break;
            }
            // A step without a delay begins at once.
            if matches!(self.stage, Stage::Begin) {
                let after = self.after(self.current_step());
                if after > SignedDuration::ZERO {
                    self.wait(after);
                    break;
                }
                self.begin(conversation, &mut omitted);
            }
        }
        let request = match self.stage {
            Stage::Between => ScriptRequest::Done,
            Stage::Responses(step) => ScriptRequest::AwaitDeliveries(Some(step)),
            Stage::AllResponses => ScriptRequest::AwaitDeliveries(None),
            Stage::Begin | Stage::Perform(_) | Stage::Performing { .. } | Stage::Expecting => {
                ScriptRequest::WaitUntil(self.now)
            }
            Stage::Expect(_) => match std::mem::replace(&mut self.stage, Stage::Expecting) {
                Stage::Expect(expectation) => ScriptRequest::Expect(expectation),
                _ => ScriptRequest::Done,
            },
        };
        ScriptOutput { omitted, request }
    }

    /// Changes the bodies that an action of the current step causes.
    pub fn patch(&mut self, payloads: &mut [Payload]) {
        if let Some(patch) = &mut self.patch {
            patch.apply(payloads);
        }
    }

    /// Ends the changes of the current step. Returns those that match nothing.
    fn end_patch(&mut self) -> Vec<OmittedAction> {
        let Some(patch) = self.patch.take() else { return Vec::new() };
        let action = self.current_step().action_key();
        let omitted = |mismatch: PatchMismatch| OmittedAction {
            mismatch: Some(Box::new(mismatch.clone())),
            ..self.dropped(action, mismatch.to_string())
        };
        patch.mismatches().map(omitted).collect()
    }

    /// Returns the index of the conversation of the next step, if it is another one.
    fn other_conversation(&self) -> Option<usize> {
        let next = self.script.steps.get(self.next_step).filter(|_| self.pending.is_empty())?;
        (next.conversation != self.conversation).then_some(next.conversation)
    }

    /// Determines what comes next: a pending action or a step. Returns false at the end.
    fn schedule(&mut self) -> bool {
        if let Some(pending) = self.pending.pop_front() {
            if self.pending.is_empty() {
                // Its buffer would stay as long as the conversation waits.
                self.pending = VecDeque::new();
            }
            self.wait_for(pending);
        } else if self.next_step < self.script.steps.len() {
            self.current = self.next_step;
            self.next_step += 1;
            self.stage = Stage::Begin;
        } else {
            return false;
        }
        true
    }

    pub(super) fn current_step(&self) -> &Step {
        &self.script.steps[self.current]
    }

    /// Begins the current step: queues its action, or notes why it does not happen. A step that uses
    /// captured values waits until they are determined.
    fn begin(&mut self, conversation: &Conversation, omitted: &mut Vec<OmittedAction>) {
        self.stage = Stage::Between;
        let script = Arc::clone(&self.script);
        let step = &script.steps[self.current];
        self.read_marks.begin(step, conversation.messages.len());
        if let Some(source) = self.undetermined(step) {
            self.stage = Stage::Responses(source);
            return;
        }
        let RenderedStep { action, patch } = match self.render(step, conversation) {
            Ok(StepRendering::Ready(rendered)) => *rendered,
            Ok(StepRendering::Expects) => {
                self.stage = Stage::AllResponses;
                return;
            }
            Ok(StepRendering::Skipped(reason)) => {
                return omitted.push(self.skipped(step.action_key(), reason));
            }
            Ok(StepRendering::Uses(name)) => match self.source_of(&name) {
                Some(source) => {
                    self.stage = Stage::Responses(source);
                    return;
                }
                None => return omitted.push(self.without_capture(step, &name)),
            },
            Err(error) => return omitted.push(self.dropped(step.action_key(), error.to_string())),
        };
        if let Some(reason) = unsupported(&self.account, &action, conversation) {
            return omitted.push(self.skipped(action.kind.as_str(), reason));
        }
        self.patch = patch.map(Box::new);
        if let (Some(captured), Some(captures)) =
            (&mut self.captured, script.captures.get(&step.number))
        {
            captured.begin(step.number, captures);
        }
        self.queue(step, action, conversation);
    }

    /// Queues the action of a step, and the one that it implies before it.
    fn queue(&mut self, step: &Step, action: Action, conversation: &Conversation) {
        // A vendor without offers reports the assignment only, at the time of its acceptance.
        if let ActionKind::Assign { accept: Some(after), .. } = &action.kind
            && !conversation.rules.offers
        {
            self.wait(*after);
        }
        let before = conversation.implied_before(&action);
        let requested = Box::new(PendingAction::new(action, step.label.clone(), false));
        match before {
            Some(before) => {
                self.pending.push_back(requested);
                let label = format!("{} before", step.label);
                self.wait_for(Box::new(PendingAction::new(before, label, true)));
            }
            None => self.wait_for(requested),
        }
    }

    /// Returns a step whose values the conditions of a step are about, or the step itself if an
    /// earlier round of it has not settled.
    fn undetermined(&self, step: &Step) -> Option<usize> {
        let captured = self.captured.as_ref()?;
        let mut conditions = step.when.iter().flat_map(|when| when.captured());
        let of_conditions = conditions.find_map(|name| self.source_of(name));
        of_conditions.or_else(|| captured.is_open(step.number).then_some(step.number))
    }

    /// Returns the first step that captures a value of this name and has not settled.
    fn source_of(&self, name: &str) -> Option<usize> {
        let has_name = |captures: &Arc<[Capture]>| captures.iter().any(|one| one.name == name);
        let is_source = |step| self.script.captures.get(&step).is_some_and(has_name);
        self.captured.as_ref()?.first_open(is_source)
    }

    /// Determines the values of a step.
    fn settle(&mut self, step: usize, input: ScriptInput<'_>) {
        if let ScriptInput::Settled(now) = input {
            self.now = self.now.max(now);
        }
        let (Some(captured), Some(captures)) =
            (&mut self.captured, self.script.captures.get(&step))
        else {
            return;
        };
        match input {
            ScriptInput::Assumed => captured.assume(step, captures),
            _ => captured.settle(step, captures),
        }
    }

    /// Determines the values of all steps whose deliveries have settled.
    fn settle_all(&mut self, input: ScriptInput<'_>) {
        if let ScriptInput::Settled(now) = input {
            self.now = self.now.max(now);
        }
        if let Some(captured) = &mut self.captured {
            captured.settle_all(&self.script.captures, matches!(input, ScriptInput::Assumed));
        }
    }

    /// Renders the expectation of the current step.
    fn expect(&mut self, conversation: &Conversation, omitted: &mut Vec<OmittedAction>) {
        let script = Arc::clone(&self.script);
        let step = &script.steps[self.current];
        let StepPlan::Expect(plan) = step.plan_at(&self.account.platform.id) else { return };
        let no_values = Map::new();
        let captured = self.captured.as_ref().map_or(&no_values, |captured| captured.values());
        let values = ScriptValues { variables: &script.variables, captured };
        let context = TextContext::new(conversation, &self.seeds, values, step.round);
        let rendered = plan.render(step.number, step.round, &context, self.now);
        let missing = context.missing_capture().map(str::to_owned);
        let entity = context.missing_entity().map(str::to_owned);
        match (rendered, missing, entity) {
            (Err(error), ..) => {
                omitted.push(self.dropped(step.action_key(), error.to_string()));
            }
            (_, Some(name), _) => omitted.push(self.without_capture(step, &name)),
            (_, None, Some(name)) => {
                let reason =
                    format!("it uses entity `{name}`, which was not created at this vendor");
                omitted.push(self.skipped(step.action_key(), reason));
            }
            (Ok(expectation), None, None) => self.stage = Stage::Expect(Box::new(expectation)),
        }
    }

    /// Takes the values that the expectation of the current step has captured.
    fn take(&mut self, input: ScriptInput<'_>, conversation: &Conversation) {
        let script = Arc::clone(&self.script);
        let step = &script.steps[self.current];
        let vendor = &self.account.platform;
        let StepPlan::Expect(plan) = step.plan_at(&vendor.id) else { return };
        let Some(captured) = &mut self.captured else { return };
        let ScriptInput::Expected(result, now) = input else {
            captured.assume(step.number, plan.captures());
            if let ExpectationPlan::Call(plan) = plan {
                let actions = plan.assumed_actions(vendor, conversation);
                self.pending.extend(actions.into_iter().enumerate().map(|(number, action)| {
                    let label = format!("{} assumed {number}", step.label);
                    let pending = PendingAction::new(action, label, true);
                    Box::new(PendingAction { is_assumed: true, ..pending })
                }));
            }
            return;
        };
        captured.take(step.number, plan.captures(), &result.captured);
        self.now = self.now.max(now);
        // A call that came and opened nothing, such as one that gets an error, can come again.
        self.is_unopened |= !result.mismatches.is_empty()
            && conversation.state.is_none()
            && matches!(plan, ExpectationPlan::Call(plan) if plan.opens(vendor));
    }

    /// Omits a step that uses a captured value which does not exist.
    fn without_capture(&mut self, step: &Step, name: &str) -> OmittedAction {
        let missing = self.captured.as_mut().map(|captured| captured.why_missing(name));
        let (reason, is_dropped) = missing.unwrap_or_default();
        OmittedAction { is_dropped, ..self.skipped(step.action_key(), reason) }
    }

    /// Renders the action of a step, or returns why the step has none now.
    ///
    /// # Errors
    ///
    /// Fails if the rendered data is too large for a payload.
    pub(super) fn render(
        &self,
        step: &Step,
        conversation: &Conversation,
    ) -> Result<StepRendering, TooLarge> {
        let (vendor, variables) = (&self.account.platform.id, &self.script.variables);
        let no_values = Map::new();
        let captured = self.captured.as_ref().map_or(&no_values, |captured| captured.values());
        let values = ScriptValues { variables, captured };
        let unopened = || self.is_unopened.then(|| UNOPENED.to_owned());
        if let Some(reason) = step.skip_reason(vendor).or_else(unopened) {
            return Ok(StepRendering::Skipped(reason));
        }
        let context = || TextContext::new(conversation, &self.seeds, values, step.round);
        if let Some(when) = &step.when
            && let Some(reason) = when.unmet(values, &context())?
        {
            return Ok(StepRendering::Skipped(reason));
        }
        let context = context();
        let plan = match step.plan_at(vendor) {
            StepPlan::Act(plan) => plan,
            StepPlan::Expect(plan) => {
                let unsupported = plan.unsupported(&self.account.platform);
                return Ok(unsupported.map_or(StepRendering::Expects, StepRendering::Skipped));
            }
        };
        let mut action = plan.render(&context)?;
        if let Some(attachment) = &plan.attachment {
            attachments::fill(&mut action, attachment, &self.account);
        }
        let patch = step.patch_at(vendor).map(|patch| patch.render(&context)).transpose()?;
        self.read_marks.resolve_upto(&mut action, plan);
        // The vendor may have skipped the step that creates the entity. Whether a text uses the
        // entity is known after rendering.
        Ok(match (context.missing_entity(), context.missing_capture()) {
            (Some(name), _) => StepRendering::Skipped(format!(
                "it uses entity `{name}`, which was not created at this vendor"
            )),
            (None, Some(name)) => StepRendering::Uses(name.to_owned()),
            (None, None) => StepRendering::Ready(Box::new(RenderedStep { action, patch })),
        })
    }

    /// Returns the time between an action and the previous one, in addition to `after`.
    fn gap(&self, label: &str) -> SignedDuration {
        GAP.sample(&mut self.seeds.within(label).rng("gap"))
    }

    /// Returns the time between a step and the previous one.
    fn after(&self, step: &Step) -> SignedDuration {
        let after = step.after_at(&self.account.platform.id);
        after.map_or(SignedDuration::ZERO, |after| {
            after.sample(&mut self.seeds.within(&step.label).rng("after"))
        })
    }

    /// Waits for the run time of an action.
    fn wait_for(&mut self, pending: Box<PendingAction>) {
        self.wait(pending.delay);
        self.wait(self.gap(&pending.label));
        self.stage = Stage::Perform(pending);
    }

    fn perform(&mut self, pending: PendingAction) -> ScriptRequest {
        let PendingAction { action, label, implied, is_assumed, .. } = pending;
        self.stage = Stage::Performing { is_assumed };
        let Step { number: step, ref faults, .. } = *self.current_step();
        let faults = faults.clone();
        ScriptRequest::Act(Box::new(ScriptAction {
            step,
            at: self.now,
            faults,
            label,
            action,
            implied,
        }))
    }

    /// Queues the action that follows from one that was applied.
    fn imply(&mut self, action: &Action, conversation: &Conversation) {
        let Some((delay, next)) = conversation.implied_after(action) else { return };
        let label = format!("{} then {}", self.current_step().label, next.kind.as_str());
        let delay = delay.unwrap_or_default();
        self.pending
            .push_back(Box::new(PendingAction { delay, ..PendingAction::new(next, label, true) }));
    }

    /// Advances the run time.
    fn wait(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).unwrap_or(Timestamp::MAX);
    }

    fn skipped(&self, action: &'static str, reason: String) -> OmittedAction {
        let step = self.current_step().number;
        OmittedAction { step, at: self.now, action, reason, is_dropped: false, mismatch: None }
    }

    fn dropped(&self, action: &'static str, reason: String) -> OmittedAction {
        OmittedAction { is_dropped: true, ..self.skipped(action, reason) }
    }
}

impl PendingAction {
    fn new(action: Action, label: String, implied: bool) -> Self {
        Self { action, label, delay: SignedDuration::ZERO, implied, is_assumed: false }
    }
}
