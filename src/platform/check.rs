//! Checks a vendor file and its templates, and compiles them into a [`Platform`].
//!
//! One pass reports every problem of a folder. A folder with a problem is not used at all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, Time};
use jiff::fmt::strtime;

use super::account_template::AccountTemplate;
use super::api::{ApiChecker, BotChecker, BotRules};
use super::coverage;
use super::definition::{DisplayPointers, FactSource, Platform};
use super::delivery::{self, RetryRule};
use super::entity_rules::EntityRules;
use super::event_rule::{Counter, EventCondition, EventRule, SilenceRules};
use super::field_info;
use super::field_limits::{FieldLimit, TEXT};
use super::fields::FieldDefaults;
use super::forms::{
    Certainty, CounterForm, EventForm, FirstAssignee, HeaderForm, JsonForm, KindForm, LimitForm,
    Matching, Pointer, RevisionForm, ShowForm, SourceForm, UnsetValue, VendorForm, WhenForm,
};
use super::message_kind::MessageKind;
use super::numbers::NumberFormat;
use super::request::wire_format;
use super::request_check::{RequestChecker, Templates};
use super::root_types::RootTypes;
use super::subscription::Subscription;
use crate::base::text::{NAME_RULE, is_name};
use crate::conversation::{
    ConversationRules, EventKind, JoiningRoles, StaffAccess, UpdatingEvents, model,
};
use crate::diag::{
    Form as _, Key, NodeContent, Problem, Problems, SourceSpan, Spanned, SyntaxNode, Table,
    TableOf, code,
};
use crate::template::{
    CompileContext, Field, FieldType, JsonStyle, JsonTemplate, TableType, compile,
};

/// Checks a vendor file with its templates. Returns `None` if a part has no usable form; the caller
/// must also reject the result if there are problems.
pub(super) fn check(
    node: &SyntaxNode,
    revision: &str,
    templates: &Templates,
    problems: &mut Problems,
) -> Option<Platform> {
    let mut of_form = Problems::new();
    let form = VendorForm::read(node, &mut of_form);
    problems.extend(of_form.helped(help_for_missing));
    let form = form?;
    if !is_name(&form.id) {
        let message = format!("a vendor's id must be {NAME_RULE}");
        problems.push(Problem::at(&form.id.span, code::VENDOR_FOLDER, message));
    }
    let (types, ids, account_template) = RootTypes::check(&form, problems);
    let mut checker = PlatformChecker { form: &form, types, templates, problems };
    let style = style(&form.json);
    // Kinds come first: an event about one kind can use the kind's data.
    let known = KnownKinds { kinds: checker.kinds(style), entities: checker.entities() };
    let events = checker.events(style, &known);
    let mut requests = RequestChecker {
        form: &form,
        types: &checker.types,
        templates,
        account: &account_template,
        problems: &mut *checker.problems,
    };
    let (requests, handshake) = (requests.rules(), requests.handshake(style));
    let policy = delivery::policy(&form.delivery, checker.problems);
    let slow = delivery::slow_responses(&form.delivery, checker.problems);
    let retries = checker.retries(&account_template);
    let wire = wire_format(&form, checker.problems);
    let mut api = ApiChecker {
        form: &form,
        entities: &known.entity_types(&checker.types),
        types: &checker.types,
        ids: &ids,
        templates,
        style,
        documents: BTreeMap::new(),
        credentials: BTreeMap::new(),
        reads: &RefCell::default(),
        problems: &mut *checker.problems,
    };
    let api = api.rules();
    let context = CompileContext::without_files(checker.types.base.clone(), &checker.types.words);
    let declared = operation_names(&form);
    let mut bot = BotChecker { rules: &api, declared, context, problems: &mut *checker.problems };
    let bot = form.bot.as_ref().map_or_else(BotRules::default, |form| bot.check(form));
    let silence = SilenceRules { silent: reasons(&form.silent), cannot: reasons(&form.cannot) };
    coverage::check(node, &form, &silence, problems);
    coverage::check_changed(&form, problems);
    field_info::check(&form, problems);
    coverage::check_sources(node, &form, problems);
    let types: Vec<&str> = form.event.iter().map(|event| event.type_.as_str()).collect();
    Some(Platform {
        sources: sources(&form),
        fields: field_info::read(&form),
        samples: BTreeMap::new(), // added by the catalog, which has the files
        revision: revision.to_owned(),
        docs: form.docs.as_ref().map(|docs| docs.value.clone()),
        differs: form.revision.as_ref().map(|revision| revision.summary(&form.id)),
        instead: form.revision.as_ref().and_then(RevisionForm::instead),
        matching: form.subscription.matching.as_ref().map_or(Matching::Pair, |by| by.value),
        default_subscription: Subscription::check(&form.subscription.default, &types, problems),
        numbers: form.numbers.as_ref().map_or(NumberFormat::JavaScript, |by| by.value),
        rules: Arc::new(rules(&form)),
        counters: counters(&form),
        show: form.show.as_ref().map(display_pointers).unwrap_or_default(),
        // Missing parts return here and not earlier, so that one pass reports all problems.
        api,
        bot,
        sends_secret: sends_secret(&form, templates),
        policy: policy?,
        slow,
        retries,
        wire,
        handshake: handshake?,
        requests: requests?,
        id: form.id.value,
        name: form.name.value,
        events,
        kinds: known.kinds,
        entities: known.entities,
        account_template,
        ids,
        silence,
    })
}

