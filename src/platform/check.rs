//! Checks a vendor's file as a whole and compiles everything in it.
//!
//! All problems of a folder are found in one pass, and nothing of a folder with a problem is used.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::AccountTemplate;
use super::delivery::{self, RetryRule};
use super::event_rule::{Counter, EventRule, SilenceRules};
use super::fields::FieldDefaults;
use super::forms::{
    Certainty, EventForm, FirstAssignee, HandshakeForm, HandshakeKind, JsonForm, KindForm,
    Matching, OnFailure, Pointer, SignatureForm, SourceForm, VendorForm,
};
use super::handshake::{Handshake, Proof};
use super::message_kind::MessageKind;
use super::request::{HeaderRule, OptionValues, RequestRules, SignatureRule, order};
use super::root_types::RootTypes;
use super::signature::{Algorithm, Encoding};
use super::subscription::Subscription;
use super::verify::DisplayPointers;
use super::{Platform, coverage};
use crate::base::text::{A_NAME, is_name, one_of};
use crate::config::{check_header_name, check_header_value};
use crate::conversation::{ConversationRules, EventKind};
use crate::diag::{
    Form as _, Key, NodeContent, Problem, Problems, SourceSpan, Spanned, SyntaxNode, Table,
    TableOf, code,
};
use crate::policy::StatusSet;
use crate::template::{
    CompileContext, Field, JsonStyle, JsonTemplate, TableType, TextRules, TextTemplate, compile,
};

/// The templates of a folder, by file name.
pub(super) type Templates = BTreeMap<String, Arc<SyntaxNode>>;

/// Checks a vendor's file with its templates.
pub(super) fn check(
    node: &SyntaxNode,
    revision: &str,
    templates: &Templates,
    problems: &mut Problems,
) -> Option<Platform> {
    let form = VendorForm::read(node, problems)?;
    if !is_name(&form.id) {
        let message = format!("a vendor's id is {A_NAME}");
        problems.push(Problem::at(&form.id.span, code::VENDOR_FOLDER, message));
    }
    let (vocabulary, ids, fixed) = RootTypes::of(&form, problems);
    let mut checker = PlatformChecker { form: &form, vocabulary, templates, problems };
    let style = style(&form.json);
    let known = KnownKinds { kinds: checker.kinds(style), entities: checker.entities() };
    let events = checker.events(style, &known);
    let requests = checker.requests(&fixed);
    let handshake = checker.handshake(style);
    let policy = delivery::policy(&form.delivery, checker.problems);
    let retries = checker.retries(&fixed);
    let wire = order(&form, checker.problems);
    let quiet = SilenceRules { silent: reasons(&form.silent), cannot: reasons(&form.cannot) };
    let counters = form.counter.iter().map(|(key, counter)| {
        let start = counter.start.as_ref().map_or(0, |start| start.value);
        let messages = counter.messages.as_ref().is_some_and(|messages| messages.value);
        (key.name.clone(), Counter { scope: counter.per.value, start, messages })
    });
    coverage::check(node, &form, &quiet, problems);
    coverage::check_changed(&form, problems);
    coverage::check_sources(node, &form, problems);
    let pointers = |list: Option<&Vec<Spanned<Pointer>>>| -> Vec<String> {
        list.into_iter().flatten().map(|pointer| pointer.0.clone()).collect()
    };
    let types: Vec<&str> = form.event.iter().map(|event| event.type_.as_str()).collect();
    let source = |(key, source): (&Key, &SourceForm)| (key.name.clone(), source.clone());
    Some(Platform {
        sources: form.source.iter().map(source).collect(),
        samples: BTreeMap::new(), // the catalog knows the files
        revision: revision.to_owned(),
        docs: form.docs.as_ref().map(|docs| docs.value.clone()),
        differs: form.revision.as_ref().map(|revision| revision.told(&form.id)),
        matching: form.subscription.matching.as_ref().map_or(Matching::Pair, |by| by.value),
        default_subscription: Subscription::check(&form.subscription.default, &types, problems),
        rules: rules(&form),
        counters: counters.collect(),
        show: DisplayPointers {
            event: pointers(form.show.as_ref().map(|show| &show.event)),
            text: pointers(form.show.as_ref().map(|show| &show.text)),
        },
        policy: policy?,
        retries,
        wire,
        handshake: handshake?,
        requests: requests?,
        id: form.id.value,
        name: form.name.value,
        events,
        kinds: known.kinds,
        entities: known.entities,
        account_template: fixed,
        ids,
        silence: quiet,
    })
}

/// What events can be about.
struct KnownKinds {
    kinds: BTreeMap<String, MessageKind>,
    entities: BTreeMap<String, FieldDefaults>,
}

