//! What a call is about: conversations and people, by the values of their fields.

use super::forms::FindForm;
use crate::conversation::Role;
use crate::diag::scalar::unexpected_type;
use crate::diag::{Key, NodeContent, Problem, Problems, SyntaxNode, Table, TableOf, code};
use crate::template::{CompileContext, Field, FieldType, InputTemplate, TableType};

/// Something that a call is about.
#[derive(Clone, Debug)]
pub struct FindRule {
    /// Kind of thing.
    pub kind: FindKind,
    /// Whether a file must have been uploaded.
    pub stored: bool,
    /// Kind of a document or an entity.
    pub document: Option<String>,
    /// Name under which templates and actions refer to it.
    pub name: String,
    /// Values by which it is found, by field.
    pub by: Vec<(String, InputTemplate)>,
    /// Data of an unknown person who is created.
    pub create: Option<InputTemplate>,
    /// Whether it may be missing.
    pub optional: bool,
    /// Whether what the call names must exist, although it may name nothing.
    pub if_given: bool,
    /// How many things with these values are found.
    pub extent: FindExtent,
}

/// How many things with some values are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindExtent {
    /// One of them.
    One,
    /// All of them, as a list.
    All,
}

/// Kind of thing that a call can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKind {
    /// A conversation.
    Conversation,
    /// The conversation of a dialog.
    Dialog,
    /// A document.
    Document,
    /// An entity.
    Entity,
    /// A file.
    File,
    /// A person in this role.
    Person(Role),
}

/// Fields by which people are found, beside their ids.
const PERSON_FIELDS: [&str; 2] = ["external_key", "email"];

/// Fields by which files are found.
const FILE_FIELDS: [&str; 2] = ["path", "link"];

/// Field by which conversations are found, beside their ids: an id of the visitor.
pub const VISITOR: &str = "visitor";
/// Field by which the conversations of a visitor are found: their state.
pub const STATE: &str = "state";

/// Key of a file that was uploaded.
const STORED: &str = "stored";

/// Data of a person that a call can set.
pub(super) const PERSON_DATA: [&str; 4] = ["name", "email", "phone", "variables"];

impl FindRule {
    /// Checks an entry of `find`. `ids` returns the names of the ids of a kind.
    pub(super) fn check(
        form: &FindForm,
        context: &CompileContext<'_>,
        ids: &dyn Fn(FindKind, Option<&str>) -> Vec<Field>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let (kind, table) = kind_of(form, problems)?;
        let has_kind = matches!(kind, FindKind::Document | FindKind::Entity);
        let document = has_kind.then(|| table.get("kind")).flatten();
        let document = document.and_then(SyntaxNode::as_text);
        let ids = ids(kind, document);
        let mut known: Vec<&str> = ids.iter().map(|field| field.name.as_str()).collect();
        if kind == FindKind::File {
            known.extend(FILE_FIELDS);
        }
        if kind == FindKind::Conversation {
            known.extend([VISITOR, STATE]);
        }
        if matches!(kind, FindKind::Person(_)) {
            known.extend(PERSON_FIELDS);
        }
        let mut by = Vec::new();
        let is_rule = |key: &Key| match kind {
            FindKind::Document | FindKind::Entity => key.name == "kind",
            FindKind::File => key.name == STORED,
            _ => false,
        };
        let stored = table.get(STORED).filter(|_| kind == FindKind::File);
        let stored = stored.is_some_and(|node| {
            if !matches!(node.content, NodeContent::Bool(_)) {
                problems.push(unexpected_type(node, "true or false"));
            }
            node.content == NodeContent::Bool(true)
        });
        for (key, node) in table.iter().filter(|(key, _)| !is_rule(key)) {
            let is_pointer = kind == FindKind::Document && key.name.starts_with('/');
            if !is_pointer && !known.contains(&key.name.as_str()) {
                problems.push(unknown_field(key, &known));
            }
            let template = InputTemplate::check(node, context, problems);
            by.extend(template.map(|template| (key.name.clone(), template)));
        }
        if table.0.is_empty() {
            let message = "nothing says what to look for";
            let problem = Problem::at(&form.span, code::EMPTY, message);
            problems.push(problem.help("add a field with its value, such as `{ id = \"…\" }`"));
        }
        let create = form
            .create
            .as_ref()
            .and_then(|create| person_data(create, &form.span, context, problems));
        if let (FindKind::Person(_), Some(data)) = (kind, &form.create)
            && !["external_key", "email"].iter().any(|key| table.get(key).is_some())
            && !data.contains("email")
        {
            let message = "`create` needs `external_key` or `email`: the vendor generates the ids";
            let problem = Problem::at(&form.span, code::INVALID_ACT, message);
            let help = "find the person by `external_key`, the id in the system of the client, or \
                        by `email`; for a new person in each call, use an id of `[ids] call`";
            problems.push(problem.help(help));
        }
        let all = form.all.as_ref().filter(|all| all.value);
        if let Some(all) = all
            && !matches!(kind, FindKind::Conversation | FindKind::Entity)
        {
            let message = "`all` is for conversations and entities";
            let problem = Problem::at(&all.span, code::CONTRADICTION, message);
            problems.push(problem.help("remove `all`, or use `list` to read all of a kind"));
        }
        let if_given = form.if_given.as_ref().is_some_and(|if_given| if_given.value);
        let own = document.unwrap_or(kind.as_str());
        let name = form.name.as_ref().map_or(own, |name| &name.value);
        Some(Self {
            kind,
            stored,
            document: document.map(str::to_owned),
            name: name.to_owned(),
            by,
            create,
            optional: if_given || form.optional.as_ref().is_some_and(|optional| optional.value),
            if_given,
            extent: if all.is_some() { FindExtent::All } else { FindExtent::One },
        })
    }
}

