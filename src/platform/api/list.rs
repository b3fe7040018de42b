//! Lists: pages of conversations, messages or documents.

use std::collections::BTreeMap;

use super::list_form::{ListForm, PeriodForm, SearchForm, SortForm};
use crate::diag::{Problem, Problems, SourceSpan, SyntaxNode, TableOf, code};
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
    /// Numbers of things with other values.
    pub counts: Vec<CountRule>,
    /// Text that they must contain.
    pub search: Option<SearchRule>,
    /// Period in which one of their times must be.
    pub period: Option<PeriodRule>,
    /// Order that the call wants.
    pub sort: Option<SortRule>,
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

/// A number of things that have other values than those of a page.
#[derive(Clone, Debug)]
pub struct CountRule {
    /// Name of the number.
    pub name: String,
    /// Values that the things must have, by field.
    pub by: Vec<(String, InputTemplate)>,
}

/// A text that the things of a page must contain, in small or capital letters.
#[derive(Clone, Debug)]
pub struct SearchRule {
    /// The text. An absent or empty one admits all.
    pub text: InputTemplate,
    /// Fields of which one must contain it.
    pub fields: Vec<String>,
}

/// The order of the things of a page.
#[derive(Clone, Debug)]
pub struct SortRule {
    /// Name of the field by which they are sorted.
    pub by: Option<InputTemplate>,
    /// Whether the order is reversed, as calls say it.
    pub order: Option<InputTemplate>,
    /// Fields by the names that calls give them.
    pub names: BTreeMap<String, String>,
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
        let (of, ids) = Listed::check(form, entities, ids, problems)?;
        let mut known: Vec<&str> = ids.iter().map(|field| field.name.as_str()).collect();
        match of {
            Listed::Conversations => known.extend(CONVERSATION_FIELDS),
            Listed::Agents => known.extend(AGENT_FIELDS),
            _ => {}
        }
        let mut checker = ListChecker { of: &of, known, context, problems };
        let search = form.search.as_ref().and_then(|search| checker.search(search));
        let period = form.period.as_ref();
        let period = period.map(|period| PeriodRule::check(period, context, checker.problems));
        let sort = form.sort.as_ref().map(|sort| checker.sort(sort));
        let by = checker.values(&form.by);
        let counts = checker.counts(form, &by);
        if let (Some(from), false) = (&form.from, of == Listed::Messages) {
            let of = form.of.as_ref().map_or("things", |of| of.as_str());
            let message = format!("`{of}` have no numbers");
            let problem = Problem::at(&from.span, code::CONTRADICTION, message);
            checker.problems.push(problem.help("`from` is for `of = \"messages\"`"));
        }
        let (from, offset) =
            (checker.value(form.from.as_ref()), checker.value(form.offset.as_ref()));
        let (size, page) = (checker.value(form.size.as_ref()), checker.value(form.page.as_ref()));
        if let (Some(page), Some(_)) = (&form.page, &form.offset) {
            let message = "a list cannot have both `page` and `offset`";
            let problem = Problem::at(&page.span, code::CONTRADICTION, message);
            problems.push(problem.help("remove one of them"));
        }
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let most = count(form.most.as_ref().map_or(MOST, |most| most.value));
        let default = form.default.as_ref().map_or(most, |default| count(default.value));
        let newest = form.newest.as_ref().is_some_and(|newest| newest.value);
        Some(Self {
            of,
            newest,
            by,
            counts,
            search,
            period,
            sort,
            from,
            offset,
            size,
            page,
            default,
            most,
        })
    }
}

impl Listed {
    /// Checks `of`. Returns the ids of what is listed, too.
    fn check(
        form: &ListForm,
        entities: &BTreeMap<String, TableType>,
        ids: &dyn Fn(&Self) -> Option<Vec<Field>>,
        problems: &mut Problems,
    ) -> Option<(Self, Vec<Field>)> {
        let Some(name) = &form.of else {
            let problem = Problem::at(&form.span, code::MISSING_KEY, "the key `of` is missing");
            let help = "write what is listed, or `like` with a list of `[api.list]`";
            problems.push(problem.help(help));
            return None;
        };
        let of = match name.as_str() {
            "conversations" => Self::Conversations,
            "messages" => Self::Messages,
            "agents" => Self::Agents,
            kind if entities.contains_key(kind) => Self::Entities(kind.to_owned()),
            kind => Self::Documents(kind.to_owned()),
        };
        let Some(ids) = ids(&of) else {
            let message = format!("`{}` cannot be listed", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_VALUE, message);
            let help = "write `conversations`, `messages` of a conversation that `find` gives, \
                        `agents`, or a kind of `[documents]` or `[entities]`";
            problems.push(problem.help(help));
            return None;
        };
        Some((of, ids))
    }
}