fn display_pointers(form: &ShowForm) -> DisplayPointers {
    let pointers = |list: &[Spanned<Pointer>]| list.iter().map(|one| one.0.clone()).collect();
    DisplayPointers {
        event: pointers(&form.event),
        text: pointers(&form.text),
        conversation: pointers(&form.conversation),
        time: pointers(&form.time),
    }
}

/// Returns how to write a required key that a file lacks.
fn help_for_missing(problem: &Problem) -> Option<String> {
    let help = match problem.message.as_str() {
        "the key `body` is missing" => {
            "write `body = \"none\"` if the calls of the route have no body, else how it is read, \
             such as `body = \"json\"`"
        }
        "the key `handshake` is missing" => "write `[handshake]` with `kind = \"none\"`",
        "the key `subscription` is missing" => "write `[subscription]` with `default = [\"*\"]`",
        _ => return None,
    };
    (problem.code == code::MISSING_KEY).then(|| help.to_owned())
}

/// Returns the names of the operations of the API. A route without `[[operation]]` is one.
fn operation_names(form: &VendorForm) -> Vec<&str> {
    let operations = form.operation.iter().map(|operation| operation.name.as_str());
    operations.chain(form.route.iter().map(|route| route.name.as_str())).collect()
}

/// Returns whether webhooks contain a secret. Those of the API only verify calls.
fn sends_secret(form: &VendorForm, templates: &Templates) -> bool {
    const SECRET: &str = "${secret.";
    let in_headers = form.header.iter().any(|header| header.value.value.contains(SECRET));
    let mut files = templates.iter().filter(|(name, _)| !name.starts_with("api/"));
    let in_bodies = files.any(|(_, node)| node.span.source.text.contains(SECRET));
    in_headers || in_bodies || !form.signature.0.is_empty()
}

/// The checked kinds of messages and entities.
struct KnownKinds {
    kinds: BTreeMap<String, MessageKind>,
    entities: BTreeMap<String, FieldDefaults>,
}

impl KnownKinds {
    /// Returns the types of entities, by kind.
    fn entity_types(&self, types: &RootTypes) -> BTreeMap<String, TableType> {
        let entity = |(kind, defaults): (&String, &FieldDefaults)| {
            let fields = defaults.names(&types.items);
            (kind.clone(), model::entity_with(types.entity.clone(), &fields))
        };
        self.entities.iter().map(entity).collect()
    }
}

struct PlatformChecker<'a> {
    form: &'a VendorForm,
    types: RootTypes,
    templates: &'a Templates,
    problems: &'a mut Problems,
}