impl FindRule {
    /// Returns true if everything with these values is found.
    pub(super) fn is_list(&self) -> bool {
        self.extent == FindExtent::All
    }

    /// Returns true if a call fails that names something unknown.
    pub(super) fn must_exist(&self) -> bool {
        (self.if_given || !self.optional) && self.create.is_none()
    }
}

impl FindKind {
    /// Returns true if what is found is the conversation of the call.
    pub fn is_conversation(self) -> bool {
        matches!(self, Self::Conversation | Self::Dialog)
    }

    /// Returns its key in `find`, which is its name by default.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Dialog => "dialog",
            Self::Document => "document",
            Self::Entity => "entity",
            Self::File => "file",
            Self::Person(role) => role.as_str(),
        }
    }
}

/// Compiles the data of a person, as a template of a table.
pub(super) fn person_data(
    form: &TableOf<SyntaxNode>,
    span: &crate::diag::SourceSpan,
    context: &CompileContext<'_>,
    problems: &mut Problems,
) -> Option<InputTemplate> {
    for (key, _) in form.iter().filter(|(key, _)| !PERSON_DATA.contains(&key.name.as_str())) {
        problems.push(unknown_field(key, &PERSON_DATA));
    }
    table_template(form, span, context, problems)
}

/// Compiles a table as one template.
pub(super) fn table_template(
    form: &TableOf<SyntaxNode>,
    span: &crate::diag::SourceSpan,
    context: &CompileContext<'_>,
    problems: &mut Problems,
) -> Option<InputTemplate> {
    let content = NodeContent::Table(Table(form.entries()));
    InputTemplate::check(&SyntaxNode { span: span.clone(), content }, context, problems)
}

fn kind_of<'f>(
    form: &'f FindForm,
    problems: &mut Problems,
) -> Option<(FindKind, &'f TableOf<SyntaxNode>)> {
    let person = |role, table| (FindKind::Person(role), table);
    let all = [
        form.conversation.as_ref().map(|table| (FindKind::Conversation, table)),
        form.document.as_ref().map(|table| (FindKind::Document, table)),
        form.entity.as_ref().map(|table| (FindKind::Entity, table)),
        form.file.as_ref().map(|table| (FindKind::File, table)),
        form.dialog.as_ref().map(|table| (FindKind::Dialog, table)),
        form.visitor.as_ref().map(|table| person(Role::Visitor, table)),
        form.agent.as_ref().map(|table| person(Role::Agent, table)),
        form.bot.as_ref().map(|table| person(Role::Bot, table)),
    ];
    let mut found = all.into_iter().flatten();
    let (first, second) = (found.next(), found.next());
    if first.is_none() || second.is_some() {
        let message = "an entry of `find` needs exactly one kind of thing";
        let problem = Problem::at(&form.span, code::INVALID_ACT, message);
        let help = "write one of `conversation`, `dialog`, `visitor`, `agent`, `bot`, `entity`, `document` and `file`";
        problems.push(problem.help(help));
        return None;
    }
    if let (Some((kind, _)), Some(create)) = (&first, &form.create)
        && !matches!(kind, FindKind::Person(_))
    {
        let span = create.0.first().map_or(&form.span, |(key, _)| &key.span);
        let message = "`create` is for people: other things are created with `act`";
        let problem = Problem::at(span, code::CONTRADICTION, message);
        problems.push(problem.help("remove `create`, and add an action to `act`"));
    }
    first
}

fn unknown_field(key: &Key, known: &[&str]) -> Problem {
    let message = format!("unknown field `{}`", key.name);
    Problem::at(&key.span, code::UNKNOWN_KEY, message)
        .suggest_or_list(&key.name, known.iter().copied())
}

/// Returns the type of a file.
pub(super) fn file_table() -> TableType {
    TableType::new("a file", Vec::new())
        .always("path", FieldType::Text)
        .always("size", FieldType::Int)
}

/// Returns the type of what is found.
pub(super) fn found_type(
    kind: FindKind,
    visitor: &TableType,
    person: &TableType,
) -> Option<TableType> {
    match kind {
        FindKind::File => Some(file_table()),
        FindKind::Conversation | FindKind::Dialog | FindKind::Document | FindKind::Entity => None,
        FindKind::Person(Role::Visitor) => Some(visitor.clone()),
        FindKind::Person(_) => Some(person.clone()),
    }
}
