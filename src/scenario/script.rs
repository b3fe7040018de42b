//! A checked scenario, and how it is played: acts with their times, one conversation at a time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use super::cast::CastMember;
use super::text::{ConversationTexts, TextContext};
use crate::base::duration::DurationRange;
use crate::base::fake::LOCALES;
use crate::base::seed::SeedScope;
use crate::conversation::{Action, Actor, Conversation, Person, Role, Variable};
use crate::diag::SourceSpan;
use crate::fault::{Chaos, FaultGroup, Faults};
use crate::platform::{Account, Subscription};
use crate::policy::StatusSet;
use crate::template::{JsonTemplate, TextTemplate, TooLarge};

/// A scenario that has been checked.
#[derive(Clone, Debug)]
pub struct Script {
    /// What happens, in a few words.
    pub name: String,
    /// The file.
    pub file: String,
    /// Who takes part.
    pub cast: Vec<CastMember>,
    /// What happens.
    pub steps: Vec<Step>,
    /// Whether only the last step's own act is told and sent: what comes before makes it possible,
    /// and what follows from it by itself is left out.
    pub only_last: bool,
    /// What an endpoint is sent, by vendor.
    pub subscribe: BTreeMap<String, Subscription>,
    /// What is wrong on purpose with deliveries whose step has no faults.
    pub faults: ScriptFaults,
    /// The faults among those of its steps that were drawn, and not written.
    pub chaos: Option<Chaos>,
    /// Which answers are right, where the file says it.
    pub verify: Option<StatusSet>,
    /// The vendors among those it was checked for that cannot play it, with the revision where that
    /// is not the documentation's, and why.
    pub cannot: BTreeMap<String, String>,
}

/// What is wrong on purpose with deliveries, whatever step they are of.
#[derive(Clone, Debug, Default)]
pub struct ScriptFaults {
    /// What.
    pub faults: Faults,
    /// Only with about one of so many; with every one without this.
    pub one_in: Option<u64>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number, from 1.
    pub number: usize,
    /// In which round it happens, from 1.
    pub round: u32,
    /// Where its act stands.
    pub span: SourceSpan,
    /// Where its table begins.
    pub(super) table: SourceSpan,
    /// The name of its values among those of the conversation.
    pub label: String,
    /// What is wrong on purpose with its deliveries.
    pub faults: Faults,
    /// The name by which others refer to it.
    pub(super) id: Option<String>,
    pub(super) after: Option<DurationRange>,
    pub(super) only: Option<Vec<String>>,
    pub(super) action: ActionPlan,
    pub(super) overrides: BTreeMap<String, Override>,
}

/// What is different at a vendor.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) skip: Option<String>,
    pub(super) after: Option<DurationRange>,
    pub(super) action: Option<ActionPlan>,
}

/// An act whose texts and data are still to be rendered.
#[derive(Clone, Debug)]
pub(super) struct ActionPlan {
    pub(super) action: Action,
    /// The text, or the comment.
    pub(super) text: Option<TextTemplate>,
    /// The data, the fields, or the variables.
    pub(super) data: Option<JsonTemplate>,
    /// The step whose message is the last one that is read.
    pub(super) upto: Option<String>,
}

/// How many messages there were once each step had happened, by its id. What a vendor leaves out
/// is not counted there.
#[derive(Debug, Default)]
pub(super) struct ReadMarks {
    messages: BTreeMap<String, usize>,
    last: Option<String>,
}

impl ReadMarks {
    /// Notes that a step begins, while there are so many messages.
    pub(super) fn begin(&mut self, step: &Step, messages: usize) {
        let last = std::mem::replace(&mut self.last, step.id.clone());
        self.messages.extend(last.map(|id| (id, messages)));
    }

    /// Says how far an act reads.
    pub(super) fn narrow(&self, action: &mut Action, plan: &ActionPlan) {
        if let (Action::Read { upto, .. }, Some(id)) = (action, &plan.upto) {
            *upto = self.messages.get(id).copied();
        }
    }
}