impl PlatformChecker<'_> {
    fn unknown_kind<'k>(&mut self, kind: &Spanned<String>, known: impl Iterator<Item = &'k str>) {
        let message = format!("unknown kind `{}`", kind.value);
        let problem = Problem::at(&kind.span, code::UNKNOWN_KIND, message);
        self.problems.push(problem.suggest_or_list(kind, known));
    }

    fn compile(
        &mut self,
        node: &SyntaxNode,
        names: TableType,
        style: JsonStyle,
    ) -> Option<JsonTemplate> {
        let templates = self.templates;
        let files = |name: &str| templates.get(name).cloned();
        let context =
            CompileContext { root: names, words: &self.types.words, files: &files, reads: None };
        compile(node, &context, style, self.problems)
    }

    /// Compiles the template of a file that this place names.
    fn compile_used_at(
        &mut self,
        place: &SourceSpan,
        node: &SyntaxNode,
        names: TableType,
        style: JsonStyle,
    ) -> Option<JsonTemplate> {
        let earlier = std::mem::take(self.problems);
        let template = self.compile(node, names, style);
        let own = std::mem::replace(self.problems, earlier);
        self.problems.extend(own.used_at(place, "used here", &[code::UNKNOWN_PATH]));
        template
    }

    fn template(&mut self, name: &Spanned<String>) -> Option<Arc<SyntaxNode>> {
        let found = self.templates.get(&name.value).cloned();
        if found.is_none() {
            let message = format!("unknown template `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_TEMPLATE, message);
            self.problems
                .push(problem.suggest_or_list(name, self.templates.keys().map(String::as_str)));
        }
        found
    }

    fn kinds(&mut self, style: JsonStyle) -> BTreeMap<String, MessageKind> {
        let form = self.form;
        let mut kinds = BTreeMap::new();
        for (key, kind) in form.kinds.iter().filter(|(_, kind)| kind.as_.is_none()) {
            let checked = self.kind(&key.name, kind, style);
            kinds.extend(checked.map(|checked| (key.name.clone(), checked)));
        }
        // Kinds with `as` come second, because they copy a checked kind.
        for (key, kind) in form.kinds.iter() {
            let Some(other) = &kind.as_ else { continue };
            match kinds.get(&other.value) {
                Some(known) => {
                    let known = known.clone();
                    if let Some(mut data) = self.data(&kind.span, &kind.data, &kind.optional) {
                        // The limits of the other kind are about its own data.
                        data.limits = self.limits(&kind.limits, &data, &[TEXT]);
                        let answers = self.answered(kind).or(known.answers);
                        data.by_position = answers.is_some();
                        let kind = MessageKind { data, answers, ..known };
                        kinds.insert(key.name.clone(), kind);
                    }
                }
                // The other kind is invalid or uses `as` itself. Its own problem was reported.
                None if form.kinds.contains(&other.value) => {}
                None => self.unknown_kind(other, form.kinds.names()),
            }
        }
        kinds
    }

    fn kind(&mut self, name: &str, form: &KindForm, style: JsonStyle) -> Option<MessageKind> {
        let mut data = self.data(&form.span, &form.data, &form.optional)?;
        data.suggestions = self.suggestions(form, &data);
        data.limits = self.limits(&form.limits, &data, &[TEXT]);
        data.by_position = form.answers.is_some();
        let names = self.types.of_kind(&data.names(&self.types.items));
        let body = match (&form.body, &form.template) {
            (Some(node), None) => self.compile(node, names, style),
            (None, Some(file)) => {
                let node = self.template(file)?;
                self.compile_used_at(&file.span, &node, names, style)
            }
            (Some(_), Some(file)) => {
                let message = format!("kind `{name}` has both a `body` and a `template`");
                let problem = Problem::at(&file.span, code::CONTRADICTION, message);
                self.problems
                    .push(problem.help("use `template` for a long body, `body` for a short one"));
                None
            }
            (None, None) => {
                let message = format!("kind `{name}` requires `body` or `template`");
                let problem = Problem::at(&form.span, code::MISSING_KEY, message);
                self.problems.push(
                    problem.help("`body` is an inline template, such as `\"${message.text}\"`"),
                );
                None
            }
        };
        let Some(word) = &form.word else {
            let message = format!("kind `{name}` requires a `word`");
            let problem = Problem::at(&form.span, code::MISSING_KEY, message);
            self.problems.push(
                problem.help("`word` is the vendor's name for the kind, used as `message.type`"),
            );
            return None;
        };
        let answers = self.answered(form);
        Some(MessageKind {
            name: name.to_owned(),
            word: word.value.clone(),
            data,
            answers,
            body: body?,
        })
    }

    /// Returns the kind to which messages of a kind respond.
    fn answered(&mut self, form: &KindForm) -> Option<String> {
        let other = form.answers.as_ref()?;
        if !self.form.kinds.contains(&other.value) {
            self.unknown_kind(other, self.form.kinds.names());
        }
        Some(other.value.clone())
    }

    /// Checks limits: each is about a field of the data, or about one of the others.
    fn limits(
        &mut self,
        form: &TableOf<LimitForm>,
        data: &FieldDefaults,
        others: &[&str],
    ) -> Vec<FieldLimit> {
        let mut limits = Vec::new();
        for (key, limit) in form.iter() {
            if !data.has(&key.name) && !others.contains(&key.name.as_str()) {
                let message = format!("`limits` has the unknown field `{}`", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
                self.problems.push(problem.suggest_or_list(&key.name, data.keys()));
            }
            let example = Date::constant(2026, 1, 31).to_datetime(Time::midnight());
            let is_invalid =
                |format: &&Spanned<String>| strtime::format(&***format, example).is_err();
            for format in limit.formats.iter().filter(is_invalid) {
                let message = format!("`{}` is not a format of `strftime`", format.value);
                let problem = Problem::at(&format.span, code::INVALID_FILTER, message);
                self.problems.push(problem.help("for example: `%Y-%m-%d`"));
            }
            limits.push(FieldLimit { field: key.name.clone(), form: limit.clone() });
        }
        limits
    }

    /// Checks the suggested values of a kind: lists of tables, by fields that are lists.
    fn suggestions(&mut self, form: &KindForm, data: &FieldDefaults) -> Option<JsonTemplate> {
        if form.suggest.0.is_empty() {
            return None;
        }
        let is_list = |name: &str| data.defaults.get(name).is_some_and(serde_json::Value::is_array);
        for (key, _) in form.suggest.iter().filter(|(key, _)| !is_list(&key.name)) {
            let message =
                format!("`suggest` has values for `{}`, which is not a list in `data`", key.name);
            let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
            let lists = data.defaults.keys().map(String::as_str).filter(|name| is_list(name));
            self.problems.push(problem.suggest_or_list(&key.name, lists));
        }
        let entries = NodeContent::Table(Table(form.suggest.entries()));
        let node = SyntaxNode { span: form.span.clone(), content: entries };
        let names = self.types.of_data();
        self.compile(&node, names, JsonStyle::COMPACT)
    }

    /// Checks the fields that a step may set, with their defaults.
    fn data(
        &mut self,
        span: &SourceSpan,
        form: &TableOf<SyntaxNode>,
        optional: &[Spanned<String>],
    ) -> Option<FieldDefaults> {
        // The defaults form one template; it is parsed again, so its style does not matter.
        let node =
            SyntaxNode { span: span.clone(), content: NodeContent::Table(Table(form.entries())) };
        let names = self.types.of_data();
        let template = self.compile(&node, names, JsonStyle::COMPACT)?;
        let optional = optional.iter().map(|key| key.value.clone()).collect();
        let unset = UnsetValue::Absent;
        Some(FieldDefaults {
            defaults: form.to_json(),
            optional,
            unset,
            rules: EntityRules::default(),
            template,
            suggestions: None,
            by_position: false,
            limits: Vec::new(),
        })
    }

    fn entities(&mut self) -> BTreeMap<String, FieldDefaults> {
        let mut entities = BTreeMap::new();
        for (key, entity) in self.form.entities.iter() {
            for field in &entity.no_default {
                if !entity.optional.iter().any(|optional| optional.value == field.value) {
                    let message = format!("`{}` has no default, but is not optional", field.value);
                    let problem = Problem::at(&field.span, code::UNKNOWN_DATA, message);
                    self.problems.push(problem.help("add it to `optional`"));
                }
            }
            let names = |fields: &[Spanned<String>], key: &Key| {
                fields.iter().any(|field| field.value == key.name)
            };
            let has_default = |(key, _): &&(Key, Option<SyntaxNode>)| {
                // A required field keeps its default, so that it causes no further problems.
                !(names(&entity.no_default, key) && names(&entity.optional, key))
            };
            let data = TableOf(entity.data.0.iter().filter(has_default).cloned().collect());
            if let Some(mut data) = self.data(&entity.span, &data, &entity.optional) {
                data.unset = entity.unset.as_ref().map_or(UnsetValue::Absent, |unset| unset.value);
                data.limits = self.limits(&entity.limits, &data, &[]);
                data.rules = EntityRules::check(entity, self.problems);
                entities.insert(key.name.clone(), data);
            }
        }
        entities
    }

    fn events(&mut self, style: JsonStyle, known: &KnownKinds) -> Vec<EventRule> {
        // A missing source is a separate problem. Until it is fixed, nothing is known.
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
        vendor_style: JsonStyle,
        known: &KnownKinds,
        section: Certainty,
    ) -> Option<EventRule> {
        let on = self.event_kind(&form.on);
        if form.type_.is_empty() {
            let problem = Problem::at(&form.type_.span, code::EMPTY, "`type` must not be empty");
            self.problems.push(problem.help("`type` is the vendor's name for the event"));
        }
        let counter = form.counter.as_ref().filter(|name| self.is_counter(name));
        let data = match on {
            Some(EventKind::Emitted) => {
                let mut data = self.data(&form.span, &form.data, &form.optional)?;
                data.limits = self.limits(&form.limits, &data, &[]);
                Some(data)
            }
            _ => None,
        };
        let names = match &data {
            Some(data) => data.names(&self.types.items),
            None => self.names_of(form, on, known),
        };
        // Looked up before `on?`, so that an unknown event does not hide a missing template.
        let template = self.template(&form.template);
        let names = self.types.of_event(on?, &names, counter.map(|name| name.value.as_str()));
        let json = form.json.as_ref().map_or(vendor_style, style);
        let assumed = form.assumed.as_ref();
        let assumed = assumed.map(|parts| self.compile(parts, names.clone(), JsonStyle::COMPACT));
        Some(EventRule {
            on: on?,
            event_type: form.type_.value.clone(),
            previous_names: form.previous_names.iter().map(|name| name.value.clone()).collect(),
            certainty: form.source.as_ref().map_or(section, |source| source.status.value),
            when: form.when.as_ref().map(condition).unwrap_or_default(),
            // Looked at last, so that the problems of both templates are reported.
            body: self.compile_used_at(&form.template.span, &*template?, names, json)?,
            assumed: match assumed {
                Some(assumed) => Some(assumed?),
                None => None,
            },
            counter: counter.map(|name| name.value.clone()),
            data,
            reserved: form.reserved.iter().map(|name| name.value.clone()).collect(),
            keep: form.keep.as_ref().is_some_and(|keep| keep.value),
        })
    }

    fn event_kind(&mut self, on: &Spanned<String>) -> Option<EventKind> {
        let kind = EventKind::from_name(on);
        if kind.is_none() {
            let message = format!("unknown neutral event `{}`", on.value);
            let problem = Problem::at(&on.span, code::UNKNOWN_EVENT, message);
            self.problems.push(problem.suggest_or_list(on, EventKind::NAMES.iter().copied()));
        }
        kind
    }

    fn is_counter(&mut self, name: &Spanned<String>) -> bool {
        let known = self.form.counter.contains(&name.value);
        if !known {
            let message = format!("unknown counter `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_COUNTER, message);
            self.problems.push(problem.suggest_or_list(name, self.form.counter.names()));
        }
        known
    }

    /// Returns the fields that every kind of the event's condition has.
    fn names_of(
        &mut self,
        form: &EventForm,
        on: Option<EventKind>,
        known: &KnownKinds,
    ) -> Vec<Field> {
        let admitted = form.when.as_ref().map(|when| when.kind.as_slice()).unwrap_or_default();
        let about_message = on == Some(EventKind::MessageSent);
        let kinds: Vec<&str> = if about_message {
            self.form.kinds.names().collect()
        } else {
            self.form.entities.names().collect()
        };
        for kind in admitted.iter().filter(|kind| !kinds.contains(&kind.as_str())) {
            self.unknown_kind(kind, kinds.iter().copied());
        }
        let fields = |kind: &Spanned<String>| {
            let data = if about_message {
                known.kinds.get(&kind.value).map(|kind| &kind.data)
            } else {
                known.entities.get(&kind.value)
            };
            data.map(|data| data.names(&self.types.items)).unwrap_or_default()
        };
        let mut admitted = admitted.iter().map(fields);
        let Some(first) = admitted.next() else { return Vec::new() };
        admitted.fold(first, |common, fields| common_fields(common, &fields))
    }

    fn retries(&mut self, account: &AccountTemplate) -> Vec<RetryRule> {
        let context = CompileContext::without_files(self.types.base.clone(), &self.types.words);
        let rule = |form| RetryRule::check(form, self.form, &context, account, self.problems);
        self.form.delivery.retry.iter().filter_map(rule).collect()
    }
}

/// Returns the fields that both kinds have. A field is optional if it is in one of them, and of any
/// type if the types differ.
fn common_fields(fields: Vec<Field>, others: &[Field]) -> Vec<Field> {
    let common = fields.into_iter().filter_map(|field| {
        let other = others.iter().find(|other| other.name == field.name)?;
        let is_same = other.field_type == field.field_type;
        Some(Field {
            field_type: if is_same { field.field_type } else { FieldType::Any },
            optional: field.optional || other.optional,
            name: field.name,
        })
    });
    common.collect()
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
        joins: match form.joins.as_slice() {
            [] => JoiningRoles::default(),
            roles => JoiningRoles::of(&values(roles)),
        },
        surveys: form.has_surveys(),
        staff_access: match &form.shared_inbox {
            Some(Spanned { value: true, .. }) => StaffAccess::SharedInbox,
            _ => StaffAccess::Participants,
        },
        updated_by: UpdatingEvents::of(&values(&form.updated_by)),
    })
}

