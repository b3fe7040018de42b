//! Checks the action of a step and prepares it for execution.
//!
//! Resolves the participants, compiles texts and data, and checks that at least one vendor has the
//! kinds and fields.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actions::ActionForm;
use super::attachments;
use super::cast::CastMember;
use super::emitted::{self, EmittedEvent};
use super::forms::{
    AssignForm, CreateForm, EmitForm, LabelForm, OpenForm, RateForm, SayForm, ScenarioForm,
    SetForm, UpdateForm,
};
use super::groups::{UseScope, candidates};
use super::literal::refuse_placeholders;
use super::read::Attachments;
use super::script::ActionPlan;
use super::text::Texts;
use crate::base::attachment::Attachment;
use crate::base::fake::Locale;
use crate::base::limits::MAX_NAMED;
use crate::base::text::one_of;
use crate::conversation::{Action, ActionKind, Actor, DialogKind, Role, VariableScope};
use crate::diag::{
    Key, NodeContent, Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code,
};
use crate::platform::{FieldDefaults, Platform, StepData, VendorRef, declared_type_problem};

/// Name for the current assignee.
pub(super) const ASSIGNEE: &str = "assignee";

/// Turns the actions of a scenario into plans, step by step.
pub(super) struct ActionPlanner<'a> {
    form: &'a ScenarioForm,
    cast: &'a [CastMember],
    pub(super) vendors: &'a [Arc<Platform>],
    pub(super) texts: Texts,
    /// The files that messages link to; `None` if nobody has read them.
    pub(super) attachments: Option<Arc<Attachments>>,
    /// The use of a group that the current step belongs to.
    pub(super) scope: Option<Arc<UseScope>>,
    /// Index of the conversation of the current step.
    pub(super) conversation: usize,
    /// Steps with an id so far.
    pub(super) steps: BTreeMap<String, DeclaredStep>,
    /// Kinds of the entities created so far, by name.
    entities: BTreeMap<String, String>,
    /// What the last message of each kind sets, by conversation and kind.
    said: BTreeMap<(usize, String), Vec<(Key, SyntaxNode)>>,
    /// Labels added so far.
    labels: BTreeSet<String>,
    pub(super) problems: &'a mut Problems,
}

/// An earlier step with an id.
pub(super) struct DeclaredStep {
    pub(super) span: SourceSpan,
    /// Whether the step sends a message.
    pub(super) says: bool,
    /// Index of its conversation.
    pub(super) conversation: usize,
}

impl<'a> ActionPlanner<'a> {
    pub(super) fn new(
        form: &'a ScenarioForm,
        cast: &'a [CastMember],
        vendors: &'a [Arc<Platform>],
        texts: Texts,
        problems: &'a mut Problems,
    ) -> Self {
        Self {
            form,
            cast,
            vendors,
            texts,
            attachments: None,
            scope: None,
            conversation: 0,
            steps: BTreeMap::new(),
            entities: BTreeMap::new(),
            said: BTreeMap::new(),
            labels: BTreeSet::new(),
            problems,
        }
    }

    /// Allows actions to refer to an entity that exists already.
    pub(super) fn declare_entity(&mut self, name: &str, kind: &str) {
        self.texts.declare_entity(name, self.vendors, kind);
        self.entities.insert(name.to_owned(), kind.to_owned());
    }

