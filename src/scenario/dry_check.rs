//! Dry run of a script on the conversation model, to find actions that are invalid in their order.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::capture::{Capture, CapturedValues};
use super::cast::CastMember;
use super::expectation::ExpectationPlan;
use super::script::{ReadMarks, ScriptConversation, Step, StepPlan};
use super::seeds::SeedScopes;
use super::text::{ScriptValues, TextContext};
use crate::base::seed::SeedScope;
use crate::conversation::{
    Action, ActionKind, Actor, Conversation, DialogKind, InvalidAction, Person,
};
use crate::diag::{Problem, Problems, code};
use crate::platform::{Account, Coverage, Platform};

/// A script that is played without texts and times.
pub(super) struct DryCheck<'a> {
    pub(super) cast: &'a [CastMember],
    pub(super) conversations: &'a [ScriptConversation],
    pub(super) steps: &'a [Step],
    pub(super) captures: &'a BTreeMap<usize, Arc<[Capture]>>,
    pub(super) variables: &'a Map<String, Json>,
    /// Whether a vendor of the scenario has surveys.
    pub(super) surveys: bool,
    /// Whether the scenario names one vendor. A step that it does not support is a problem then.
    pub(super) is_only_vendor: bool,
}

impl DryCheck<'_> {
    /// Runs the steps on the conversation model of each vendor.
    ///
    /// Invalid actions are reported as problems. Returns the vendors that cannot run the script, with
    /// the reason.
    pub(super) fn run(
        &self,
        vendors: &[Arc<Platform>],
        problems: &mut Problems,
    ) -> BTreeMap<String, String> {
        let mut unsupported = BTreeMap::new();
        for vendor in vendors {
            let dry_run = VendorDryRun::new(self, vendor);
            if let Some(reason) = dry_run.run(problems) {
                unsupported.insert(vendor.full_id(), reason);
            }
        }
        unsupported
    }

    /// Returns whether the conditions of a step hold if every captured value is that of its example.
    fn happens(&self, step: &Step, captured: &CapturedValues, conversation: &Conversation) -> bool {
        let values = ScriptValues { variables: self.variables, captured: captured.values() };
        let seeds = SeedScope::of_run(0);
        let context = TextContext::new(conversation, &seeds, values, step.round);
        step.when.as_ref().is_none_or(|when| matches!(when.unmet(values, &context), Ok(None)))
    }
}

/// The steps at one vendor, with what has happened so far.
struct VendorDryRun<'a> {
    script: &'a DryCheck<'a>,
    account: Account,
    conversations: Vec<Conversation>,
    read_marks: ReadMarks,
    captured: CapturedValues,
    /// Why the first unsupported step is skipped.
    first_skip: Option<String>,
    has_run: bool,
    /// Whether a conversation was opened after an error.
    is_repaired: bool,
    /// Whether a call may have had other effects than those that are assumed.
    is_uncertain: bool,
}

impl<'a> VendorDryRun<'a> {
    fn new(script: &'a DryCheck<'a>, vendor: &Arc<Platform>) -> Self {
        let scopes = SeedScopes::new(&SeedScope::of_run(0), "", "", 1);
        let account = Account::test(vendor);
        let cast = script.cast.iter();
        let people = cast.map(|member| member.invent(&account, &scopes, Timestamp::UNIX_EPOCH));
        let people: Vec<Person> = people.collect();
        let new = |own: &ScriptConversation| {
            Conversation::new(1, own.people(people.clone()), Arc::clone(vendor.rules()))
        };
        let conversations = script.conversations.iter().map(new).collect();
        Self {
            script,
            account,
            conversations,
            read_marks: ReadMarks::default(),
            captured: CapturedValues::default(),
            first_skip: None,
            has_run: false,
            is_repaired: false,
            is_uncertain: false,
        }
    }

    /// Runs the steps. Returns why the vendor cannot run the script.
    fn run(mut self, problems: &mut Problems) -> Option<String> {
        for step in self.script.steps {
            if self.step(step, problems).is_break() {
                // A vendor with skipped steps cannot run those that depend on them.
                return self.first_skip;
            }
        }
        // A vendor that skips some steps can run the script, unless it skips all.
        self.first_skip.filter(|_| !self.has_run)
    }

