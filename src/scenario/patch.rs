//! Exact changes of the bodies of a step: `patch`. They are made before a body is signed, so that
//! the signature covers them.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::patch_form::PatchForm;
use super::text::Texts;
use crate::diag::{
    Key, NodeContent, Problem, Problems, Source, SourceSpan, SyntaxNode, code, json, toml,
};
use crate::matcher::check_pointer;
use crate::platform::Payload;
use crate::template::{BodyEdit, EditableBody, JsonTemplate, Object, TooLarge};

/// Changes whose texts have not been rendered yet.
#[derive(Clone, Debug)]
pub struct PatchPlan {
    changes: Vec<PlannedChange>,
    /// Text that replaces whole bodies. It need not be JSON.
    whole: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
struct PlannedChange {
    pointer: Key,
    /// The new value, as the only element of a list; `None` removes the key or the element.
    value: Option<JsonTemplate>,
}

/// Changes of the bodies of one execution of a step.
#[derive(Clone, Debug)]
pub(super) struct BodyPatch {
    whole: Option<Arc<str>>,
    edits: Vec<BodyEdit>,
    matches: Vec<PointerMatch>,
    /// Whether a body was not rendered, because no endpoint subscribes to it. It may have the values.
    has_unknown: bool,
}

/// What is known about the pointer of a change.
#[derive(Clone, Debug)]
struct PointerMatch {
    span: SourceSpan,
    is_found: bool,
    /// What the last body without the pointer has instead.
    nearest: Option<String>,
}

/// A pointer of a patch that matches nothing in any body of its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchMismatch {
    /// The pointer.
    pub pointer: String,
    /// Where it is written.
    pub span: SourceSpan,
    /// What the body has instead.
    pub nearest: String,
}

/// Checks the pointers and compiles the values of a patch.
pub(super) fn check_patch(form: &PatchForm, texts: &Texts, problems: &mut Problems) -> PatchPlan {
    if form.changes.is_empty() {
        let problem = Problem::at(&form.span, code::EMPTY, "`patch` changes nothing");
        problems.push(problem.help("for example `patch = { \"/id\" = \"other\" }`"));
    }
    for (pointer, _) in &form.changes {
        check_overlap(form, pointer, problems);
    }
    let change = |(pointer, node): &(Key, SyntaxNode)| {
        problems.note(check_pointer(&pointer.name, &pointer.span));
        let value = match problems.note(new_value(pointer, node))? {
            Some(value) => Some(texts.compile_data(&[value], &node.span, problems)?),
            None => None,
        };
        Some(PlannedChange { pointer: pointer.clone(), value })
    };
    PatchPlan { changes: form.changes.iter().filter_map(change).collect(), whole: None }
}