/// Converts the condition of a rule to its run-time form.
fn condition(form: &WhenForm) -> EventCondition {
    EventCondition {
        by: values(&form.by),
        part: values(&form.part),
        to: values(&form.to),
        assignee: values(&form.assignee),
        kind: values(&form.kind),
        channel: values(&form.channel),
        dialog: values(&form.dialog),
        first: form.first.as_ref().map(|first| first.value),
        changed: values(&form.changed),
        unchanged: values(&form.unchanged),
        sets: values(&form.sets),
        sets_only: values(&form.sets_only),
        sets_other: values(&form.sets_other),
        assigned: form.assigned.as_ref().map(|assigned| assigned.value),
        variable: values(&form.variable),
        action: values(&form.action),
    }
}

fn values<T: Clone>(list: &[Spanned<T>]) -> Vec<T> {
    list.iter().map(|item| item.value.clone()).collect()
}

/// The sources of the sections. The sources of single headers follow that of their section.
fn sources(form: &VendorForm) -> Vec<FactSource> {
    let header = |header: &HeaderForm| {
        let name = format!("header {}", header.name.value);
        header.source.as_ref().map(|source| fact_source(name, source))
    };
    let mut sources = Vec::new();
    for (key, source) in form.source.iter() {
        sources.push(fact_source(key.name.clone(), source));
        if key.name == "header" {
            sources.extend(form.header.iter().filter_map(header));
        }
    }
    sources
}

fn fact_source(section: String, form: &SourceForm) -> FactSource {
    let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
    FactSource {
        section,
        status: form.status.value,
        seen: text(&form.seen),
        url: text(&form.url),
        note: text(&form.note),
    }
}

fn counters(form: &VendorForm) -> BTreeMap<String, Counter> {
    let counter = |(key, form): (&Key, &CounterForm)| {
        let start = form.start.as_ref().map_or(0, |start| start.value);
        let messages = form.messages.as_ref().is_some_and(|messages| messages.value);
        (key.name.clone(), Counter { scope: form.per.value, start, messages })
    };
    form.counter.iter().map(counter).collect()
}
