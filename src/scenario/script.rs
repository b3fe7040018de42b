//! A checked scenario, and its actions for one conversation: with times, texts and data.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::call_expectation::CallPattern;
use super::capture::Capture;
use super::cast::CastMember;
use super::expectation::ExpectationPlan;
use super::patch::PatchPlan;
use super::text::TextContext;
use super::want::{Verification, Want};
use super::when::Conditions;
use crate::base::attachment::Attachment;
use crate::base::duration::DurationRange;
use crate::base::secret::{MIN_SECRET, Secret};
use crate::config::StartTime;
use crate::conversation::{Action, ActionKind, Actor, Person, Role, Variable};
use crate::diag::SourceSpan;
use crate::fault::{Chaos, FaultGroup, Faults};
use crate::platform::{Platform, Subscription};
use crate::template::{JsonTemplate, TextTemplate, TooLarge};

/// A checked scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Script {
    /// Title of the scenario. Generated values depend on it.
    pub name: String,
    /// Name of the scenario file.
    pub file: String,
    /// Tags by which commands choose scenarios.
    pub tags: Vec<String>,
    /// People who can act in the steps.
    pub cast: Vec<CastMember>,
    /// Steps in the order in which they run, with repetitions.
    pub steps: Vec<Step>,
    /// Its conversations, at least one.
    pub conversations: Vec<ScriptConversation>,
    /// Whether only the action of the last step is reported and sent.
    ///
    /// The earlier steps only create the state that the last one needs. Implied actions are not
    /// sent.
    pub only_last: bool,
    /// Event types that endpoints subscribe to, by vendor id.
    ///
    /// A vendor that is missing here uses its default subscription.
    pub subscribe: BTreeMap<String, Subscription>,
    /// Faults of deliveries whose step has no faults.
    pub faults: ScriptFaults,
    /// Schedule of the step faults that chaos mode added; `None` if all faults are from the file.
    pub chaos: Option<Chaos>,
    /// Requirements for all deliveries.
    pub verify: Verification,
    /// Values that steps keep from the responses to their deliveries, by step number.
    pub captures: BTreeMap<usize, Arc<[Capture]>>,
    /// What happens whenever a call comes.
    pub(super) reactions: Vec<Reaction>,
    /// Whether a step can wait for the deliveries of earlier ones.
    pub awaits_deliveries: bool,
    /// Vendors that cannot run the script, with the reason. Keys are full ids, such as `acme@2`.
    pub unsupported: BTreeMap<String, String>,
    /// Values of `${vars.NAME}`.
    pub variables: Arc<Map<String, Json>>,
    /// Values of environment variables in them, by name. They may be secrets.
    pub environment: BTreeMap<String, String>,
    /// Seed of the generated values, if the file has one.
    pub seed: Option<u64>,
    /// Run time at which conversations begin, if the file has one.
    pub start: Option<StartTime>,
}

/// One conversation of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptConversation {
    /// Name in the cast of the visitor of the conversation; the first visitor if `None`.
    pub visitor: Option<String>,
}

impl ScriptConversation {
    /// Returns the people in the order of this conversation: its visitor is the first of the visitors.
    pub(super) fn people(&self, mut people: Vec<Person>) -> Vec<Person> {
        let is_own = |person: &Person| self.visitor.as_deref() == Some(&*person.member.name);
        let own = people.iter().position(is_own);
        let first = people.iter().position(|person| person.role() == Role::Visitor);
        if let (Some(own), Some(first)) = (own, first) {
            people.swap(own, first);
        }
        people
    }
}

/// Faults that apply to the deliveries of a whole script.
#[derive(Clone, Debug, Default)]
pub struct ScriptFaults {
    /// Faults of one delivery.
    pub faults: Faults,
    /// Inject the faults into about one of this many deliveries. `None` means every one.
    pub one_in: Option<u64>,
}

/// One step of a script.
#[derive(Clone, Debug)]
pub struct Step {
    /// Number of the step in the file, from 1.
    pub number: usize,
    /// Repetition of the step, from 1.
    pub round: u32,
    /// Index of the conversation in which it happens.
    pub conversation: usize,
    /// Source of the key of the action.
    pub span: SourceSpan,
    /// Source of the table of the step.
    pub(super) table: SourceSpan,
    /// Name of the seed scope of its values, unique in the script.
    pub label: String,
    /// Faults of its deliveries.
    pub faults: Faults,
    /// Requirements for its deliveries. Shared, because a repeated step is copied often.
    pub want: Option<Arc<Want>>,
    /// Conditions under which it happens. Shared for the same reason.
    pub when: Option<Arc<Conditions>>,
    /// Id that other steps refer to.
    pub(super) id: Option<String>,
    pub(super) after: Option<DurationRange>,
    pub(super) only: Option<Vec<String>>,
    /// Changes of its bodies.
    pub(super) patch: Option<Arc<PatchPlan>>,
    pub(super) plan: StepPlan,
    pub(super) overrides: BTreeMap<String, Override>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(super) enum StepPlan {
    /// Somebody acts.
    // Boxed because it is much larger.
    Act(Box<ActionPlan>),
    /// Something is required of the receiver.
    Expect(ExpectationPlan),
}

/// What a script does whenever a call comes.
#[derive(Clone, Debug)]
pub(super) struct Reaction {
    /// The calls.
    pub(super) pattern: CallPattern,
    /// Actions, performed as one unit.
    pub(super) actions: Vec<ActionPlan>,
    pub(super) span: SourceSpan,
    /// The table as it is written.
    pub(super) declared: Json,
}

/// Changes to a step for one vendor.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) skip: Option<String>,
    pub(super) after: Option<DurationRange>,
    pub(super) patch: Option<Arc<PatchPlan>>,
    pub(super) plan: Option<StepPlan>,
}