    /// Plans an action. Returns `None` if it has problems.
    pub(super) fn plan(&mut self, action: &ActionForm, key: &Key) -> Option<ActionPlan> {
        // Both the actor and the text are checked before either is unwrapped with `?`, so that one
        // run reports the problems of both.
        let ready = match action {
            ActionForm::Say(say) => return self.say(say),
            ActionForm::Note(form) => {
                let by = self.actor(&form.by);
                let text = self.texts.compile_text(&form.text, self.problems);
                let action = ActionKind::Note { text: String::new() }.by(by?);
                return Some(ActionPlan { text: Some(text?), ..ActionPlan::ready(action) });
            }
            ActionForm::Set(form) => return self.set(form),
            ActionForm::Rate(form) => return self.rate(form),
            ActionForm::Create(form) => return self.create(form),
            ActionForm::Update(form) => return self.update(form),
            ActionForm::Emit(form) => return self.emit(form),
            ActionForm::Open(form) => self.open(form)?,
            ActionForm::Assign(form) => self.assign(form, key)?,
            ActionForm::Label(form) => self.label(form, key)?,
            ActionForm::Flow(form) => {
                refuse_placeholders(&form.name, self.problems);
                let by = self.actor_or(form.by.as_ref(), Role::Bot)?;
                let states = form.states.as_ref().map_or(1, |states| states.value);
                ActionKind::Flow { name: form.name.value.clone(), states }.by(by)
            }
            ActionForm::Delete(form) => {
                let by = self.actor_or(form.by.as_ref(), Role::System)?;
                self.kind_of_entity(&form.entity)?;
                ActionKind::Delete { name: form.entity.value.clone() }.by(by)
            }
            ActionForm::Typing(form) => {
                let on = form.on.as_ref().is_none_or(|on| on.value);
                let action = ActionKind::Typing { on }.by(self.actor(&form.by)?);
                Action { dialog: dialog(form.in_.as_ref()), ..action }
            }
            ActionForm::Read(form) => {
                let by = self.actor(&form.by);
                let upto = match &form.upto {
                    Some(id) => Some(self.message_step(id)?),
                    None => None,
                };
                let action = ActionKind::Read { upto: None }.by(by?);
                let action = Action { dialog: dialog(form.in_.as_ref()), ..action };
                return Some(ActionPlan { upto, ..ActionPlan::ready(action) });
            }
            ActionForm::Join(form) => ActionKind::Join.by(self.actor(&form.by)?),
            ActionForm::Leave(form) => ActionKind::Leave.by(self.actor(&form.by)?),
            ActionForm::Eventually(_)
            | ActionForm::Request(_)
            | ActionForm::Expect(_)
            | ActionForm::ExpectNone(_) => {
                let message = format!("`{}` is not an action in a conversation", key.name);
                let problem = Problem::at(&key.span, code::NO_ACTION, message);
                self.problems.push(problem.help("only a step of a scenario can have it"));
                return None;
            }
            ActionForm::Close(form) => {
                let survey = form.survey.as_ref().is_some_and(|survey| survey.value);
                ActionKind::Close { survey }.by(self.actor(&form.by)?)
            }
            ActionForm::Reopen(form) => ActionKind::Reopen.by(self.actor(&form.by)?),
        };
        Some(ActionPlan::ready(ready))
    }

    fn open(&mut self, form: &OpenForm) -> Option<Action> {
        let by = self.actor_or(form.by.as_ref(), Role::Visitor)?;
        let assignee = match &form.assignee {
            Some(assignee) => Some(self.member(assignee, &[])?),
            None => None,
        };
        form.channel.iter().for_each(|channel| refuse_placeholders(channel, self.problems));
        let channel = form.channel.as_ref().map_or("web", |channel| channel.as_str()).to_owned();
        Some(ActionKind::open(channel, assignee).by(by))
    }

    fn assign(&mut self, form: &AssignForm, key: &Key) -> Option<Action> {
        if form.to.is_some() == form.skill.is_some() {
            let message = "`assign` needs exactly one of `to` and `skill`";
            let problem = Problem::at(&key.span, code::MISSING_KEY, message);
            self.problems.push(problem.help("`to` names a person, `skill` a queue"));
            return None;
        }
        let by = self.actor_or(form.by.as_ref(), Role::System)?;
        let to = match &form.to {
            Some(to) => Some(self.actor(to)?),
            None => None,
        };
        form.skill.iter().for_each(|skill| refuse_placeholders(skill, self.problems));
        let skill = form.skill.as_ref().map(|skill| skill.value.clone());
        Some(ActionKind::Assign { to, skill, accept: form.accept.as_ref().map(|a| a.value) }.by(by))
    }