/// A step in time, for one conversation at one vendor.
#[derive(Clone, Debug)]
pub(super) struct TimedStep {
    /// How long after the step before.
    pub(super) after: SignedDuration,
    /// What happens, or why the step is left out.
    pub(super) action: Result<Action, String>,
}

/// The shortest and the longest time between two acts that nothing else keeps apart: people and
/// servers are never instantaneous.
const GAP: DurationRange =
    DurationRange { low: SignedDuration::from_millis(5), high: SignedDuration::from_millis(40) };

/// One conversation of a script at one vendor, ready to be played.
pub(super) struct ConversationSeed {
    vendor: String,
    scopes: SeedScopes,
    story: ConversationTexts,
    /// Everybody who takes part.
    pub(super) cast: Vec<Person>,
}

/// What the conversations of a run share: the staff, who are the same people in all of them, and
/// when they begin.
#[derive(Clone, Debug)]
pub struct SharedStaff {
    run: SeedScope,
    staff: Vec<Person>,
    pub(super) start: Timestamp,
}

impl SharedStaff {
    /// Those who play a script at an account, in a run with these draws.
    pub fn new(script: &Script, account: &Account, run: SeedScope, start: Timestamp) -> Self {
        let scopes = SeedScopes::new(&run, &account.platform.id, &script.name, 0);
        let staff = script.cast.iter().filter(|member| member.role != Role::Visitor);
        let staff = staff.map(|member| member.invent(account, &scopes, start)).collect();
        Self { run, staff, start }
    }
}

impl Script {
    /// Whether faults about this are wanted anywhere.
    pub fn wants(&self, group: FaultGroup) -> bool {
        let steps = self.steps.iter().map(|step| &step.faults);
        steps.chain([&self.faults.faults]).any(|faults| faults.of(group).is_some())
    }

    /// The conversation of this number at an account.
    pub(super) fn play(
        &self,
        account: &Account,
        staff: &SharedStaff,
        number: u32,
    ) -> ConversationSeed {
        let scopes = SeedScopes::new(&staff.run, &account.platform.id, &self.name, number);
        let mut people = staff.staff.iter();
        let person = |member: &CastMember| match member.role {
            Role::Visitor => Some(member.invent(account, &scopes, staff.start)),
            _ => people.next().cloned(),
        };
        let cast: Vec<Person> = self.cast.iter().filter_map(person).collect();
        let visitor = self.cast.iter().find(|member| member.role == Role::Visitor);
        let locale = visitor.map_or(&LOCALES[0], |visitor| visitor.locale);
        let story = ConversationTexts::new(&cast, locale, &scopes.story);
        ConversationSeed { vendor: account.platform.id.clone(), scopes, story, cast }
    }
}

/// What the values of a conversation are drawn from. People and what they say are the same at
/// every vendor; ids are a vendor's own, and no two scenarios share one. Staff are the same in
/// every conversation.
#[derive(Clone, Debug)]
pub(super) struct SeedScopes {
    /// What the conversation's people, texts and times are drawn from.
    pub(super) story: SeedScope,
    /// What the conversation's ids are drawn from.
    pub(super) ids: SeedScope,
    /// What staff are drawn from.
    pub(super) staff: SeedScope,
    /// What the ids of staff are drawn from.
    pub(super) staff_ids: SeedScope,
}

impl SeedScopes {
    pub(super) fn new(run: &SeedScope, vendor: &str, scenario: &str, number: u32) -> Self {
        let conversation = format!("conversation {number}");
        let story = run.within(scenario).within(&conversation);
        let staff_ids = run.within("vendor").within(vendor);
        let ids = staff_ids.within(scenario).within(&conversation);
        Self { story, ids, staff: run.within("staff"), staff_ids }
    }
}

impl ConversationSeed {
    /// What the conversation's ids are drawn from.
    pub(super) fn ids(&self) -> &SeedScope {
        &self.scopes.ids
    }

