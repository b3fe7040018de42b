//! Actions of a call, before their values are read from it.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::call_match::CallMatchers;
use super::credential::CredentialRule;
use super::documents::DocumentRule;
use super::find::{person_data, table_template};
use super::forms::{
    ActForm, CreateActForm, EmitActForm, LinkActForm, SayActForm, SubscribeActForm,
};
use crate::base::text::one_of;
use crate::conversation::{Role, VariableScope};
use crate::diag::{Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code};
use crate::template::{
    CompileContext, Field, FieldType, InputTemplate, TableType, TextRules, TextTemplate, ValuePath,
};

/// An action of a call.
#[derive(Clone, Debug)]
pub struct ActRule {
    /// Conditions of the action.
    pub when: CallMatchers,
    /// List for whose elements it is performed.
    pub each: Option<EachElement>,
    /// The action.
    pub act: ActTemplate,
}

/// A list for whose elements an action is performed.
#[derive(Clone, Debug)]
pub struct EachElement {
    /// Name of the element in templates.
    pub name: String,
    /// The list.
    pub list: ValuePath,
}

/// Reference to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhoRef {
    /// The person with this role.
    Role(Role),
    /// The assignee of the conversation.
    Assignee,
    /// The person that `find` has given this name.
    Found(String),
}

/// An action whose values are read from the call.
#[derive(Clone, Debug)]
pub enum ActTemplate {
    /// Opens a conversation.
    Open {
        /// Visitor.
        by: WhoRef,
        /// Channel.
        channel: InputTemplate,
        /// First assignee.
        assignee: Option<WhoRef>,
        /// Skill of the queue.
        skill: Option<InputTemplate>,
        /// Whether the visitor can have one open conversation only.
        single: bool,
    },
    /// Sends a message.
    Say {
        /// Sender.
        by: WhoRef,
        /// Kind of message.
        kind: String,
        /// Text.
        text: Option<InputTemplate>,
        /// Data of the kind.
        data: InputTemplate,
    },
    /// Starts or stops typing.
    Typing {
        /// Who types.
        by: WhoRef,
        /// True to start, false to stop.
        on: bool,
    },
    /// Adds a note.
    Note {
        /// Who writes it.
        by: WhoRef,
        /// Text.
        text: InputTemplate,
    },
    /// Reopens the conversation.
    Reopen {
        /// Who reopens it.
        by: WhoRef,
    },
    /// Marks the messages of the other side as read.
    Read {
        /// Who reads.
        by: WhoRef,
    },
    /// Rates the conversation.
    Rate {
        /// Who rates.
        by: WhoRef,
        /// Score from 1 to 5.
        score: InputTemplate,
        /// Comment.
        comment: Option<InputTemplate>,
    },
    /// Sends an event that no other action causes.
    Emit {
        /// Whom the event is about.
        by: WhoRef,
        /// The vendor's name of the event.
        event_type: String,
        /// Content of the event.
        data: InputTemplate,
    },
    /// Assigns the conversation.
    Assign {
        /// Who assigns.
        by: WhoRef,
        /// New assignee; `None` for a queue.
        to: Option<WhoRef>,
        /// Skill of the queue.
        skill: Option<InputTemplate>,
    },
    /// Starts a flow of the bot.
    Flow {
        /// Who starts it.
        by: WhoRef,
        /// Name.
        name: InputTemplate,
        /// Number of its states.
        states: i64,
    },
    /// Stores variables.
    Set {
        /// Who sets them.
        by: WhoRef,
        /// Owner of the variables.
        scope: VariableScope,
        /// The variables.
        variables: InputTemplate,
    },
    /// Closes the conversation.
    Close {
        /// Who closes it.
        by: WhoRef,
    },
    /// Creates or changes a person.
    Person {
        /// Role.
        role: Role,
        /// Id in the receiver's system.
        external_key: InputTemplate,
        /// Data to set.
        with: InputTemplate,
    },
    /// Subscribes a URL to events.
    Subscribe {
        /// Group whose subscriptions it replaces.
        group: InputTemplate,
        /// URL of the receiver.
        url: InputTemplate,
        /// Patterns of event types.
        types: Option<InputTemplate>,
        /// Whether the vendor tests the URL first.
        handshake: bool,
        /// Whether events are sent.
        enabled: Option<InputTemplate>,
        /// Headers besides the vendor's.
        headers: Option<InputTemplate>,
        /// Secrets that have another value for this URL, by name.
        secret: BTreeMap<String, InputTemplate>,
    },
    /// Ends the subscriptions of a group.
    Unsubscribe {
        /// The group.
        group: InputTemplate,
    },
    /// Creates an entity.
    CreateEntity {
        /// Kind, and its name for later actions.
        kind: String,
        /// Who creates it.
        by: WhoRef,
        /// Its fields.
        with: InputTemplate,
    },
    /// Changes an entity.
    UpdateEntity {
        /// Name of the entity.
        entity: String,
        /// Who changes it.
        by: WhoRef,
        /// Fields to set.
        with: InputTemplate,
    },
    /// Deletes an entity.
    DeleteEntity {
        /// Name of the entity.
        entity: String,
        /// Who deletes it.
        by: WhoRef,
    },
    /// Creates a document.
    Create {
        /// Kind of document, and its name for later actions.
        document: String,
        /// Content.
        value: InputTemplate,
    },
    /// Replaces the content of a document.
    Replace {
        /// Name of the document.
        document: String,
        /// Content.
        value: InputTemplate,
    },
    /// Deletes a document.
    Delete {
        /// Name of the document.
        document: String,
    },
    /// Creates a link to a file.
    Link {
        /// Path of a new file.
        path: Option<TextTemplate>,
        /// Name of a file.
        file: Option<String>,
        /// Secret part of the URL.
        signature: TextTemplate,
        /// How long it is valid.
        life: SignedDuration,
    },
    /// Stores the file that the call transfers.
    Store {
        /// Name of the file.
        file: String,
    },
    /// Issues a token.
    Issue {
        /// Credential of the token.
        credential: String,
        /// Claims besides those of the credential.
        claims: InputTemplate,
    },
    /// Revokes the token that the call presents.
    Revoke {
        /// Credential of the token.
        credential: String,
    },
}

