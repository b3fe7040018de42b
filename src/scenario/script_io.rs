//! Inputs and outputs of a script.

use jiff::Timestamp;

use super::expectation::Expectation;
use super::patch::PatchMismatch;
use crate::conversation::Action;
use crate::fault::Faults;
use crate::record::ExpectationResult;

/// An input of a script.
#[derive(Clone, Copy, Debug)]
pub enum ScriptInput<'a> {
    /// The run time of the last [`ScriptRequest::WaitUntil`] has come; also the first input.
    Due,
    /// The last action was applied.
    Applied(&'a Action),
    /// The last action could not be applied.
    Failed(&'a Action, &'a str),
    /// The deliveries of the last [`ScriptRequest::AwaitDeliveries`] have settled, at this run time.
    Settled(Timestamp),
    /// The last [`ScriptRequest::Expect`] has a result, at this run time.
    Expected(&'a ExpectationResult, Timestamp),
    /// The awaited deliveries or expectation are assumed to have passed: the captured values are the
    /// examples.
    Assumed,
}

/// The output of a script.
#[derive(Debug)]
pub struct ScriptOutput {
    /// Actions of steps that do not happen, in order.
    pub omitted: Vec<OmittedAction>,
    /// What the script needs next.
    pub request: ScriptRequest,
}

/// What a script needs next.
#[derive(Debug)]
pub enum ScriptRequest {
    /// Nothing happens before this run time. The next input is `Due`.
    WaitUntil(Timestamp),
    /// Nothing happens before the deliveries of the step of this number, or of all steps, have
    /// settled. The next input is `Settled` or `Assumed`.
    AwaitDeliveries(Option<usize>),
    /// Require this of the receiver. The next input is `Expected` or `Assumed`.
    Expect(Box<Expectation>),
    /// Apply this action. The next input is its result.
    Act(Box<ScriptAction>),
    /// The next step happens in the conversation of this index. The next input is `Due`.
    Continue(usize),
    /// The script has ended.
    Done,
}

/// An action of a script.
#[derive(Debug)]
pub struct ScriptAction {
    /// Number of its step in the file, from 1.
    pub step: usize,
    /// Run time of the action.
    pub at: Timestamp,
    /// Faults of its deliveries.
    pub faults: Faults,
    /// Name of the seed scope of its values, unique in the conversation.
    pub label: String,
    /// The action.
    pub action: Action,
    /// Whether the action is implied by that of a step.
    pub implied: bool,
}

/// An action that does not happen.
#[derive(Debug)]
pub struct OmittedAction {
    /// Number of its step in the file, from 1.
    pub step: usize,
    /// Run time of the action.
    pub at: Timestamp,
    /// Key of the action, such as `say`.
    pub action: &'static str,
    /// Reason for the report.
    pub reason: String,
    /// True if no payload could be created for the action, so that the run fails. False if the vendor
    /// does not support it, or the file skips the step.
    pub is_dropped: bool,
    /// A change of the bodies of the step that matches nothing.
    pub mismatch: Option<Box<PatchMismatch>>,
}