    fn label(&mut self, form: &LabelForm, key: &Key) -> Option<Action> {
        let by = self.actor(&form.by);
        if form.add.is_empty() == form.remove.is_empty() {
            let message = "`label` needs exactly one of `add` and `remove`";
            let problem = Problem::at(&key.span, code::MISSING_KEY, message);
            self.problems.push(problem.help("use two steps to add and remove labels"));
            return None;
        }
        let labels = form.add.iter().chain(&form.remove);
        labels.for_each(|label| refuse_placeholders(label, self.problems));
        let before = self.labels.len();
        self.labels.extend(form.add.iter().map(|label| label.value.clone()));
        self.check_limit(&key.span, before, self.labels.len(), "labels")?;
        let labels = form.add.iter().chain(&form.remove).map(|label| label.value.clone());
        Some(ActionKind::Label { add: !form.add.is_empty(), labels: labels.collect() }.by(by?))
    }

    fn say(&mut self, form: &SayForm) -> Option<ActionPlan> {
        let by = self.actor(&form.by);
        let text = form.text.as_ref().and_then(|text| self.texts.compile_text(text, self.problems));
        let data = self.texts.compile_data(&form.data, &form.span, self.problems);
        let kind = form.kind.as_ref().map_or("text", |kind| kind.as_str()).to_owned();
        let span = form.kind.as_ref().map_or(&form.span, |kind| &kind.span);
        // All known vendors count, not only those of the run: one file can serve several vendors.
        let known = self.vendors.iter().filter_map(|vendor| vendor.kinds.get(&kind));
        let known: Vec<&FieldDefaults> = known.map(|kind| &kind.data).collect();
        if known.is_empty() {
            let message = format!("no vendor of the scenario has messages of kind `{kind}`");
            let problem = Problem::at(span, code::UNKNOWN_KIND, message);
            self.problems.push(self.suggest_kind(problem, &kind));
        } else {
            let what = format!("a message of kind `{kind}`");
            self.check_data(&form.data, &known, &what, &["by", "in", "kind", "text", "file"]);
            if let Some(file) = &form.file {
                attachments::check(file, form, self.vendors, self.problems);
            }
            self.check_limits(form, &kind);
        }
        let attachment = form.file.as_ref().and_then(|file| self.attachment(file));
        // The text and the data are rendered when the step runs.
        let action =
            ActionKind::Say { kind, text: String::new(), data: serde_json::Map::new() }.by(by?);
        let action = Action { dialog: dialog(form.in_.as_ref()), ..action };
        Some(ActionPlan { text, data: Some(data?), attachment, ..ActionPlan::ready(action) })
    }

    /// Suggests the kind that a vendor calls so, or the kinds that exist.
    fn suggest_kind(&self, problem: Problem, word: &str) -> Problem {
        let kinds = || self.vendors.iter().flat_map(|vendor| vendor.kinds.iter());
        let meant: BTreeSet<&str> =
            kinds().filter(|(_, kind)| kind.word == word).map(|(name, _)| name.as_str()).collect();
        if meant.is_empty() {
            return problem.suggest_or_list(word, kinds().map(|(name, _)| name.as_str()));
        }
        problem.help(format!("the vendor's word `{word}` is {} in scenarios", one_of(meant)))
    }

    /// Returns the file of a message. The problem of a file that could not be read is known already.
    fn attachment(&mut self, file: &Spanned<String>) -> Option<Arc<Attachment>> {
        match &self.attachments {
            Some(attachments) => attachments.get(file).cloned(),
            None => {
                self.problems.push(attachments::not_readable(file));
                None
            }
        }
    }

