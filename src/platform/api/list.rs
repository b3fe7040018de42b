//! Lists: pages of conversations or documents.

use super::forms::ListForm;
use crate::diag::{Problem, Problems, code};
use crate::template::{CompileContext, Field, FieldType, InputTemplate, Object, TableType, Value};

/// A page of things that a response contains.
#[derive(Clone, Debug)]
pub struct ListRule {
    /// Kind of documents; `None` for conversations.
    pub documents: Option<String>,
    /// Values that the things must have, by field. An absent value admits all, a list one of it.
    pub by: Vec<(String, InputTemplate)>,
    /// Number of things before the page.
    pub offset: Option<InputTemplate>,
    /// Number of things of the page.
    pub size: Option<InputTemplate>,
    /// Largest number of things of a page.
    pub most: usize,
}

/// Largest page by default.
const MOST: u64 = 100;

/// What conversations are listed by, besides their ids.
const CONVERSATION_FIELDS: [&str; 2] = ["visitor", "state"];

impl ListRule {
    /// Checks `list`. `ids` are those of conversations and of each kind of documents.
    pub(super) fn check(
        form: &ListForm,
        context: &CompileContext<'_>,
        ids: &dyn Fn(Option<&str>) -> Option<Vec<Field>>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let kind = Some(form.of.as_str()).filter(|of| *of != "conversations");
        let Some(ids) = ids(kind) else {
            let message = format!("`{}` cannot be listed", form.of.value);
            let problem = Problem::at(&form.of.span, code::UNKNOWN_VALUE, message);
            problems.push(problem.help("write `conversations`, or a kind of `[documents]`"));
            return None;
        };
        let mut known: Vec<&str> = ids.iter().map(|field| field.name.as_str()).collect();
        if kind.is_none() {
            known.extend(CONVERSATION_FIELDS);
        }
        let mut by = Vec::new();
        for (key, node) in form.by.iter() {
            if !known.contains(&key.name.as_str()) {
                let message = format!("unknown field `{}`", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
                problems.push(problem.suggest_or_list(&key.name, known.iter().copied()));
            }
            let template = InputTemplate::check(node, context, problems);
            by.extend(template.map(|template| (key.name.clone(), template)));
        }
        let offset = form.offset.as_ref();
        let offset = offset.and_then(|node| InputTemplate::check(node, context, problems));
        let size = form.size.as_ref();
        let size = size.and_then(|node| InputTemplate::check(node, context, problems));
        let most = form.most.as_ref().map_or(MOST, |most| most.value);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Some(Self { documents: kind.map(str::to_owned), by, offset, size, most })
    }
}

/// Returns the type of the root `list` with these items.
pub(super) fn list_type(item: TableType) -> FieldType {
    let list = TableType::new("a page", Vec::new())
        .always("items", FieldType::list(FieldType::table(item)))
        .always("total", FieldType::Int)
        .always("offset", FieldType::Int)
        .always("size", FieldType::Int);
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
}

impl<'a> ListPage<'a> {
    /// Returns the page that begins at an offset.
    pub fn new(all: Vec<&'a dyn Object>, offset: usize, size: usize) -> Self {
        let total = all.len();
        let items = all.into_iter().skip(offset).take(size).collect();
        Self { items, total, offset }
    }
}

impl Object for ListPage<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "items" => Value::List(self.items.iter().map(|item| Value::Object(*item)).collect()),
            "total" => Value::from(self.total),
            "offset" => Value::from(self.offset),
            "size" => Value::from(self.items.len()),
            _ => Value::Absent,
        }
    }
}