/// An action whose texts and data have not been rendered yet.
#[derive(Clone, Debug)]
pub(super) struct ActionPlan {
    pub(super) action: Action,
    /// Text of a message or note, or comment of a rating.
    pub(super) text: Option<TextTemplate>,
    /// Data of a message or event, fields of an entity, or variables.
    pub(super) data: Option<JsonTemplate>,
    /// Id of the step whose message is the last one to read.
    pub(super) upto: Option<String>,
    /// File that the message links to.
    pub(super) attachment: Option<Arc<Attachment>>,
}

/// Number of messages in the conversation after each step with an id. Ids are unique in a script, also
/// if it has several conversations.
///
/// Resolves `read = { upto = … }`. Messages that a vendor skips are not counted.
// Boxed to save memory: few scripts have steps with ids, and thousands of conversations wait at once.
#[derive(Debug, Default)]
pub(super) struct ReadMarks(Option<Box<MessageCounts>>);

#[derive(Debug, Default)]
struct MessageCounts {
    by_step: BTreeMap<String, usize>,
    /// Ids of the steps that are running, by conversation. The count of one is known when the next step
    /// of its conversation begins.
    current: BTreeMap<usize, String>,
}

impl ReadMarks {
    /// Records that a step begins when its conversation has this many messages.
    pub(super) fn begin(&mut self, step: &Step, messages: usize) {
        if self.0.is_none() && step.id.is_none() {
            return;
        }
        let counts = self.0.get_or_insert_default();
        let finished = counts.current.remove(&step.conversation);
        counts.current.extend(step.id.clone().map(|id| (step.conversation, id)));
        counts.by_step.extend(finished.map(|id| (id, messages)));
    }

    /// Sets the last message that a `read` action covers.
    pub(super) fn resolve_upto(&self, action: &mut Action, plan: &ActionPlan) {
        if let (ActionKind::Read { upto }, Some(id)) = (&mut action.kind, &plan.upto) {
            *upto = self.0.as_ref().and_then(|counts| counts.by_step.get(id).copied());
        }
    }
}

impl Script {
    /// Returns the number of conversations that one play of the script has.
    pub fn conversation_count(&self) -> u32 {
        u32::try_from(self.conversations.len()).unwrap_or(u32::MAX).max(1)
    }

    /// Returns the values of environment variables in its variables, with their references.
    pub fn environment_secrets(&self) -> impl Iterator<Item = (String, Secret)> {
        // A shorter value cannot be recognized in output.
        let values = self.environment.iter().filter(|(_, value)| value.len() >= MIN_SECRET);
        values.map(|(name, value)| (format!("${{env.{name}}}"), Secret::private(value.clone())))
    }

    /// Returns the place of a step that waits for a call to the API of a vendor, or of a reaction to one.
    pub fn needs_calls(&self, vendor: &Platform) -> Option<&SourceSpan> {
        let mut reactions = self.reactions.iter();
        let reaction = reactions.find(|one| one.pattern.unsupported(vendor).is_none());
        let step = self.expects_call(vendor).map(|step| &step.span);
        step.or(reaction.map(|reaction| &reaction.span))
    }

    /// Returns whether it reacts to calls.
    pub fn has_reactions(&self) -> bool {
        !self.reactions.is_empty()
    }

    /// Returns what the script takes from responses and calls, as it is written.
    pub fn declared_inputs(&self) -> Json {
        let captures = self.captures.iter().map(|(step, captures)| {
            let captures = captures.iter();
            let captures: Vec<Json> = captures
                .map(|capture| json!([capture.name, capture.pointer, capture.example]))
                .collect();
            json!([step, captures])
        });
        let conditions = self
            .steps
            .iter()
            .filter_map(|step| Some(json!([step.number, step.when.as_ref()?.declared])));
        let expectations = self.steps.iter().filter_map(|step| match &step.plan {
            StepPlan::Expect(plan) => Some(json!([step.number, plan.declared()])),
            StepPlan::Act(_) => None,
        });
        let reactions = self.reactions.iter().map(|reaction| reaction.declared.clone());
        captures.chain(conditions).chain(expectations).chain(reactions).collect()
    }

