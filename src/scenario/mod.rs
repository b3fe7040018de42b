//! Scenarios: reads a scenario file, checks it and turns it into an executable script.
//!
//! The script is checked against the vendors it runs at, with a dry run on the conversation model.
//! A checked script can fail in a run only because of the receiver. The module `run` executes it.

mod actions;
mod assumed_call;
mod attachments;
mod bundled;
mod call_check;
mod call_expectation;
mod call_form;
mod capture;
mod cast;
mod chaos;
mod check;
mod data_schema;
mod declared;
mod delivery_want;
mod dry_check;
mod emitted;
mod expectation;
mod expectation_check;
mod expectation_form;
mod faults;
mod forms;
mod groups;
mod literal;
mod live_steps;
mod matcher_texts;
mod patch;
mod patch_form;
mod plan;
mod reaction;
mod read;
mod repeat;
mod request_expectation;
mod schema;
mod script;
mod script_conversations;
mod script_state;
mod seeds;
mod send;
mod shared;
mod start;
mod text;
mod upcoming_step;
mod variable_inputs;
mod variable_texts;
mod variables;
mod want;
mod when;
mod when_form;

pub use attachments::AttachmentReader;
pub use bundled::{bundled, names as bundled_names, read};
pub use call_expectation::{CallExpectation, ScriptedResponse};
pub use cast::CastMember;
pub use check::check;
pub use expectation::Expectation;
pub use forms::ScenarioForm;
pub use live_steps::{LiveScript, LiveSteps};
pub use patch::{PatchMismatch, PatchPlan, patch_of_arguments};
pub use reaction::ReactionActions;
pub use read::{Attachments, ParsedScenario};
pub use request_expectation::RequestExpectation;
pub use schema::{schema, shared_schema};
pub use script::{Script, ScriptFaults, Step};
pub use script_state::{
    OmittedAction, ScriptAction, ScriptInput, ScriptOutput, ScriptRequest, ScriptState,
};
pub use shared::{IncludeReader, SharedForm, read_shared};
pub use start::{ConversationStart, SharedStaff};
pub use upcoming_step::UpcomingStep;
pub use variable_inputs::{VariableInputs, VariableText};
pub use variables::check_names;
pub use want::{Verification, Want};
