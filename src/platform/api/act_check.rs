//! Checks the actions of an operation.

use std::collections::BTreeMap;

use super::act::{ActRule, ActTemplate, EachElement, WhoRef};
use super::call_match::CallMatchers;
use super::credential::CredentialRule;
use super::documents::DocumentRule;
use super::find::{person_data, table_template};
use super::forms::{
    ActForm, CreateActForm, EmitActForm, LabelActForm, LinkActForm, OpenActForm, SayActForm,
    SubscribeActForm,
};
use crate::base::text::one_of;
use crate::conversation::{LabelAction, Role};
use crate::diag::{Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code};
use crate::template::{
    CompileContext, Field, FieldType, InputTemplate, TableType, TextRules, TextTemplate, ValuePath,
};

/// The keys of `act`.
const ACTIONS: [&str; 29] = [
    "open",
    "say",
    "typing",
    "read",
    "rate",
    "emit",
    "assign",
    "flow",
    "set",
    "close",
    "note",
    "label",
    "reopen",
    "join",
    "leave",
    "hand_over",
    "create_entity",
    "update_entity",
    "delete_entity",
    "person",
    "subscribe",
    "unsubscribe",
    "create",
    "replace",
    "delete",
    "link",
    "store",
    "issue",
    "revoke",
];

/// Checks the actions of an operation.
pub(super) struct ActChecker<'a> {
    /// Context of the templates.
    pub(super) context: CompileContext<'a>,
    /// Names of people that `find` gives.
    pub(super) people: Vec<String>,
    /// Message kinds of the vendor.
    pub(super) kinds: Vec<&'a str>,
    /// Types of events that can be emitted.
    pub(super) event_types: Vec<&'a str>,
    /// Whether a survey can follow a conversation.
    pub(super) has_surveys: bool,
    /// Secrets of the account.
    pub(super) secrets: Vec<&'a str>,
    /// Names of the ids of a conversation.
    pub(super) conversation_ids: Vec<&'a str>,
    /// Kinds of documents.
    pub(super) documents: &'a BTreeMap<String, DocumentRule>,
    /// Types of entities, by kind.
    pub(super) entities: &'a BTreeMap<String, TableType>,
    /// Entities that `find` or an action gives.
    pub(super) named_entities: Vec<String>,
    /// Names of the ids of entities.
    pub(super) entity_ids: Vec<&'a str>,
    /// Conversations that `find` gives.
    pub(super) conversations: Vec<String>,
    /// Documents that `find` or an action gives.
    pub(super) named_documents: Vec<String>,
    /// Files that `find` gives.
    pub(super) files: Vec<String>,
    /// Credentials, by name.
    pub(super) credentials: &'a BTreeMap<String, CredentialRule>,
    /// The document that the action creates.
    pub(super) created: Option<(String, FieldType)>,
    pub(super) problems: &'a mut Problems,
}

