//! Lists: pages of conversations, messages or documents.

use std::collections::BTreeMap;

use super::list_form::{ListForm, PeriodForm};
use crate::diag::{Problem, Problems, SourceSpan, SyntaxNode, code};
use crate::template::{CompileContext, Field, FieldType, InputTemplate, Object, TableType, Value};

/// A page of things that a response contains.
#[derive(Clone, Debug)]
pub struct ListRule {
    /// What is listed.
    pub of: Listed,
    /// Whether the newest come first.
    pub newest: bool,
    /// Values that the things must have, by field. An absent value admits all, a list one of it.
    pub by: Vec<(String, InputTemplate)>,
    /// Text that they must contain.
    pub search: Option<SearchRule>,
    /// Period in which one of their times must be.
    pub period: Option<PeriodRule>,
    /// Number of the first message.
    pub from: Option<InputTemplate>,
    /// Number of things before the page.
    pub offset: Option<InputTemplate>,
    /// Number of things of the page.
    pub size: Option<InputTemplate>,
    /// Number of the page, from 1.
    pub page: Option<InputTemplate>,
    /// Number of things of a page of a call that does not say.
    pub default: usize,
    /// Largest number of things of a page.
    pub most: usize,
}

/// A text that the things of a page must contain, in small or capital letters.
#[derive(Clone, Debug)]
pub struct SearchRule {
    /// The text. An absent or empty one admits all.
    pub text: InputTemplate,
    /// Fields of which one must contain it.
    pub fields: Vec<String>,
}

/// A period in which things of a page were opened, created or changed.
#[derive(Clone, Debug)]
pub struct PeriodRule {
    /// Times of which one must be in the period.
    pub times: Vec<String>,
    /// First instant. An absent one, or a text that is no date, is no limit.
    pub from: Option<InputTemplate>,
    /// Last instant.
    pub to: Option<InputTemplate>,
}

/// What a page contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The conversations of the account.
    Conversations,
    /// The messages of the call's conversation, or of the dialog that the call names.
    Messages,
    /// The agents and managers whom the account knows.
    Agents,
    /// The documents of a kind.
    Documents(String),
    /// The entities of a kind.
    Entities(String),
}

/// Largest page by default.
const MOST: u64 = 100;

/// What conversations are listed by, besides their ids.
const CONVERSATION_FIELDS: [&str; 5] =
    ["visitor", "state", "assignee", "participant", "unanswered"];

/// What agents are listed by, besides their ids.
const AGENT_FIELDS: [&str; 3] = ["external_key", "email", "name"];

impl ListRule {
    /// Checks `list`. `ids` are those of conversations and of each kind of documents.
    pub(super) fn check(
        form: &ListForm,
        context: &CompileContext<'_>,
        entities: &BTreeMap<String, TableType>,
        ids: &dyn Fn(&Listed) -> Option<Vec<Field>>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let of = match form.of.as_str() {
            "conversations" => Listed::Conversations,
            "messages" => Listed::Messages,
            "agents" => Listed::Agents,
            kind if entities.contains_key(kind) => Listed::Entities(kind.to_owned()),
            kind => Listed::Documents(kind.to_owned()),
        };
        let Some(ids) = ids(&of) else {
            let message = format!("`{}` cannot be listed", form.of.value);
            let problem = Problem::at(&form.of.span, code::UNKNOWN_VALUE, message);
            let help = "write `conversations`, `messages` of a conversation that `find` gives, \
                        `agents`, or a kind of `[documents]` or `[entities]`";
            problems.push(problem.help(help));
            return None;
        };
        let mut known: Vec<&str> = ids.iter().map(|field| field.name.as_str()).collect();
        if of == Listed::Conversations {
            known.extend(CONVERSATION_FIELDS);
        }
        if of == Listed::Agents {
            known.extend(AGENT_FIELDS);
        }
        let is_field = |name: &str, span: &SourceSpan, problems: &mut Problems| {
            let is_pointer = matches!(of, Listed::Documents(_)) && name.starts_with('/');
            if !is_pointer && !known.contains(&name) {
                let message = format!("unknown field `{name}`");
                let problem = Problem::at(span, code::UNKNOWN_KEY, message);
                problems.push(problem.suggest_or_list(name, known.iter().copied()));
            }
        };
        let search = form.search.as_ref().and_then(|search| {
            for field in &search.fields {
                is_field(&field.value, &field.span, problems);
            }
            let fields = search.fields.iter().map(|field| field.value.clone()).collect();
            let text = InputTemplate::check(&search.text, context, problems)?;
            Some(SearchRule { text, fields })
        });
        let period =
            form.period.as_ref().map(|period| PeriodRule::check(period, context, problems));
        let mut by = Vec::new();
        for (key, node) in form.by.iter() {
            is_field(&key.name, &key.span, problems);
            let template = InputTemplate::check(node, context, problems);
            by.extend(template.map(|template| (key.name.clone(), template)));
        }
        if let (Some(from), false) = (&form.from, of == Listed::Messages) {
            let message = format!("`{}` have no numbers", form.of.value);
            let problem = Problem::at(&from.span, code::CONTRADICTION, message);
            problems.push(problem.help("`from` is for `of = \"messages\"`"));
        }
        let from = form.from.as_ref();
        let from = from.and_then(|node| InputTemplate::check(node, context, problems));
        let offset = form.offset.as_ref();
        let offset = offset.and_then(|node| InputTemplate::check(node, context, problems));
        let size = form.size.as_ref();
        let size = size.and_then(|node| InputTemplate::check(node, context, problems));
        let page = form.page.as_ref();
        if let (Some(page), Some(_)) = (page, &form.offset) {
            let message = "a list cannot have both `page` and `offset`";
            let problem = Problem::at(&page.span, code::CONTRADICTION, message);
            problems.push(problem.help("remove one of them"));
        }
        let page = page.and_then(|node| InputTemplate::check(node, context, problems));
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let most = count(form.most.as_ref().map_or(MOST, |most| most.value));
        let default = form.default.as_ref().map_or(most, |default| count(default.value));
        let newest = form.newest.as_ref().is_some_and(|newest| newest.value);
        Some(Self { of, newest, by, search, period, from, offset, size, page, default, most })
    }
}

