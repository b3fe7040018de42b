//! What a script does next, for those who watch it and for calls that arrive early.

use serde_json::Map;

use super::call_expectation::CallExpectation;
use super::expectation::{Expectation, ExpectationPlan};
use super::script::{Script, Step, StepPlan};
use super::script_state::{ScriptState, Stage, StepRendering};
use super::text::{ScriptValues, TextContext};
use super::upcoming_step::UpcomingStep;
use crate::conversation::{ActionKind, Conversation};
use crate::platform::Platform;

impl Script {
    /// Returns whether a call opens the first conversation of the script at a vendor.
    pub fn is_opened_by_call(&self, vendor: &Platform) -> bool {
        let first = self.steps.first().map_or(0, |step| step.conversation);
        let step = opening_step(&self.steps, first, vendor);
        step.is_some_and(|step| matches!(step.plan_at(&vendor.id), StepPlan::Expect(_)))
    }
}

/// Returns the first of these steps that opens a conversation at a vendor, or waits for a call that does.
fn opening_step<'a>(steps: &'a [Step], conversation: usize, vendor: &Platform) -> Option<&'a Step> {
    let is_here = |step: &&Step| step.conversation == conversation;
    let mut steps = steps.iter().filter(is_here).filter(|s| s.skip_reason(&vendor.id).is_none());
    steps.find(|step| match step.plan_at(&vendor.id) {
        StepPlan::Act(plan) => matches!(plan.action.kind, ActionKind::Open { .. }),
        StepPlan::Expect(ExpectationPlan::Call(plan)) => plan.opens(vendor),
        StepPlan::Expect(ExpectationPlan::Request(_)) => false,
    })
}

impl ScriptState {
    /// Returns what comes next, as it would be in the present state; `None` at the end.
    pub fn upcoming(&self, conversation: &Conversation) -> Option<UpcomingStep> {
        // The stages in which the script waits for a run time.
        let is_timed = matches!(self.stage, Stage::Begin | Stage::Perform(_) | Stage::Expect(_));
        let due = is_timed.then_some(self.now);
        let next = self.describe_next(conversation)?;
        Some(UpcomingStep { due, ..next })
    }

    fn describe_next(&self, conversation: &Conversation) -> Option<UpcomingStep> {
        match &self.stage {
            Stage::Between => {
                let next = self.script.steps.get(self.next_step)?;
                Some(self.describe(next, conversation))
            }
            Stage::Perform(pending) => {
                let step = self.current_step();
                Some(UpcomingStep::of(step, Some(&pending.action), conversation))
            }
            _ => Some(self.describe(self.current_step(), conversation)),
        }
    }

    fn describe(&self, step: &Step, conversation: &Conversation) -> UpcomingStep {
        let rendered = match self.render(step, conversation) {
            Ok(StepRendering::Ready(rendered)) => Some(rendered.action),
            _ => None,
        };
        UpcomingStep::of(step, rendered.as_ref(), conversation)
    }

    /// Returns the call that the current or next step waits for, before the wait has begun.
    pub fn upcoming_call(&self, conversation: &Conversation) -> Option<CallExpectation> {
        if matches!(self.stage, Stage::AllResponses) {
            return self.render_call(self.current_step(), conversation);
        }
        self.opening(conversation)
    }

    /// Returns the call with which the receiver has to open the conversation, if the script expects that.
    pub fn opening(&self, conversation: &Conversation) -> Option<CallExpectation> {
        if conversation.state.is_some() || self.is_unopened {
            return None;
        }
        let next = if matches!(self.stage, Stage::Between) { self.next_step } else { self.current };
        let steps = self.script.steps.get(next..)?;
        let step = opening_step(steps, self.conversation, &self.account.platform)?;
        self.render_call(step, conversation)
    }

    /// Renders the call that a step waits for; `None` if it waits for none, or does not happen.
    fn render_call(&self, step: &Step, conversation: &Conversation) -> Option<CallExpectation> {
        let vendor = &self.account.platform;
        let StepPlan::Expect(plan) = step.plan_at(&vendor.id) else { return None };
        let no_values = Map::new();
        let captured = self.captured.as_ref().map_or(&no_values, |captured| captured.values());
        let values = ScriptValues { variables: &self.script.variables, captured };
        if plan.unsupported(vendor).is_some() {
            return None;
        }
        let context = || TextContext::new(conversation, &self.seeds, values, step.round);
        if let Some(when) = &step.when
            && when.unmet(values, &context()).ok()?.is_some()
        {
            return None;
        }
        let context = context();
        match plan.render(step.number, step.round, &context, self.now) {
            Ok(Expectation::Call(expectation)) => Some(expectation),
            _ => None,
        }
    }
}