/// Checks what a list is filtered by.
struct ListChecker<'c, 'v> {
    of: &'c Listed,
    /// Fields that its things have.
    known: Vec<&'c str>,
    context: &'c CompileContext<'v>,
    problems: &'c mut Problems,
}

impl ListChecker<'_, '_> {
    fn field(&mut self, name: &str, span: &SourceSpan) {
        let is_pointer = matches!(self.of, Listed::Documents(_)) && name.starts_with('/');
        if !is_pointer && !self.known.contains(&name) {
            let message = format!("unknown field `{name}`");
            let problem = Problem::at(span, code::UNKNOWN_KEY, message);
            self.problems.push(problem.suggest_or_list(name, self.known.iter().copied()));
        }
    }

    fn value(&mut self, node: Option<&SyntaxNode>) -> Option<InputTemplate> {
        InputTemplate::check(node?, self.context, self.problems)
    }

    fn values(&mut self, table: &TableOf<SyntaxNode>) -> Vec<(String, InputTemplate)> {
        let mut values = Vec::new();
        for (key, node) in table.iter() {
            self.field(&key.name, &key.span);
            let template = self.value(Some(node));
            values.extend(template.map(|template| (key.name.clone(), template)));
        }
        values
    }

    /// Checks `counts` of a list that is filtered by these values.
    fn counts(&mut self, form: &ListForm, by: &[(String, InputTemplate)]) -> Vec<CountRule> {
        let mut count = |own: &TableOf<SyntaxNode>| {
            let kept = by.iter().filter(|(field, _)| !own.contains(field)).cloned();
            kept.chain(self.values(own)).collect()
        };
        let counts = form.counts.iter();
        counts.map(|(key, own)| CountRule { name: key.name.clone(), by: count(own) }).collect()
    }

    fn sort(&mut self, form: &SortForm) -> SortRule {
        let names = form.names.iter().map(|(key, field)| (key.name.clone(), field.value.clone()));
        let names = names.collect();
        SortRule { by: self.value(form.by.as_ref()), order: self.value(form.order.as_ref()), names }
    }

    fn search(&mut self, form: &SearchForm) -> Option<SearchRule> {
        for field in &form.fields {
            self.field(&field.value, &field.span);
        }
        let fields = form.fields.iter().map(|field| field.value.clone()).collect();
        let text = self.value(Some(&form.text))?;
        Some(SearchRule { text, fields })
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

/// Returns the type of the root `list` with these items and counts.
pub(super) fn list_type(item: TableType, counts: &[CountRule]) -> FieldType {
    let numbers =
        counts.iter().fold(TableType::new("counts of things", Vec::new()), |table, count| {
            table.always(&count.name, FieldType::Int)
        });
    let list = TableType::new("a page", Vec::new())
        .always("items", FieldType::list(FieldType::table(item)))
        .always("total", FieldType::Int)
        .always("counts", FieldType::table(numbers))
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
    /// Numbers of things with other values.
    pub counts: PageCounts,
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
        Self { items, total, counts: PageCounts::default(), offset, limit }
    }
}

/// Numbers of things that have other values than those of a page, by name.
#[derive(Clone, Debug, Default)]
pub struct PageCounts(pub BTreeMap<String, usize>);

impl Object for PageCounts {
    fn get(&self, name: &str) -> Value<'_> {
        self.0.get(name).map_or(Value::Absent, |count| Value::from(*count))
    }
}

impl Object for ListPage<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "items" => Value::List(self.items.iter().map(|item| Value::Object(*item)).collect()),
            "total" => Value::from(self.total),
            "counts" => Value::Object(&self.counts),
            "offset" => Value::from(self.offset),
            "size" => Value::from(self.items.len()),
            "page" => Value::from(self.offset / self.limit.max(1) + 1),
            "limit" => Value::from(self.limit),
            _ => Value::Absent,
        }
    }
}