impl PeriodRule {
    fn check(form: &PeriodForm, context: &CompileContext<'_>, problems: &mut Problems) -> Self {
        let mut bound =
            |node: &Option<SyntaxNode>| InputTemplate::check(node.as_ref()?, context, problems);
        let (from, to) = (bound(&form.from), bound(&form.to));
        Self { times: form.of.iter().map(|time| time.value.clone()).collect(), from, to }
    }

    /// Reports times that the listed things do not have.
    pub(super) fn check_times(form: &PeriodForm, item: &TableType, problems: &mut Problems) {
        let is_time = |field: &&Field| field.field_type == FieldType::Time;
        let known: Vec<&str> =
            item.fields.iter().filter(is_time).map(|field| field.name.as_str()).collect();
        for time in form.of.iter().filter(|time| !known.contains(&time.as_str())) {
            let message = format!("`{}` is not a time of what is listed", time.value);
            let problem = Problem::at(&time.span, code::UNKNOWN_KEY, message);
            problems.push(problem.suggest_or_list(time, known.iter().copied()));
        }
    }
}

/// Returns the type of the root `list` with these items.
pub(super) fn list_type(item: TableType) -> FieldType {
    let list = TableType::new("a page", Vec::new())
        .always("items", FieldType::list(FieldType::table(item)))
        .always("total", FieldType::Int)
        .always("offset", FieldType::Int)
        .always("size", FieldType::Int)
        .always("page", FieldType::Int)
        .always("limit", FieldType::Int);
    FieldType::table(list)
}

/// A page: the root `list`.
pub struct ListPage<'a> {
    /// The things of the page.
    pub items: Vec<&'a dyn Object>,
    /// Number of things on all pages.
    pub total: usize,
    /// Number of things before the page.
    pub offset: usize,
    /// Largest number of things of the page.
    pub limit: usize,
}

impl<'a> ListPage<'a> {
    /// Returns the page that begins at an offset.
    pub fn new(all: Vec<&'a dyn Object>, offset: usize, limit: usize) -> Self {
        let total = all.len();
        let items = all.into_iter().skip(offset).take(limit).collect();
        Self { items, total, offset, limit }
    }
}

impl Object for ListPage<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "items" => Value::List(self.items.iter().map(|item| Value::Object(*item)).collect()),
            "total" => Value::from(self.total),
            "offset" => Value::from(self.offset),
            "size" => Value::from(self.items.len()),
            "page" => Value::from(self.offset / self.limit.max(1) + 1),
            "limit" => Value::from(self.limit),
            _ => Value::Absent,
        }
    }
}