    /// Returns the first step that waits for a call to the API of a vendor.
    pub fn expects_call(&self, vendor: &Platform) -> Option<&Step> {
        self.steps.iter().find(|step| {
            let StepPlan::Expect(ExpectationPlan::Call(plan)) = step.plan_at(&vendor.id) else {
                return false;
            };
            step.skip_reason(&vendor.id).is_none() && plan.unsupported(vendor).is_none()
        })
    }

    /// Returns whether any step or the whole script has a fault of this group.
    pub fn has_faults(&self, group: FaultGroup) -> bool {
        self.all_faults().any(|faults| faults.of(group).is_some())
    }

    /// Returns whether any delivery can have a fault.
    pub fn has_any_fault(&self) -> bool {
        self.all_faults().any(|faults| !faults.is_empty())
    }

    /// Returns whether any step changes its bodies.
    pub fn has_patches(&self) -> bool {
        let has_own = |step: &Step| step.overrides.values().any(|own| own.patch.is_some());
        self.steps.iter().any(|step| step.patch.is_some() || has_own(step))
    }

    fn all_faults(&self) -> impl Iterator<Item = &Faults> {
        self.steps.iter().map(|step| &step.faults).chain([&self.faults.faults])
    }
}

impl StepPlan {
    /// Returns the name of who acts, for labels.
    pub(super) fn actor_name(&self) -> &str {
        match self {
            Self::Act(plan) => plan.actor_name(),
            Self::Expect(_) => "receiver",
        }
    }
}

impl ActionPlan {
    /// Returns the plan of an action without texts or data to render.
    pub(super) fn ready(action: Action) -> Self {
        Self { action, text: None, data: None, upto: None, attachment: None }
    }

    /// Returns the name of the actor for labels.
    pub(super) fn actor_name(&self) -> &str {
        match &self.action.by {
            Actor::Member(name) => name,
            Actor::Assignee => "assignee",
        }
    }

    pub(super) fn render(&self, context: &TextContext<'_>) -> Result<Action, TooLarge> {
        let mut action = self.action.clone();
        let text = self.text.as_ref().map(|text| text.render(context));
        let data = self.data.as_ref().map(|data| data.render(context)).transpose()?;
        let data = data.map(|data| object(&data));
        match &mut action.kind {
            ActionKind::Say { text: old_text, data: old_data, .. } => {
                replace(old_text, text);
                replace(old_data, data);
            }
            ActionKind::Note { text: old } => replace(old, text),
            ActionKind::Rate { comment, .. } => *comment = text.or(comment.take()),
            ActionKind::Create { fields: old, .. }
            | ActionKind::Update { fields: old, .. }
            | ActionKind::Emit { data: old, .. } => replace(old, data),
            ActionKind::Set { variables: old, .. } => {
                let variables = |data: Map<String, Json>| {
                    data.into_iter().map(|(name, value)| Variable::of_step(name, value)).collect()
                };
                replace(old, data.map(variables));
            }
            _ => {}
        }
        Ok(action)
    }
}

/// Replaces a value, if one was rendered.
fn replace<T>(value: &mut T, rendered: Option<T>) {
    if let Some(rendered) = rendered {
        *value = rendered;
    }
}

/// Parses rendered data. It is always an object, because it is compiled from a table.
fn object(json: &str) -> Map<String, Json> {
    serde_json::from_str(json).unwrap_or_default()
}

impl Step {
    /// Returns the key of its action, such as `say`.
    pub fn action_key(&self) -> &'static str {
        match &self.plan {
            StepPlan::Act(plan) => plan.action.kind.as_str(),
            StepPlan::Expect(plan) => plan.key(),
        }
    }

    /// Returns why the file skips the step at a vendor.
    pub fn skip_reason(&self, vendor: &str) -> Option<String> {
        if self.only.as_ref().is_some_and(|only| !only.iter().any(|id| id == vendor)) {
            return Some("the step runs only at other vendors".into());
        }
        self.overrides.get(vendor).and_then(|changes| changes.skip.clone())
    }

    /// Returns the time between the step and the previous one at a vendor.
    pub(super) fn after_at(&self, vendor: &str) -> Option<DurationRange> {
        let changed = self.overrides.get(vendor).and_then(|changes| changes.after);
        changed.or(self.after)
    }

    /// Returns what the step does at a vendor.
    pub(super) fn plan_at(&self, vendor: &str) -> &StepPlan {
        let changed = self.overrides.get(vendor).and_then(|changes| changes.plan.as_ref());
        changed.unwrap_or(&self.plan)
    }

    /// Returns the changes of the bodies of the step at a vendor.
    pub(super) fn patch_at(&self, vendor: &str) -> Option<&Arc<PatchPlan>> {
        let changed = self.overrides.get(vendor).and_then(|changes| changes.patch.as_ref());
        changed.or(self.patch.as_ref())
    }
}