    /// Checks the values of a message against the limits of each vendor of the scenario.
    fn check_limits(&mut self, form: &SayForm, kind: &str) {
        let mut input = form.data.clone();
        if let Some(text) = &form.text {
            let name = Key { name: "text".into(), span: text.span.clone() };
            let content = NodeContent::Text(text.value.clone());
            input.push((name, SyntaxNode { span: text.span.clone(), content }));
        }
        let mut problems: Vec<Problem> = Vec::new();
        let locale = self.locale_of_visitors();
        for vendor in self.vendors {
            let is_target = self.form.is_for(&VendorRef::parse(&vendor.full_id()));
            let Some(own) = vendor.kinds.get(kind).filter(|_| is_target) else { continue };
            // What the last such message asks, as this vendor sends it.
            let asked = own.answers.as_ref().and_then(|asked| {
                let last = self.said.get(&(self.conversation, asked.clone()))?;
                Some(vendor.kinds.get(asked)?.data.filled(last, locale))
            });
            let mut input = input.clone();
            if let Some(file) = &form.file
                && let Some(attachment) = self.attachments.as_ref().and_then(|all| all.get(file))
            {
                attachments::add_nodes(&mut input, attachment, file, &own.data);
            }
            for problem in own.limit_problems(StepData { input: &input, asked: asked.as_ref() }) {
                if !problems.iter().any(|other| other.span == problem.span) {
                    problems.push(problem);
                }
            }
        }
        problems.into_iter().for_each(|problem| self.problems.push(problem));
        self.said.insert((self.conversation, kind.to_owned()), input);
    }