    /// Runs a step. Breaks if what follows depends on something that is not known here.
    fn step(&mut self, step: &Step, problems: &mut Problems) -> ControlFlow<()> {
        let vendor = &self.account.platform;
        let conversation = &self.conversations[step.conversation];
        self.read_marks.begin(step, conversation.messages.len());
        let is_skipped = step.skip_reason(&vendor.id).is_some();
        if is_skipped || !self.script.happens(step, &self.captured, conversation) {
            return ControlFlow::Continue(());
        }
        if let Some(captures) = self.script.captures.get(&step.number) {
            self.captured.assume(step.number, captures);
        }
        match step.plan_at(&vendor.id) {
            StepPlan::Expect(plan) => {
                self.expect(step, plan, problems);
                ControlFlow::Continue(())
            }
            StepPlan::Act(plan) => {
                let mut action = plan.action.clone();
                self.read_marks.resolve_upto(&mut action, plan);
                self.act(step, action, problems)
            }
        }
    }

    /// Assumes that a requirement for the receiver is met.
    fn expect(&mut self, step: &Step, plan: &ExpectationPlan, problems: &mut Problems) {
        let vendor = &self.account.platform;
        if let Some(reason) = plan.unsupported(vendor) {
            return self.skip(step, &reason, problems);
        }
        self.captured.assume(step.number, plan.captures());
        self.has_run = true;
        if let ExpectationPlan::Call(call) = plan {
            self.is_uncertain |= call.is_uncertain(vendor);
            let conversation = &mut self.conversations[step.conversation];
            for action in call.assumed_actions(vendor, conversation) {
                // What the receiver does wrong is found when it does it.
                let _ = apply(conversation, action);
            }
        }
    }