impl ActTemplate {
    /// Returns true if the action is about an entity.
    pub fn is_about_entity(&self) -> bool {
        matches!(
            self,
            Self::CreateEntity { .. } | Self::UpdateEntity { .. } | Self::DeleteEntity { .. }
        )
    }

    /// Returns true if the action happens in a conversation.
    pub fn needs_conversation(&self) -> bool {
        matches!(
            self,
            Self::Open { .. }
                | Self::Say { .. }
                | Self::Typing { .. }
                | Self::Read { .. }
                | Self::Rate { .. }
                | Self::Emit { .. }
                | Self::Assign { .. }
                | Self::Flow { .. }
                | Self::Set { .. }
                | Self::Close { .. }
                | Self::Note { .. }
                | Self::Reopen { .. }
        )
    }
}

/// The keys of `act`.
const ACTIONS: [&str; 25] = [
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
    "reopen",
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
    /// Secrets of the account.
    pub(super) secrets: Vec<&'a str>,
    /// Kinds of documents.
    pub(super) documents: &'a BTreeMap<String, DocumentRule>,
    /// Types of entities, by kind.
    pub(super) entities: &'a BTreeMap<String, TableType>,
    /// Entities that `find` or an action gives.
    pub(super) named_entities: Vec<String>,
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
        Some(ActRule { when, each, act: act? })
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
            form.read.is_some(),
            form.rate.is_some(),
            form.emit.is_some(),
            form.assign.is_some(),
            form.flow.is_some(),
            form.set.is_some(),
            form.close.is_some(),
            form.note.is_some(),
            form.reopen.is_some(),
        ];
        let in_account = [
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
            let by = self.who(&form.by);
            let channel = self.input(&form.channel);
            let assignee = match &form.assignee {
                Some(assignee) => Some(self.who(assignee)?),
                None => None,
            };
            let skill = self.optional_input(form.skill.as_ref())?;
            let single = form.single.as_ref().is_some_and(|single| single.value);
            return Some(ActTemplate::Open { by: by?, channel: channel?, assignee, skill, single });
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
        if let Some(form) = &form.reopen {
            return Some(ActTemplate::Reopen { by: self.who(&form.by)? });
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
        Some(ActTemplate::Close { by: self.who(&close.by)? })
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