struct PlatformChecker<'a> {
    form: &'a VendorForm,
    vocabulary: RootTypes,
    templates: &'a Templates,
    problems: &'a mut Problems,
}

impl PlatformChecker<'_> {
    fn problem(&mut self, span: &SourceSpan, code: crate::diag::Code, message: impl Into<String>) {
        self.problems.push(Problem::at(span, code, message));
    }

    fn unknown_kind<'k>(&mut self, kind: &Spanned<String>, known: impl Iterator<Item = &'k str>) {
        let message = format!("there is no kind `{}`", kind.value);
        let problem = Problem::at(&kind.span, code::UNKNOWN_KIND, message);
        self.problems.push(problem.known(kind, known));
    }

    fn compile(
        &mut self,
        node: &SyntaxNode,
        names: TableType,
        style: JsonStyle,
    ) -> Option<JsonTemplate> {
        let templates = self.templates;
        let files = |name: &str| templates.get(name).cloned();
        let context = CompileContext { names, words: &self.vocabulary.words, files: &files };
        compile(node, &context, style, self.problems)
    }

    fn template(&mut self, name: &Spanned<String>) -> Option<Arc<SyntaxNode>> {
        let found = self.templates.get(&name.value).cloned();
        if found.is_none() {
            let message = format!("the folder has no template `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_TEMPLATE, message);
            self.problems.push(problem.known(name, self.templates.keys().map(String::as_str)));
        }
        found
    }

    fn line(&mut self, text: &Spanned<String>, names: TableType) -> Option<TextTemplate> {
        let context = CompileContext::without_files(names, &self.vocabulary.words);
        TextTemplate::check(text, &context, TextRules::default(), self.problems)
    }

    fn kinds(&mut self, style: JsonStyle) -> BTreeMap<String, MessageKind> {
        let form = self.form;
        let mut kinds = BTreeMap::new();
        for (key, kind) in form.kinds.iter().filter(|(_, kind)| kind.as_.is_none()) {
            let checked = self.kind(&key.name, kind, style);
            kinds.extend(checked.map(|checked| (key.name.clone(), checked)));
        }
        for (key, kind) in form.kinds.iter() {
            let Some(other) = &kind.as_ else { continue };
            match kinds.get(&other.value) {
                Some(known) => {
                    let known = known.clone();
                    if let Some(data) = self.data(&kind.span, &kind.data, &kind.optional) {
                        kinds.insert(key.name.clone(), MessageKind { data, ..known });
                    }
                }
                None if form.kinds.contains(&other.value) => {} // told already
                None => self.unknown_kind(other, form.kinds.names()),
            }
        }
        kinds
    }

    fn kind(&mut self, name: &str, form: &KindForm, style: JsonStyle) -> Option<MessageKind> {
        let data = self.data(&form.span, &form.data, &form.optional)?;
        let names = self.vocabulary.of_kind(&data.names(&self.vocabulary.items));
        let body = match (&form.body, &form.template) {
            (Some(node), None) => self.compile(node, names, style),
            (None, Some(file)) => {
                let node = self.template(file)?;
                self.compile(&node, names, style)
            }
            (Some(_), Some(file)) => {
                let message = format!("the kind `{name}` has a `body` as well");
                let problem = Problem::at(&file.span, code::CONTRADICTION, message);
                self.problems.push(
                    problem.help("a long body stands in a `template`, a short one in `body`"),
                );
                None
            }
            (None, None) => {
                let message = format!("the kind `{name}` needs `body` or `template`");
                let problem = Problem::at(&form.span, code::MISSING_KEY, message);
                self.problems.push(
                    problem.help("a `body` is a template in place, such as `\"${message.text}\"`"),
                );
                None
            }
        };
        let Some(word) = &form.word else {
            let message = format!("the kind `{name}` needs a `word`");
            let problem = Problem::at(&form.span, code::MISSING_KEY, message);
            self.problems.push(problem.help("`word` is what the vendor calls it: `message.type`"));
            return None;
        };
        if let Some(other) = form.answers.as_ref().filter(|o| !self.form.kinds.contains(&o.value)) {
            self.unknown_kind(other, self.form.kinds.names());
        }
        Some(MessageKind {
            name: name.to_owned(),
            word: word.value.clone(),
            data,
            answers: form.answers.as_ref().map(|other| other.value.clone()),
            body: body?,
        })
    }

    /// What a step may give, with what it is otherwise.
    fn data(
        &mut self,
        span: &SourceSpan,
        form: &TableOf<SyntaxNode>,
        optional: &[Spanned<String>],
    ) -> Option<FieldDefaults> {
        let node =
            SyntaxNode { span: span.clone(), content: NodeContent::Table(Table(form.entries())) };
        let names = self.vocabulary.of_data();
        let otherwise = self.compile(&node, names, JsonStyle::COMPACT)?;
        let optional = optional.iter().map(|key| key.value.clone()).collect();
        Some(FieldDefaults { written: form.to_json(), optional, otherwise })
    }

    fn entities(&mut self) -> BTreeMap<String, FieldDefaults> {
        let mut entities = BTreeMap::new();
        for (key, entity) in self.form.entities.iter() {
            let data = self.data(&entity.span, &entity.data, &entity.optional);
            entities.extend(data.map(|data| (key.name.clone(), data)));
        }
        entities
    }

    fn events(&mut self, style: JsonStyle, known: &KnownKinds) -> Vec<EventRule> {
        let section = self.form.source.get("event").map_or(Certainty::Assumed, |s| s.status.value);
        let mut rules = Vec::new();
        for event in &self.form.event {
            rules.extend(self.event(event, style, known, section));
        }
        rules
    }

    fn event(
        &mut self,
        form: &EventForm,
        spelling_of_vendor: JsonStyle,
        known: &KnownKinds,
        section: Certainty,
    ) -> Option<EventRule> {
        let on = self.event_kind(&form.on);
        if form.type_.is_empty() {
            let problem = Problem::at(&form.type_.span, code::EMPTY, "the type has no name");
            self.problems.push(problem.help("it is the vendor's name for the event"));
        }
        let counter = form.counter.as_ref().filter(|name| self.is_counter(name));
        let data = match on {
            Some(EventKind::Emitted) => Some(self.data(&form.span, &form.data, &[])?),
            _ => None,
        };
        let names = match &data {
            Some(data) => data.names(&self.vocabulary.items),
            None => self.names_of(form, on, known),
        };
        let template = self.template(&form.template);
        let names = self.vocabulary.of_event(on?, &names, counter.map(|name| name.value.as_str()));
        let json = form.json.as_ref().map_or(spelling_of_vendor, style);
        Some(EventRule {
            on: on?,
            event_type: form.type_.value.clone(),
            previous_names: form.previous_names.iter().map(|name| name.value.clone()).collect(),
            certainty: form.source.as_ref().map_or(section, |source| source.status.value),
            when: form.when.clone(),
            body: self.compile(&*template?, names, json)?,
            counter: counter.map(|name| name.value.clone()),
            data,
        })
    }

    fn event_kind(&mut self, on: &Spanned<String>) -> Option<EventKind> {
        let kind = EventKind::of_word(on);
        if kind.is_none() {
            let message = format!("there is no neutral event `{}`", on.value);
            let problem = Problem::at(&on.span, code::UNKNOWN_EVENT, message);
            self.problems.push(problem.known(on, EventKind::WORDS.iter().copied()));
        }
        kind
    }

    fn is_counter(&mut self, name: &Spanned<String>) -> bool {
        let known = self.form.counter.contains(&name.value);
        if !known {
            let message = format!("there is no counter `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_COUNTER, message);
            self.problems.push(problem.known(name, self.form.counter.names()));
        }
        known
    }

    /// The names of the data of a message or an entity, where an event is about one kind only.
    fn names_of(
        &mut self,
        form: &EventForm,
        on: Option<EventKind>,
        known: &KnownKinds,
    ) -> Vec<Field> {
        let wanted = form.when.as_ref().map(|when| when.kind.as_slice()).unwrap_or_default();
        let about_message = on == Some(EventKind::MessageSent);
        let kinds: Vec<&str> = if about_message {
            self.form.kinds.names().collect()
        } else {
            self.form.entities.names().collect()
        };
        for kind in wanted.iter().filter(|kind| !kinds.contains(&kind.as_str())) {
            self.unknown_kind(kind, kinds.iter().copied());
        }
        let [one] = wanted else { return Vec::new() };
        let data = if about_message {
            known.kinds.get(&one.value).map(|kind| &kind.data)
        } else {
            known.entities.get(&one.value)
        };
        data.map(|data| data.names(&self.vocabulary.items)).unwrap_or_default()
    }

    fn requests(&mut self, fixed: &AccountTemplate) -> Option<RequestRules> {
        let names = self.vocabulary.of_request();
        let mut rules = RequestRules::default();
        for header in &self.form.header {
            let when = OptionValues::check(&header.when, &self.form.option, self.problems);
            if let Err(message) = check_header_name(&header.name) {
                self.problem(&header.name.span, code::WRONG_HEADER, message);
            }
            if let Err(problem) = check_header_value(&header.value, &header.value.span) {
                self.problems.push(problem);
            }
            let value = self.line(&header.value, names.clone());
            rules.headers.extend(value.map(|value| HeaderRule {
                name: header.name.value.clone(),
                value,
                only: header.only.as_ref().map(|only| only.value),
                when,
            }));
        }
        rules.signature = match &self.form.signature {
            Some(signature) => Some(self.signature(signature, &names, fixed)?),
            None => None,
        };
        Some(rules)
    }

    fn signature(
        &mut self,
        form: &SignatureForm,
        names: &TableType,
        fixed: &AccountTemplate,
    ) -> Option<SignatureRule> {
        let texts = [&form.algorithm, &form.key, &form.content, &form.encoding];
        let [algorithm, key, content, encoding] = texts.map(|text| self.line(text, names.clone()));
        for options in fixed.every_choice() {
            let roots = super::context::TemplateContext::default().with("option", &options);
            let words = [
                (&form.algorithm, &algorithm, Algorithm::WORDS),
                (&form.encoding, &encoding, Encoding::WORDS),
            ];
            let words = words
                .into_iter()
                .filter_map(|(at, line, known)| Some((at, line.as_ref()?.render(&roots), known)));
            for (at, word, known) in
                words.filter(|(_, word, known)| !known.contains(&word.as_str()))
            {
                let message = format!("`{word}` is not {}", one_of(known.iter().copied()));
                let problem = Problem::at(&at.span, code::UNKNOWN_WORD, message);
                self.problems.push(problem.near(&word, known.iter().copied()));
            }
        }
        Some(SignatureRule {
            algorithm: algorithm?,
            key: key?,
            content: content?,
            encoding: encoding?,
        })
    }

    fn retries(&mut self, fixed: &AccountTemplate) -> Vec<RetryRule> {
        let context =
            CompileContext::without_files(self.vocabulary.base.clone(), &self.vocabulary.words);
        let rule = |form| RetryRule::check(form, self.form, (&context, fixed), self.problems);
        self.form.delivery.retry.iter().filter_map(rule).collect()
    }

    fn handshake(&mut self, style: JsonStyle) -> Option<Handshake> {
        let form = &self.form.handshake;
        let on_failure = form.on_failure.as_ref().map_or(OnFailure::Refuse, |on| on.value);
        let proof = match form.kind.value {
            HandshakeKind::None => None,
            HandshakeKind::Ping => Some(self.proof(form, None, style)?),
            HandshakeKind::Echo => {
                let Some(echo) = &form.echo else {
                    let message = "an `echo` handshake needs `echo`";
                    let problem = Problem::at(&form.span, code::MISSING_KEY, message);
                    self.problems
                        .push(problem.help("it is what must come back: `\"${secret.token}\"`"));
                    return None;
                };
                let echo = self.line(echo, self.vocabulary.base.clone())?;
                Some(self.proof(form, Some(echo), style)?)
            }
        };
        Some(Handshake { proof, on_failure })
    }

    fn proof(
        &mut self,
        form: &HandshakeForm,
        echo: Option<TextTemplate>,
        style: JsonStyle,
    ) -> Option<Proof> {
        let Some(body) = &form.body else {
            let problem =
                Problem::at(&form.span, code::MISSING_KEY, "the handshake needs a `body`");
            self.problems.push(problem.help("it is what the endpoint is sent, such as `{}`"));
            return None;
        };
        let success: &[Spanned<String>] =
            if form.success.is_empty() { &self.form.delivery.success } else { &form.success };
        Some(Proof {
            success: statuses(success, self.problems)?,
            body: self.compile(body, self.vocabulary.base.clone(), style)?,
            echo,
            echo_key: form.echo_key.as_ref().map(|key| key.value.clone()),
        })
    }
}

fn reasons(form: &TableOf<Spanned<String>>) -> BTreeMap<String, String> {
    form.iter().map(|(key, reason)| (key.name.clone(), reason.value.clone())).collect()
}

fn style(form: &JsonForm) -> JsonStyle {
    JsonStyle { spacing: form.spacing.value, ascii: form.ascii.value }
}

fn rules(form: &VendorForm) -> ConversationRules {
    form.conversation.as_ref().map_or_else(ConversationRules::default, |form| ConversationRules {
        assigns_after_open: form.assignee.value == FirstAssignee::AfterOpen,
        offers: form.offers.as_ref().is_some_and(|offers| offers.value),
        reply_within: form.reply_within.as_ref().map(|within| within.value),
    })
}

pub(super) fn statuses(parts: &[Spanned<String>], problems: &mut Problems) -> Option<StatusSet> {
    for part in parts {
        if let Err(error) = StatusSet::parse([part.as_str()]) {
            problems.push(Problem::at(&part.span, code::UNKNOWN_STATUS, error.to_string()));
        }
    }
    StatusSet::parse(parts.iter().map(|part| part.as_str())).ok()
}