    /// Returns the locale of texts, if all visitors have the same.
    fn locale_of_visitors(&self) -> Option<&'static Locale> {
        let mut visitors = self.cast.iter().filter(|member| member.role == Role::Visitor);
        let locale = visitors.next()?.locale;
        visitors.all(|visitor| visitor.locale.tag == locale.tag).then_some(locale)
    }

    fn set(&mut self, form: &SetForm) -> Option<ActionPlan> {
        let by = self.actor_or(form.by.as_ref(), Role::System);
        if form.variables.0.is_empty() {
            self.problems.push(
                Problem::at(&form.span, code::EMPTY, "`set` has no variables")
                    .help("example: `set = { variables = { plan = \"gold\" } }`"),
            );
        }
        self.check_declared_types(&form.variables.entries());
        let data = self.texts.compile_data(&form.variables.entries(), &form.span, self.problems);
        let scope = form.scope.as_ref().map_or(VariableScope::Visitor, |scope| scope.value);
        let action = ActionKind::Set { variables: Vec::new(), scope }.by(by?);
        Some(ActionPlan { data: Some(data?), ..ActionPlan::ready(action) })
    }

    fn rate(&mut self, form: &RateForm) -> Option<ActionPlan> {
        let by = self.actor_or(form.by.as_ref(), Role::Visitor);
        if !(1..=5).contains(&form.score.value) {
            let message = format!("`score` must be from 1 to 5, found {}", form.score.value);
            self.problems.push(Problem::at(&form.score.span, code::INVALID_TYPE, message));
        }
        let text =
            form.comment.as_ref().and_then(|text| self.texts.compile_text(text, self.problems));
        let action = ActionKind::Rate { score: form.score.value, comment: None }.by(by?);
        Some(ActionPlan { text, ..ActionPlan::ready(action) })
    }

    fn create(&mut self, form: &CreateForm) -> Option<ActionPlan> {
        let by = self.actor_or(form.by.as_ref(), Role::System);
        let kind = form.kind.value.clone();
        let known: Vec<&FieldDefaults> =
            self.vendors.iter().filter_map(|vendor| vendor.entities.get(&kind)).collect();
        let with = with_nulls(&form.with);
        if known.is_empty() {
            let message = format!("no vendor of the scenario has entities of kind `{kind}`");
            let kinds = self.vendors.iter().flat_map(|vendor| vendor.entities.keys());
            let kinds: BTreeSet<&str> = kinds.map(String::as_str).collect();
            let problem = Problem::at(&form.kind.span, code::UNKNOWN_KIND, message);
            self.problems.push(problem.suggest_or_list(&kind, kinds));
        } else {
            self.check_data(&with, &known, &format!("a {kind}"), &[]);
            self.check_entity_limits(&with, &known);
            self.check_unset(&form.unset, &known, &kind);
        }
        let data = self.texts.compile_data(&with, &form.span, self.problems);
        // Declared even if it has problems, so that later steps do not report it as unknown.
        self.texts.declare_entity(&form.as_.value, self.vendors, &kind);
        self.texts.declare_fields(&form.as_.value, &with, &form.unset);
        let before = self.entities.len();
        self.entities.insert(form.as_.value.clone(), kind.clone());
        self.check_limit(&form.as_.span, before, self.entities.len(), "entities")?;
        let fields = serde_json::Map::new();
        let unset = form.unset.iter().map(|field| field.value.clone()).collect();
        let action =
            ActionKind::Create { name: form.as_.value.clone(), kind, fields, unset, ids: None }
                .by(by?);
        Some(ActionPlan { data: Some(data?), ..ActionPlan::ready(action) })
    }

    fn update(&mut self, form: &UpdateForm) -> Option<ActionPlan> {
        let by = self.actor_or(form.by.as_ref(), Role::System);
        let kind = self.kind_of_entity(&form.entity)?;
        let known: Vec<&FieldDefaults> =
            self.vendors.iter().filter_map(|vendor| vendor.entities.get(&kind)).collect();
        let with = with_nulls(&form.with);
        self.check_data(&with, &known, &format!("a {kind}"), &[]);
        self.check_entity_limits(&with, &known);
        self.check_unset(&form.unset, &known, &kind);
        let data = self.texts.compile_data(&with, &form.span, self.problems);
        self.texts.declare_fields(&form.entity.value, &with, &form.unset);
        let unset = form.unset.iter().map(|field| field.value.clone()).collect();
        let (name, fields) = (form.entity.value.clone(), serde_json::Map::new());
        let action = ActionKind::Update { name, fields, unset }.by(by?);
        Some(ActionPlan { data: Some(data?), ..ActionPlan::ready(action) })
    }

    /// Checks the fields of an entity against the limits of each vendor of the scenario.
    fn check_entity_limits(&mut self, input: &[(Key, SyntaxNode)], known: &[&FieldDefaults]) {
        let step = StepData { input, asked: None };
        let mut found: Vec<Problem> = Vec::new();
        for problem in known.iter().flat_map(|data| data.limit_problems(step)) {
            // Several vendors may have the same limit.
            if !found.iter().any(|other| other.span == problem.span) {
                found.push(problem);
            }
        }
        found.into_iter().for_each(|problem| self.problems.push(problem));
    }

    /// Checks that at least one vendor has each field to remove, and that all that have it permit
    /// its removal.
    fn check_unset(&mut self, unset: &[Spanned<String>], known: &[&FieldDefaults], kind: &str) {
        for field in unset {
            let mut with_field = known.iter().filter(|data| data.has(field)).peekable();
            let problem = if with_field.peek().is_none() {
                let message = format!("a {kind} has no field `{}`", field.value);
                let problem = Problem::at(&field.span, code::UNKNOWN_DATA, message);
                problem.suggest_or_list(field, known.iter().flat_map(|data| data.keys()))
            } else if with_field.any(|data| !data.can_be_absent(field)) {
                let message = format!("a {kind} always has the field `{}`", field.value);
                let problem = Problem::at(&field.span, code::UNKNOWN_DATA, message);
                let optional = known.iter().flat_map(|data| &data.optional);
                let optional: BTreeSet<&str> = optional.map(String::as_str).collect();
                problem.help(if optional.is_empty() {
                    "remove it from `unset`".to_owned()
                } else {
                    format!("fields that can be removed: {}", one_of(optional))
                })
            } else {
                continue;
            };
            self.problems.push(problem);
        }
    }

    fn emit(&mut self, form: &EmitForm) -> Option<ActionPlan> {
        let by = self.actor_or(form.by.as_ref(), Role::System);
        let event_type = form.type_.value.clone();
        let rules = self
            .vendors
            .iter()
            .flat_map(|vendor| vendor.events.iter().map(move |rule| EmittedEvent { vendor, rule }));
        let known: Vec<_> = rules.filter(|known| known.rule.has_name(&event_type)).collect();
        if known.is_empty() {
            let message = format!("no vendor of the scenario sends event type `{event_type}`");
            let types = self.vendors.iter().flat_map(|vendor| vendor.event_types());
            let types: BTreeSet<&str> = types.collect();
            let problem = Problem::at(&form.type_.span, code::UNKNOWN_EVENT, message);
            self.problems.push(problem.suggest_or_list(&event_type, types));
        }
        if !known.is_empty() {
            emitted::check_data(form, &known, self.problems);
        }
        let body = self.texts.compile_data(&form.data.entries(), &form.span, self.problems);
        let action = ActionKind::Emit { event_type, data: serde_json::Map::new() }.by(by?);
        Some(ActionPlan { data: Some(body?), ..ActionPlan::ready(action) })
    }

    /// Checks that at least one vendor has each field, and that all that have it accept its type.
    ///
    /// `other_keys` are suggested for misspelled fields too.
    fn check_data(
        &mut self,
        input: &[(Key, SyntaxNode)],
        known: &[&FieldDefaults],
        owner: &str,
        other_keys: &[&str],
    ) {
        self.check_declared_types(input);
        for (key, node) in input {
            let with_field: Vec<&&FieldDefaults> =
                known.iter().filter(|data| data.has(&key.name)).collect();
            if with_field.is_empty() {
                let message = format!("{owner} has no field `{}`", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_DATA, message);
                let names: BTreeSet<&str> = known
                    .iter()
                    .flat_map(|data| data.keys())
                    .chain(other_keys.iter().copied())
                    .collect();
                let is_nested = key.name == "data" && other_keys.contains(&"kind");
                self.problems.push(if is_nested {
                    problem.help("write its keys beside `kind`, without `data`")
                } else {
                    problem.suggest_or_list(&key.name, names)
                });
            }
            let found: Vec<_> =
                with_field.iter().map(|data| data.type_mismatch(&key.name, node)).collect();
            // A key inside a value, like a field, must be known to one vendor only.
            let is_known = found.iter().any(Option::is_none);
            let is_error = |problem: &Problem| !is_known || problem.code != code::UNKNOWN_DATA;
            if let Some(problem) = found.into_iter().flatten().find(is_error) {
                self.problems.push(problem);
            }
        }
    }

    /// Checks values that declare their type, such as `{ type = "date", value = "2026-01-31" }`.
    fn check_declared_types(&mut self, input: &[(Key, SyntaxNode)]) {
        let problems = input.iter().filter_map(|(_, node)| declared_type_problem(node));
        problems.for_each(|problem| self.problems.push(problem));
    }

    /// Returns `None` if a scenario declares more than [`MAX_NAMED`] things of one sort.
    fn check_limit(
        &mut self,
        span: &SourceSpan,
        before: usize,
        after: usize,
        what: &str,
    ) -> Option<()> {
        if after <= MAX_NAMED {
            return Some(());
        }
        // Reported once, by the step that exceeds the limit.
        if before <= MAX_NAMED {
            let message = format!("the scenario has more than {MAX_NAMED} {what}");
            let problem = Problem::at(span, code::TOO_MANY, message);
            self.problems.push(problem.help("split it into several scenarios"));
        }
        None
    }

    /// Returns the kind of an entity that an earlier step creates.
    fn kind_of_entity(&mut self, name: &Spanned<String>) -> Option<String> {
        let kind = self.entities.get(&name.value).cloned();
        if kind.is_none() {
            let message = format!("no earlier step creates entity `{}`", name.value);
            let problem = Problem::at(&name.span, code::NO_SUCH_STEP, message);
            self.problems
                .push(problem.suggest_or_list(name, self.entities.keys().map(String::as_str)));
        }
        kind
    }

    /// Resolves an optional actor. The default is the first member with this role.
    fn actor_or(&mut self, by: Option<&Spanned<String>>, default: Role) -> Option<Actor> {
        match by {
            Some(by) => self.actor(by),
            None => {
                let found = self.cast.iter().find(|member| member.role == default);
                found.map(|member| Actor::Member(member.name.to_string()))
            }
        }
    }

    /// Resolves an actor: a cast member or the current assignee.
    fn actor(&mut self, name: &Spanned<String>) -> Option<Actor> {
        if name.value == ASSIGNEE {
            return Some(Actor::Assignee);
        }
        self.member(name, &[ASSIGNEE])
    }

    /// Resolves a cast member by name or by a role that exactly one member has.
    ///
    /// `other_names` are suggested for misspelled names too.
    fn member(&mut self, name: &Spanned<String>, other_names: &[&str]) -> Option<Actor> {
        if self.cast.iter().any(|member| *member.name == name.value) {
            return Some(Actor::Member(name.value.clone()));
        }
        if self.form.cast.contains(&name.value) {
            return None; // the member was invalid, which is reported already
        }
        let Some(role) = Role::from_name(&name.value) else {
            let message = format!("unknown cast member `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_PARTICIPANT, message);
            let cast = self.cast.iter().map(|member| &*member.name);
            let known = cast.chain(self.form.cast.names()).chain(other_names.iter().copied());
            let known: BTreeSet<&str> = known.collect();
            self.problems.push(problem.suggest_or_list(name, known));
            return None;
        };
        let with_role: Vec<&str> =
            self.cast.iter().filter(|m| m.role == role).map(|m| &*m.name).collect();
        match with_role.as_slice() {
            [one] => Some(Actor::Member((*one).to_owned())),
            [] => {
                let message = format!("the cast has no {role}");
                let problem = Problem::at(&name.span, code::UNKNOWN_PARTICIPANT, message);
                self.problems
                    .push(problem.help(format!("add one: `[cast.NAME]` with `role = \"{role}\"`")));
                None
            }
            many => {
                let message = format!("`{role}` is ambiguous: {}", many.join(", "));
                let problem = Problem::at(&name.span, code::AMBIGUOUS_PARTICIPANT, message);
                self.problems.push(problem.help("use the name of the cast member"));
                None
            }
        }
    }

    /// Checks that an id belongs to an earlier step that sends a message.
    fn message_step(&mut self, id: &Spanned<String>) -> Option<String> {
        // In a group, its own steps take precedence.
        let mut names = candidates(self.scope.as_deref(), id);
        let full = names.find(|name| self.steps.contains_key(name));
        let full = full.unwrap_or_else(|| id.value.clone());
        let earlier = self.steps.get(&full);
        let is_here = |step: &&DeclaredStep| step.conversation == self.conversation;
        if earlier.filter(is_here).is_some_and(|step| step.says) {
            return Some(full);
        }
        let mut ids = self.form.step.iter().filter_map(|step| step.id.as_ref());
        let later = ids.find(|later| later.value == id.value);
        let problem = |message| Problem::at(&id.span, code::NO_SUCH_STEP, message);
        let problem = match (earlier, later) {
            (Some(other), _) if !is_here(&other) => {
                problem(format!("step `{}` is in another conversation", id.value))
                    .also(&other.span, "defined here")
                    .help("only messages of the same conversation can be read")
            }
            (Some(_), _) => problem(format!("step `{}` sends no message", id.value))
                .help("use the id of a step with `say`"),
            (None, Some(later)) => problem(format!("step `{}` comes later", id.value))
                .also(&later.span, "defined here")
                .help("only messages of earlier steps can be read"),
            (None, None) => {
                let messages = self.steps.iter().filter(|(_, step)| step.says);
                problem(format!("no earlier step has the id `{}`", id.value))
                    .suggest_or_list(id, messages.map(|(name, _)| name.as_str()))
            }
        };
        self.problems.push(problem);
        None
    }
}

/// Returns the dialog of an action; `None` for the main one.
fn dialog(form: Option<&Spanned<DialogKind>>) -> Option<DialogKind> {
    form.map(|kind| kind.value).filter(|kind| *kind != DialogKind::Main)
}

/// Returns the fields of an entity. TOML has no null, so `{ null = true }` stands for it.
fn with_nulls(with: &TableOf<SyntaxNode>) -> Vec<(Key, SyntaxNode)> {
    let mut entries = with.entries();
    for (_, node) in &mut entries {
        if let NodeContent::Table(table) = &node.content
            && let [(key, value)] = table.0.as_slice()
            && key.name == "null"
            && value.content == NodeContent::Bool(true)
        {
            node.content = NodeContent::Null;
        }
    }
    entries
}
