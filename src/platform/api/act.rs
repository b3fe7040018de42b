//! Actions of a call, before their values are read from it.

use std::collections::BTreeMap;

use super::call_match::CallMatchers;
use super::find::{person_data, table_template};
use super::forms::{ActForm, SubscribeActForm};
use crate::base::text::one_of;
use crate::conversation::{Role, VariableScope};
use crate::diag::{Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code};
use crate::template::{CompileContext, FieldType, InputTemplate, ValuePath};

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
    /// Assigns the conversation.
    Assign {
        /// Who assigns.
        by: WhoRef,
        /// New assignee; `None` for a queue.
        to: Option<WhoRef>,
        /// Skill of the queue.
        skill: Option<InputTemplate>,
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
        /// Whether events are sent.
        enabled: Option<InputTemplate>,
        /// Secrets that have another value for this URL, by name.
        secret: BTreeMap<String, InputTemplate>,
    },
}

impl ActTemplate {
    /// Returns true if the action happens in a conversation.
    pub fn needs_conversation(&self) -> bool {
        !matches!(self, Self::Person { .. } | Self::Subscribe { .. })
    }
}

/// Checks the actions of an operation.
pub(super) struct ActChecker<'a> {
    /// Context of the templates.
    pub(super) context: CompileContext<'a>,
    /// Names of people that `find` gives.
    pub(super) people: Vec<String>,
    /// Message kinds of the vendor.
    pub(super) kinds: Vec<&'a str>,
    /// Secrets of the account.
    pub(super) secrets: Vec<&'a str>,
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
        let keys = [
            form.open.is_some(),
            form.say.is_some(),
            form.assign.is_some(),
            form.set.is_some(),
            form.close.is_some(),
            form.person.is_some(),
            form.subscribe.is_some(),
        ];
        if keys.into_iter().filter(|is_there| *is_there).count() != 1 {
            let message = "an entry of `act` needs exactly one action";
            let problem = Problem::at(&form.span, code::INVALID_ACT, message);
            let actions = ["open", "say", "assign", "set", "close", "person", "subscribe"];
            self.problems.push(problem.help(format!("actions: {}", one_of(actions))));
            return None;
        }
        if let Some(form) = &form.open {
            let by = self.who(&form.by);
            let channel = self.input(&form.channel);
            let assignee = match &form.assignee {
                Some(assignee) => Some(self.who(assignee)?),
                None => None,
            };
            return Some(ActTemplate::Open { by: by?, channel: channel?, assignee });
        }
        if let Some(form) = &form.say {
            let kind = form.kind.as_ref().map_or("text", |kind| kind.as_str());
            if let Some(kind) = form.kind.as_ref().filter(|k| !self.kinds.contains(&k.as_str())) {
                let message = format!("unknown kind `{}`", kind.value);
                let problem = Problem::at(&kind.span, code::UNKNOWN_KIND, message);
                self.problems.push(problem.suggest_or_list(kind, self.kinds.iter().copied()));
            }
            let by = self.who(&form.by);
            let text = self.optional_input(form.text.as_ref());
            let data = self.table(&form.data, &form.span);
            return Some(ActTemplate::Say {
                by: by?,
                kind: kind.to_owned(),
                text: text?,
                data: data?,
            });
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
        if let Some(form) = &form.set {
            let (by, scope) = (self.who(&form.by), form.scope.value);
            let variables = self.input(&form.variables);
            return Some(ActTemplate::Set { by: by?, scope, variables: variables? });
        }
        if let Some(form) = &form.close {
            return Some(ActTemplate::Close { by: self.who(&form.by)? });
        }
        if let Some(form) = &form.person {
            let external_key = self.input(&form.external_key);
            let with = person_data(&form.with, &form.span, &self.context, self.problems);
            let role = form.role.value;
            return Some(ActTemplate::Person { role, external_key: external_key?, with: with? });
        }
        form.subscribe.as_ref().and_then(|form| self.subscribe(form))
    }

    fn subscribe(&mut self, form: &SubscribeActForm) -> Option<ActTemplate> {
        let (group, url) = (self.input(&form.group), self.input(&form.url));
        let types = self.optional_input(form.types.as_ref());
        let enabled = self.optional_input(form.enabled.as_ref());
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
            enabled: enabled?,
            secret,
        })
    }

    fn who(&mut self, name: &Spanned<String>) -> Option<WhoRef> {
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

    fn input(&mut self, node: &SyntaxNode) -> Option<InputTemplate> {
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