    /// The time between an act and the one before it, beyond what the file asks for.
    pub(super) fn gap(&self, label: &str) -> SignedDuration {
        GAP.sample(&mut self.scopes.story.within(label).rng("gap"))
    }

    /// A step with its time and its texts, as it happens next in the conversation.
    pub(super) fn step(
        &self,
        step: &Step,
        (conversation, heard): (&Conversation, &ReadMarks),
    ) -> Result<TimedStep, TooLarge> {
        let own = step.overrides.get(&self.vendor);
        let after = own.and_then(|own| own.after).or(step.after);
        let after = after.map_or(SignedDuration::ZERO, |after| {
            after.sample(&mut self.scopes.story.within(&step.label).rng("after"))
        });
        let action = match step.skipped_at(&self.vendor) {
            Some(reason) => Err(reason),
            None => {
                let told = self.story.now(&conversation.entities, step.round);
                let plan = step.plan_at(&self.vendor);
                let mut action = plan.render(&told)?;
                heard.narrow(&mut action, plan);
                match told.missing() {
                    Some(name) => Err(format!("it names `{name}`, which was not created there")),
                    None => Ok(action),
                }
            }
        };
        Ok(TimedStep { after, action })
    }
}

impl ActionPlan {
    /// An act with nothing to render.
    pub(super) fn ready(action: Action) -> Self {
        Self { action, text: None, data: None, upto: None }
    }

    /// Who does it, for labels.
    pub(super) fn doer(&self) -> &str {
        match self.action.by() {
            Actor::Member(name) => name,
            Actor::Assignee => "assignee",
        }
    }

    fn render(&self, told: &TextContext<'_>) -> Result<Action, TooLarge> {
        let mut action = self.action.clone();
        let text = self.text.as_ref().map(|text| text.render(told));
        let data = self.data.as_ref().map(|data| data.render(told)).transpose()?;
        let data = data.map(|data| object(&data));
        match &mut action {
            Action::Say { text: own, data: own_data, .. } => {
                give(own, text);
                give(own_data, data);
            }
            Action::Note { text: own, .. } => give(own, text),
            Action::Rate { comment, .. } => *comment = text.or(comment.take()),
            Action::Create { fields: own, .. }
            | Action::Update { fields: own, .. }
            | Action::Emit { data: own, .. } => give(own, data),
            Action::Set { variables: own, .. } => {
                give(own, data.map(|data| data.into_iter().map(variable).collect()));
            }
            _ => {}
        }
        Ok(action)
    }
}

/// Puts a rendered value in place of what an act has.
fn give<T>(own: &mut T, rendered: Option<T>) {
    if let Some(rendered) = rendered {
        *own = rendered;
    }
}

/// A variable as a step writes it: a value, or a table that declares a type as well.
fn variable((name, value): (String, Json)) -> Variable {
    if let Json::Object(table) = &value
        && let (Some(Json::String(declared)), Some(value)) = (table.get("type"), table.get("value"))
    {
        return Variable { name, declared: declared.clone(), value: value.clone() };
    }
    let declared = Variable::type_of(&value).to_owned();
    Variable { name, declared, value }
}

fn object(json: &str) -> Map<String, Json> {
    serde_json::from_str(json).unwrap_or_default()
}

impl Step {
    /// The key of its act.
    pub fn word(&self) -> &'static str {
        self.action.action.word()
    }

    /// Why the step is left out at a vendor, where the file says so.
    pub fn skipped_at(&self, vendor: &str) -> Option<String> {
        if self.only.as_ref().is_some_and(|only| !only.iter().any(|id| id == vendor)) {
            return Some("the step is for other vendors".into());
        }
        self.overrides.get(vendor).and_then(|own| own.skip.clone())
    }

    /// What happens at a vendor.
    pub(super) fn plan_at(&self, vendor: &str) -> &ActionPlan {
        let own = self.overrides.get(vendor).and_then(|own| own.action.as_ref());
        own.unwrap_or(&self.action)
    }
}