impl ActChecker<'_> {
    pub(super) fn check(&mut self, form: &ActForm) -> Option<ActRule> {
        let each = match &form.each {
            Some(each) => Some(self.each(each)?),
            None => None,
        };
        let outer = self.context.root.clone();
        if let Some(each) = &each {
            self.context.root = outer.clone().always(&each.name, FieldType::Any);
        }
        let when = CallMatchers::check(&form.when, &self.context, self.problems);
        let act = self.act(form);
        self.context.root = outer;
        if let Some((name, document)) = self.created.take() {
            self.context.root.set(Field::always(name, document));
        }
        let (act, quiet) = (act?, form.quiet.as_ref().is_some_and(|quiet| quiet.value));
        if quiet && !act.needs_conversation() && !act.is_about_entity() {
            let message = "no webhook is about this action";
            let problem = Problem::at(&form.span, code::INVALID_ACT, message);
            self.problems.push(problem.help("remove `quiet`"));
        }
        Some(ActRule { when, each, quiet, act })
    }

    /// Checks `NAME in PATH`.
    fn each(&mut self, text: &Spanned<String>) -> Option<EachElement> {
        let Some((name, path)) = text.split_once(" in ") else {
            let message = "`each` takes `NAME in PATH`";
            let problem = Problem::at(&text.span, code::PLACEHOLDER_SYNTAX, message);
            self.problems.push(problem.help("for example: `item in call.body.items`"));
            return None;
        };
        let span = text.span.find(path.trim(), 0);
        let list = ValuePath::check(path.trim(), &span, &self.context, self.problems)?;
        Some(EachElement { name: name.trim().to_owned(), list })
    }

    fn act(&mut self, form: &ActForm) -> Option<ActTemplate> {
        let in_conversation = [
            form.open.is_some(),
            form.say.is_some(),
            form.typing.is_some(),
            form.join.is_some(),
            form.leave.is_some(),
            form.read.is_some(),
            form.rate.is_some(),
            form.emit.is_some(),
            form.assign.is_some(),
            form.flow.is_some(),
            form.set.is_some(),
            form.close.is_some(),
            form.note.is_some(),
            form.label.is_some(),
            form.reopen.is_some(),
        ];
        let in_account = [
            form.hand_over.is_some(),
            form.create_entity.is_some(),
            form.update_entity.is_some(),
            form.delete_entity.is_some(),
            form.person.is_some(),
            form.subscribe.is_some(),
            form.unsubscribe.is_some(),
            form.create.is_some(),
            form.replace.is_some(),
            form.delete.is_some(),
            form.link.is_some(),
            form.store.is_some(),
            form.issue.is_some(),
            form.revoke.is_some(),
        ];
        let given = in_conversation.into_iter().chain(in_account).filter(|is_there| *is_there);
        if given.count() != 1 {
            let message = "an entry of `act` needs exactly one action";
            let problem = Problem::at(&form.span, code::INVALID_ACT, message);
            self.problems.push(problem.help(format!("actions: {}", one_of(ACTIONS))));
            return None;
        }
        if in_conversation.contains(&true) {
            self.act_in_conversation(form)
        } else {
            self.act_in_account(form)
        }
    }

    fn act_in_conversation(&mut self, form: &ActForm) -> Option<ActTemplate> {
        if let Some(form) = &form.open {
            return self.open(form);
        }
        if let Some(form) = &form.say {
            return self.say(form);
        }
        if let Some(form) = &form.typing {
            return Some(ActTemplate::Typing { by: self.who(&form.by)?, on: form.on.value });
        }
        if let Some(form) = &form.note {
            let (by, text) = (self.who(&form.by), self.input(&form.text));
            return Some(ActTemplate::Note { by: by?, text: text? });
        }
        if let Some(form) = &form.label {
            return self.label(form);
        }
        if let Some(form) = &form.reopen {
            return Some(ActTemplate::Reopen { by: self.who(&form.by)? });
        }
        if let Some(form) = &form.join {
            return Some(ActTemplate::Join { by: self.who(&form.by)? });
        }
        if let Some(form) = &form.leave {
            return Some(ActTemplate::Leave { by: self.who(&form.by)? });
        }
        if let Some(form) = &form.read {
            return Some(ActTemplate::Read { by: self.who(&form.by)? });
        }
        if let Some(form) = &form.rate {
            let (by, score) = (self.who(&form.by), self.input(&form.score));
            let comment = self.optional_input(form.comment.as_ref());
            return Some(ActTemplate::Rate { by: by?, score: score?, comment: comment? });
        }
        if let Some(form) = &form.emit {
            return self.emit(form);
        }
        if let Some(form) = &form.assign {
            let by = self.who(&form.by);
            let to = match &form.to {
                Some(to) => Some(self.who(to)?),
                None => None,
            };
            let skill = self.optional_input(form.skill.as_ref());
            return Some(ActTemplate::Assign { by: by?, to, skill: skill? });
        }
        if let Some(form) = &form.flow {
            let (by, name) = (self.who(&form.by), self.input(&form.name));
            let states = form.states.as_ref().map_or(1, |states| states.value);
            return Some(ActTemplate::Flow { by: by?, name: name?, states });
        }
        if let Some(form) = &form.set {
            let (by, scope) = (self.who(&form.by), form.scope.value);
            let variables = self.input(&form.variables);
            return Some(ActTemplate::Set { by: by?, scope, variables: variables? });
        }
        let close = form.close.as_ref()?;
        let survey = close.survey.as_ref().filter(|survey| survey.value);
        if let Some(survey) = survey.filter(|_| !self.has_surveys) {
            let message = "the vendor has no surveys";
            let problem = Problem::at(&survey.span, code::CONTRADICTION, message);
            self.problems.push(problem.help("add `surveys = true` to `[conversation]`"));
        }
        Some(ActTemplate::Close { by: self.who(&close.by)?, survey: survey.is_some() })
    }

    fn label(&mut self, form: &LabelActForm) -> Option<ActTemplate> {
        let by = self.who(&form.by);
        let (action, labels) = match (&form.add, &form.remove) {
            (Some(labels), None) => (LabelAction::Added, labels),
            (None, Some(labels)) => (LabelAction::Removed, labels),
            _ => {
                let message = "`label` takes either `add` or `remove`";
                let problem = Problem::at(&form.span, code::INVALID_ACT, message);
                self.problems.push(problem.help("write two actions to do both"));
                return None;
            }
        };
        Some(ActTemplate::Label { by: by?, action, labels: self.input(labels)? })
    }

    fn say(&mut self, form: &SayActForm) -> Option<ActTemplate> {
        let kind = form.kind.as_ref().map_or("text", |kind| kind.as_str());
        if let Some(kind) = form.kind.as_ref().filter(|k| !self.kinds.contains(&k.as_str())) {
            let message = format!("unknown kind `{}`", kind.value);
            let problem = Problem::at(&kind.span, code::UNKNOWN_KIND, message);
            self.problems.push(problem.suggest_or_list(kind, self.kinds.iter().copied()));
        }
        let by = self.who(&form.by);
        let text = self.optional_input(form.text.as_ref());
        let data = self.table(&form.data, &form.span);
        Some(ActTemplate::Say { by: by?, kind: kind.to_owned(), text: text?, data: data? })
    }

    fn act_in_account(&mut self, form: &ActForm) -> Option<ActTemplate> {
        if let Some(form) = &form.person {
            let external_key = self.input(&form.external_key);
            let with = person_data(&form.with, &form.span, &self.context, self.problems);
            let role = form.role.value;
            return Some(ActTemplate::Person { role, external_key: external_key?, with: with? });
        }
        if let Some(form) = &form.create_entity {
            return self.create_entity(form);
        }
        if let Some(form) = &form.hand_over {
            return self.hand_over(form);
        }
        if let Some(form) = &form.update_entity {
            let (entity, by) = (self.entity(&form.entity), self.who(&form.by));
            let with = self.input(&form.with);
            return Some(ActTemplate::UpdateEntity { entity: entity?, by: by?, with: with? });
        }
        if let Some(form) = &form.delete_entity {
            let (entity, by) = (self.entity(&form.entity), self.who(&form.by));
            return Some(ActTemplate::DeleteEntity { entity: entity?, by: by? });
        }
        if let Some(form) = &form.issue {
            let credential = self.credential(&form.credential);
            let claims = self.table(&form.claims, &form.span);
            return Some(ActTemplate::Issue { credential: credential?, claims: claims? });
        }
        if let Some(form) = &form.revoke {
            return Some(ActTemplate::Revoke { credential: self.credential(&form.credential)? });
        }
        if let Some(form) = &form.unsubscribe {
            return Some(ActTemplate::Unsubscribe { group: self.input(&form.group)? });
        }
        if let Some(form) = &form.create {
            return self.create(form);
        }
        if let Some(form) = &form.replace {
            let (document, value) = (self.document(&form.document), self.input(&form.value));
            return Some(ActTemplate::Replace { document: document?, value: value? });
        }
        if let Some(form) = &form.delete {
            return Some(ActTemplate::Delete { document: self.document(&form.document)? });
        }
        if let Some(form) = &form.link {
            return self.link(form);
        }
        if let Some(form) = &form.store {
            return Some(ActTemplate::Store { file: self.hosted_file(&form.file)? });
        }
        form.subscribe.as_ref().and_then(|form| self.subscribe(form))
    }

    fn link(&mut self, form: &LinkActForm) -> Option<ActTemplate> {
        if form.path.is_some() == form.file.is_some() {
            let message = "a link needs `path` for a new file, or `file` for one that `find` gives";
            let problem = Problem::at(&form.span, code::INVALID_ACT, message);
            self.problems.push(problem.help("write one of them"));
        }
        let mut text = |text: &Spanned<String>| {
            TextTemplate::check(text, &self.context, TextRules::GENERATED, self.problems)
        };
        let signature = text(&form.signature);
        let path = form.path.as_ref().map(text);
        let file = form.file.as_ref().map(|name| self.hosted_file(name));
        Some(ActTemplate::Link {
            path: path.map_or(Some(None), |path| path.map(Some))?,
            file: file.map_or(Some(None), |file| file.map(Some))?,
            signature: signature?,
            life: form.life.value,
        })
    }

    /// Checks the name of a file.
    fn hosted_file(&mut self, name: &Spanned<String>) -> Option<String> {
        if self.files.contains(&name.value) {
            return Some(name.value.clone());
        }
        let message = format!("unknown file `{}`", name.value);
        let problem = Problem::at(&name.span, code::INVALID_ACT, message);
        let known = self.files.iter().map(String::as_str);
        self.problems.push(problem.suggest_or_list(name, known));
        None
    }

    /// Checks the creation of a document, which later actions can name.
    fn create(&mut self, form: &CreateActForm) -> Option<ActTemplate> {
        let (kind, value) = (&form.document, self.input(&form.value));
        let Some(rule) = self.documents.get(&kind.value) else {
            let message = format!("unknown kind of document `{}`", kind.value);
            let problem = Problem::at(&kind.span, code::INVALID_ACT, message);
            let known = self.documents.keys().map(String::as_str);
            self.problems.push(problem.suggest_or_list(kind, known));
            return None;
        };
        self.created = Some((kind.value.clone(), FieldType::table(rule.table())));
        self.named_documents.push(kind.value.clone());
        Some(ActTemplate::Create { document: kind.value.clone(), value: value? })
    }

    /// Checks the name of a document.
    fn document(&mut self, name: &Spanned<String>) -> Option<String> {
        if self.named_documents.contains(&name.value) {
            return Some(name.value.clone());
        }
        let message = format!("unknown document `{}`", name.value);
        let problem = Problem::at(&name.span, code::INVALID_ACT, message);
        let known = self.named_documents.iter().map(String::as_str);
        self.problems.push(problem.suggest_or_list(name, known));
        None
    }

    /// Checks the name of a credential whose tokens can be issued.
    fn credential(&mut self, name: &Spanned<String>) -> Option<String> {
        if self.credentials.get(&name.value).is_some_and(CredentialRule::can_be_issued) {
            return Some(name.value.clone());
        }
        let message = format!("no credential `{}` can be issued", name.value);
        let problem = Problem::at(&name.span, code::INVALID_ACT, message);
        let known = self.credentials.values().filter(|rule| rule.can_be_issued());
        let known: Vec<&str> = known.map(|rule| rule.name.as_str()).collect();
        let help = "a `jwt` can be issued, and a `raw` or `bearer` credential with `token`";
        self.problems.push(match known.as_slice() {
            [] => problem.help(help),
            known => problem.suggest_or_list(name, known.iter().copied()),
        });
        None
    }

    fn emit(&mut self, form: &EmitActForm) -> Option<ActTemplate> {
        let event_type = &form.event_type;
        if !self.event_types.contains(&event_type.as_str()) {
            let message = format!("unknown event `{}`", event_type.value);
            let problem = Problem::at(&event_type.span, code::INVALID_ACT, message);
            let known = self.event_types.iter().copied();
            self.problems.push(problem.suggest_or_list(event_type, known));
        }
        let (by, data) = (self.who(&form.by), self.table(&form.data, &form.span));
        Some(ActTemplate::Emit { by: by?, event_type: event_type.value.clone(), data: data? })
    }

    fn open(&mut self, form: &OpenActForm) -> Option<ActTemplate> {
        let (by, channel) = (self.who(&form.by), self.input(&form.channel));
        let assignee = match &form.assignee {
            Some(assignee) => Some(self.who(assignee)?),
            None => None,
        };
        let skill = self.optional_input(form.skill.as_ref())?;
        let single = form.single.as_ref().is_some_and(|single| single.value);
        let known = self.conversation_ids.clone();
        let ids = self.chosen_ids(&form.ids, "conversations", &known);
        let hidden = self.optional_input(form.hidden.as_ref())?;
        let (by, channel) = (by?, channel?);
        Some(ActTemplate::Open { by, channel, assignee, skill, single, ids, hidden })
    }

    fn subscribe(&mut self, form: &SubscribeActForm) -> Option<ActTemplate> {
        let (group, url) = (self.input(&form.group), self.input(&form.url));
        let types = self.optional_input(form.types.as_ref());
        let enabled = self.optional_input(form.enabled.as_ref());
        let headers = self.optional_input(form.headers.as_ref());
        let mut secret = BTreeMap::new();
        for (key, node) in form.secret.iter() {
            if !self.secrets.contains(&key.name.as_str()) {
                let message = format!("the account has no secret `{}`", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
                let known = self.secrets.iter().copied();
                self.problems.push(problem.suggest_or_list(&key.name, known));
            }
            secret.extend(self.input(node).map(|template| (key.name.clone(), template)));
        }
        Some(ActTemplate::Subscribe {
            group: group?,
            url: url?,
            types: types?,
            handshake: form.handshake.as_ref().is_none_or(|handshake| handshake.value),
            enabled: enabled?,
            headers: headers?,
            secret,
        })
    }

    /// Checks the ids that a client chooses.
    pub(super) fn chosen_ids(
        &mut self,
        form: &TableOf<SyntaxNode>,
        things: &str,
        known: &[&str],
    ) -> BTreeMap<String, InputTemplate> {
        let mut ids = BTreeMap::new();
        for (key, node) in form.iter() {
            if !known.contains(&key.name.as_str()) {
                let message = format!("{things} have no id `{}`", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
                self.problems.push(problem.suggest_or_list(&key.name, known.iter().copied()));
            }
            ids.extend(self.input(node).map(|template| (key.name.clone(), template)));
        }
        ids
    }

    pub(super) fn who(&mut self, name: &Spanned<String>) -> Option<WhoRef> {
        if self.people.contains(&name.value) {
            return Some(WhoRef::Found(name.value.clone()));
        }
        if name.value == "assignee" {
            return Some(WhoRef::Assignee);
        }
        if let Some(role) = Role::from_name(name) {
            return Some(WhoRef::Role(role));
        }
        let message = format!("unknown person `{}`", name.value);
        let problem = Problem::at(&name.span, code::INVALID_ACT, message);
        let found = self.people.iter().map(String::as_str);
        let known = found.chain(["assignee"]).chain(Role::NAMES.iter().copied());
        let problem = problem.suggest_or_list(name, known.collect::<Vec<_>>());
        self.problems.push(problem);
        None
    }

    pub(super) fn input(&mut self, node: &SyntaxNode) -> Option<InputTemplate> {
        InputTemplate::check(node, &self.context, self.problems)
    }

    /// Compiles a value that the form can lack. `None` is a value with mistakes.
    #[expect(
        clippy::option_option,
        reason = "the outer one is a mistake, the inner one a missing key"
    )]
    fn optional_input(&mut self, node: Option<&SyntaxNode>) -> Option<Option<InputTemplate>> {
        node.map_or(Some(None), |node| self.input(node).map(Some))
    }

    fn table(&mut self, form: &TableOf<SyntaxNode>, span: &SourceSpan) -> Option<InputTemplate> {
        table_template(form, span, &self.context, self.problems)
    }
}