/// Reports a change inside a value that another change replaces or removes.
fn check_overlap(form: &PatchForm, pointer: &Key, problems: &mut Problems) {
    let contains = |outer: &Key| {
        let rest = pointer.name.strip_prefix(&outer.name);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    if let Some((outer, _)) = form.changes.iter().find(|(outer, _)| contains(outer)) {
        let message = format!("`{}` is inside `{}`", pointer.name, outer.name);
        let problem = Problem::at(&pointer.span, code::CONTRADICTION, message);
        problems.push(
            problem
                .also(&outer.span, "changed as a whole here")
                .help("write the inner value into the outer one, or remove one of them"),
        );
    }
}

/// Key of the table that stands for a removal.
const REMOVE: &str = "remove";
/// Key of the table that stands for null, which TOML does not have.
const NULL: &str = "null";

/// Returns the new value with a key for the template; `None` for a removal.
fn new_value(pointer: &Key, node: &SyntaxNode) -> Result<Option<(Key, SyntaxNode)>, Problem> {
    let mut node = node.clone();
    let entries = node.as_table().map(|table| table.0.clone()).unwrap_or_default();
    if let [(key, flag)] = entries.as_slice()
        && [REMOVE, NULL].contains(&key.name.as_str())
    {
        if flag.content != NodeContent::Bool(true) {
            let message = format!("`{}` can only be true", key.name);
            let problem = Problem::at(&flag.span, code::UNKNOWN_VALUE, message);
            return Err(problem.help("write `{ remove = true }`, `{ null = true }` or a value"));
        }
        if key.name == REMOVE {
            if pointer.name.is_empty() {
                let message = "the whole body cannot be removed";
                let problem = Problem::at(&pointer.span, code::CONTRADICTION, message);
                return Err(problem.help("use the fault `drop` to send no request"));
            }
            return Ok(None);
        }
        node.content = NodeContent::Null;
    }
    Ok(Some((Key { name: VALUE.to_owned(), span: pointer.span.clone() }, node)))
}

/// Key of a new value in the object that its template renders.
const VALUE: &str = "value";

impl PatchPlan {
    /// Replaces bodies by this text.
    pub fn whole(body: String) -> Self {
        Self { changes: Vec::new(), whole: Some(body.into()) }
    }

    /// Renders the values.
    pub(super) fn render(&self, context: &dyn Object) -> Result<BodyPatch, TooLarge> {
        let mut edits = Vec::new();
        for change in &self.changes {
            let value = match &change.value {
                Some(template) => {
                    let rendered = serde_json::from_str::<Json>(&template.render(context)?);
                    // Always an object with this key, because it is compiled from one.
                    Some(rendered.unwrap_or_default()[VALUE].take())
                }
                None => None,
            };
            edits.push(BodyEdit { pointer: change.pointer.name.clone(), value });
        }
        let matches = self.changes.iter().map(|change| PointerMatch {
            span: change.pointer.span.clone(),
            is_found: false,
            nearest: None,
        });
        let (whole, matches) = (self.whole.clone(), matches.collect());
        Ok(BodyPatch { whole, edits, matches, has_unknown: false })
    }
}

impl BodyPatch {
    /// Changes the bodies of an action.
    pub(super) fn apply(&mut self, payloads: &mut [Payload]) {
        for payload in payloads {
            let Some(body) = payload.body.take() else {
                self.has_unknown = true;
                continue;
            };
            if let Some(whole) = &self.whole {
                payload.body = Some(whole.to_string());
                continue;
            }
            let body = EditableBody::new(body);
            for (edit, known) in self.edits.iter().zip(&mut self.matches) {
                known.is_found |= body.has(&edit.pointer);
                if !known.is_found {
                    known.nearest = Some(body.nearest(&edit.pointer));
                }
            }
            payload.body = Some(body.edited(&self.edits, payload.style));
        }
    }

    /// Returns the pointers that no body of the step has. A step that sends nothing has none.
    pub(super) fn mismatches(self) -> impl Iterator<Item = PatchMismatch> {
        let Self { edits, matches, has_unknown, .. } = self;
        let missing = edits
            .into_iter()
            .zip(matches)
            .filter(move |(_, known)| !known.is_found && !has_unknown);
        missing.filter_map(|(edit, known)| {
            let (pointer, span, nearest) = (edit.pointer, known.span, known.nearest?);
            Some(PatchMismatch { pointer, span, nearest })
        })
    }
}

impl fmt::Display for PatchMismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, nearest, .. } = self;
        write!(formatter, "no body has `{pointer}`, which `patch` changes; {nearest}")
    }
}

/// Checks changes of the command line, each in the form `POINTER=VALUE`. A value is JSON or TOML; if
/// it is neither, it is plain text.
///
/// # Errors
///
/// Returns all problems of the changes.
pub fn patch_of_arguments(arguments: &[String]) -> Result<Option<PatchPlan>, Problems> {
    let mut problems = Problems::new();
    let mut changes: Vec<(Key, SyntaxNode)> = Vec::new();
    for argument in arguments {
        let source = Source::new("--patch", argument.as_str());
        let span = source.span(0..argument.len());
        let Some((pointer, value)) = argument.split_once('=') else {
            let problem = Problem::at(&span, code::MISSING_KEY, "expected POINTER=VALUE");
            problems.push(problem.help("for example `--patch '/data/type={ remove = true }'`"));
            continue;
        };
        let pointer = pointer.trim();
        let key = Key { name: pointer.to_owned(), span: span.find(pointer, 0) };
        if let Some((first, _)) = changes.iter().find(|(first, _)| first.name == key.name) {
            let message = format!("`{pointer}` is changed twice");
            let problem = Problem::at(&key.span, code::DUPLICATE_KEY, message);
            problems.push(problem.also(&first.span, "first change").help("remove one of them"));
        }
        changes.push((key, value_of_argument(value.trim(), &span)));
    }
    let form = PatchForm { span: Source::new("--patch", "").span(0..0), changes };
    let is_empty = form.changes.is_empty();
    let plan = (!is_empty).then(|| check_patch(&form, &Texts::of(&[], &Map::new()), &mut problems));
    problems.into_result(Some(plan))
}

/// Reads a value of the command line. Its span is that of the whole argument.
fn value_of_argument(value: &str, span: &SourceSpan) -> SyntaxNode {
    if let (Some(node), problems) = json::parse(&Source::new("--patch", value))
        && problems.is_empty()
    {
        return SyntaxNode { span: span.clone(), ..node };
    }
    let (node, problems) = toml::parse(&Source::new("--patch", format!("value = {value}")));
    let parsed = node.as_table().and_then(|table| table.get(VALUE)).filter(|_| problems.is_empty());
    let content = parsed.map(|node| node.content.clone());
    let content = content.unwrap_or_else(|| NodeContent::Text(value.to_owned()));
    SyntaxNode { span: span.clone(), content }
}