    fn act(&mut self, step: &Step, action: Action, problems: &mut Problems) -> ControlFlow<()> {
        let conversation = &mut self.conversations[step.conversation];
        if let Some(reason) = unsupported(&self.account, &action, conversation) {
            self.skip(step, &reason, problems);
            return ControlFlow::Continue(());
        }
        let applied = if emitted_too_early(&self.account.platform, &action, conversation) {
            Err(InvalidAction::NotOpened)
        } else {
            apply(conversation, action.clone())
        };
        match applied {
            Ok(()) => self.has_run = true,
            // Most likely the step depends on one that this vendor skips. The file is valid.
            Err(_) if self.first_skip.is_some() || self.is_uncertain => {
                return ControlFlow::Break(());
            }
            // `open` after a repaired `NotOpened` would be reported a second time.
            Err(InvalidAction::AlreadyOpen) if self.is_repaired => {}
            Err(error) => {
                problems.push(invalid_action(step, &action, &error, self.script.surveys));
                self.is_repaired |= repair(conversation, &error, action);
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes note of a step that the vendor does not support.
    fn skip(&mut self, step: &Step, reason: &str, problems: &mut Problems) {
        let vendor = &self.account.platform;
        let message = unsupported_step(vendor, step, reason);
        if self.script.is_only_vendor {
            problems.push(vendor_cannot(vendor, step, &message));
        }
        self.first_skip.get_or_insert(message);
    }
}

fn unsupported_step(vendor: &Platform, step: &Step, reason: &str) -> String {
    let key = match step.plan_at(&vendor.id) {
        StepPlan::Act(plan) => plan.action.kind.as_str(),
        StepPlan::Expect(plan) => plan.key(),
    };
    format!("{} does not support `{key}`: {reason}", vendor.name)
}

fn vendor_cannot(vendor: &Platform, step: &Step, message: &str) -> Problem {
    Problem::at(&step.span, code::VENDOR_CANNOT, message).help(format!(
        "see `standin vendors {id}`, or add vendors other than `{id}` to `vendors`",
        id = vendor.id
    ))
}

/// Returns true if an action emits an event of a conversation that has not been opened.
fn emitted_too_early(vendor: &Platform, action: &Action, conversation: &Conversation) -> bool {
    let ActionKind::Emit { event_type, data } = &action.kind else { return false };
    let rule = vendor.emit_rule(event_type, data);
    conversation.state.is_none() && rule.is_some_and(|rule| rule.on.needs_conversation())
}

/// Opens the conversation after an error, so that later steps do not report the same error.
fn repair(conversation: &mut Conversation, error: &InvalidAction, action: Action) -> bool {
    let Some(by) = conversation.visitor().map(|visitor| visitor.member.name.clone()) else {
        return false;
    };
    let by = Actor::Member(by.to_string());
    let open = match error {
        InvalidAction::NotOpened => ActionKind::open(String::new(), None).by(by),
        InvalidAction::Closed => ActionKind::Reopen.by(by),
        _ => return false,
    };
    apply(conversation, open).is_ok() && apply(conversation, action).is_ok()
}

/// Returns why a vendor does not support an action; `None` if it does.
pub(super) fn unsupported(
    account: &Account,
    action: &Action,
    conversation: &Conversation,
) -> Option<String> {
    let vendor = &account.platform;
    let is_missing =
        |name: &String| !conversation.entities.iter().any(|entity| entity.name == *name);
    match &action.kind {
        ActionKind::Say { kind, .. } if !vendor.kinds.contains_key(kind) => {
            return Some(format!("it has no messages of kind `{kind}`"));
        }
        ActionKind::Emit { event_type, data } => {
            if !vendor.events.iter().any(|rule| rule.has_name(event_type)) {
                return Some(format!("it does not send event type `{event_type}`"));
            }
            let sends = vendor.emit_rule(event_type, data).is_some();
            return (!sends).then(|| format!("it does not send `{event_type}` for this kind"));
        }
        _ => {}
    }
    let is_survey = action.dialog == Some(DialogKind::Survey)
        || matches!(action.kind, ActionKind::Close { survey: true });
    if is_survey && !vendor.rules().surveys {
        return Some("it has no surveys".to_owned());
    }
    let role = match &action.by {
        Actor::Member(name) => conversation.person(name)?.role(),
        Actor::Assignee => conversation.assignee()?.role(),
    };
    if let Coverage::Cannot(reason) = vendor.coverage(action.kind.causes(), role) {
        return Some(reason.to_owned());
    }
    match &action.kind {
        ActionKind::Create { kind, .. } if !vendor.entities.contains_key(kind) => {
            Some(format!("it has no entities of kind `{kind}`"))
        }
        ActionKind::Update { name, .. } | ActionKind::Delete { name } if is_missing(name) => {
            Some(format!("entity `{name}` was not created at this vendor"))
        }
        _ => None,
    }
}

/// Applies an action and the actions that it implies.
fn apply(conversation: &mut Conversation, action: Action) -> Result<(), InvalidAction> {
    if let Some(before) = conversation.implied_before(&action) {
        conversation.apply(&before, Timestamp::UNIX_EPOCH)?;
    }
    // Times do not matter for validity, so every action happens at the epoch.
    let mut next = Some(action);
    while let Some(action) = next {
        conversation.apply(&action, Timestamp::UNIX_EPOCH)?;
        next = conversation.implied_after(&action).map(|(_, action)| action);
    }
    Ok(())
}

/// Reports an action that is invalid in its order. `surveys` is true if a vendor of the scenario has
/// surveys.
fn invalid_action(step: &Step, action: &Action, error: &InvalidAction, surveys: bool) -> Problem {
    let problem = Problem::at(&step.span, code::INVALID_ORDER, format!("invalid action: {error}"));
    let has_dialog = matches!(
        action.kind,
        ActionKind::Say { .. } | ActionKind::Typing { .. } | ActionKind::Read { .. }
    );
    match error {
        InvalidAction::NotOpened => problem.help("add a step with `open = {}` before it"),
        InvalidAction::Closed if surveys && has_dialog => problem.help(
            "add a step with `reopen = { by = \"visitor\" }` before it; or, for the survey of the \
             conversation, `survey = true` to `close` and `in = \"survey\"` to this action",
        ),
        InvalidAction::Closed => {
            problem.help("add a step with `reopen = { by = \"visitor\" }` before it")
        }
        InvalidAction::NoSurvey => problem
            .help("a survey begins with `survey = true` in `close`, and ends with another `close`"),
        InvalidAction::SurveyOpen if has_dialog => {
            problem.help("add `in = \"survey\"` to the action, so that it happens in the survey")
        }
        InvalidAction::SurveyOpen => problem
            .help("add a step with `close = { by = \"bot\" }` before it, which ends the survey"),
        InvalidAction::NotInSurvey(_) => {
            problem.help("only the visitor and bots take part in a survey")
        }
        InvalidAction::NoAssignee => {
            problem.help("add a step with `assign` before it, or set `assignee` in `open`")
        }
        InvalidAction::AlreadyOpen => problem.help("use `reopen` after a `close`"),
        InvalidAction::NothingToRead(_) => {
            problem.help("add a message from another participant before it")
        }
        InvalidAction::RatesAsStaff(_) => problem.help("omit `by`, or name the visitor"),
        InvalidAction::NotesAsVisitor(_) => {
            problem.help("name somebody of the staff, such as `assignee`")
        }
        InvalidAction::OtherVisitor(_) => problem.help(
            "a conversation has one visitor; put the steps of another one into a conversation of \
                 their own, with `conversation = \"second\"`",
        ),
        InvalidAction::HasLeft(_) => problem
            .help("name `assignee` as the actor, or add a step with `join` or `assign` before it"),
        InvalidAction::NotJoined(_) => problem.help("add a step with `join` or `assign` before it"),
        _ => problem.help("remove the step"),
    }
}
