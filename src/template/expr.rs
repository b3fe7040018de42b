//! Checked placeholders: a path that exists, and filters that accept its type.

use super::context::CompileContext;
use super::field_type::{Field, FieldType, TableType};
use super::filter::{self, Filter};
use super::placeholder::Placeholder;
use super::value::{Object, Value};
use crate::base::text::one_of;
use crate::diag::{Problem, Problems, SourceSpan, code};

/// A compiled path with filters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    base: PathBase,
    steps: Box<[Box<str>]>,
    filters: Box<[Filter]>,
}

/// Start of a path.
#[derive(Clone, Debug, PartialEq)]
enum PathBase {
    /// The root object.
    Root,
    /// The name bound by `$each` or `$with` at this depth.
    Bound(usize),
}

/// Names that a placeholder may use besides those of the root.
#[derive(Clone, Default)]
pub(super) struct ExprScope {
    /// Names bound by `$each` and `$with`, innermost last.
    pub(super) bound: Vec<BoundName>,
    /// Optional paths whose presence an enclosing `$if` has checked.
    pub(super) present: Vec<String>,
    /// Write null for an absent element of a list; if false, the element is omitted.
    pub(super) null_in_lists: bool,
    /// What is done about a path that can be absent.
    pub(super) presence: PresenceRule,
}

/// A name bound by `$each` or `$with`.
#[derive(Clone)]
pub(super) struct BoundName {
    /// The name.
    pub(super) name: String,
    /// Type of the value; `None` after a mistake in its path.
    // Each use of the name would be reported as a consequence of the one mistake.
    pub(super) field_type: Option<FieldType>,
    /// True if the value can be absent.
    pub(super) optional: bool,
}

impl ExprScope {
    /// Returns true if an enclosing `$if` has checked the presence of a path, or of a path below it.
    fn is_present(&self, path: &str) -> bool {
        let is_at_or_below = |checked: &String| {
            checked.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.present.iter().any(is_at_or_below)
    }
}

/// What a compiler does about a path that can be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PresenceRule {
    /// Reports it, unless `?` or `or:` is written.
    #[default]
    Explicit,
    /// Accepts it: without `?` or `or:`, the value is required.
    Required,
    /// Accepts it, with and without `?`.
    Ignored,
}

/// A compiled placeholder with its type.
pub(super) struct TypedExpr {
    /// Compiled placeholder.
    pub(super) expr: Expr,
    /// Type of the value.
    pub(super) field_type: FieldType,
    /// True if the value can be absent. Its key or list element is then omitted.
    pub(super) optional: bool,
    /// True if rendering needs the value, although it can be absent.
    pub(super) required: bool,
}

/// State of rendering: the root, and the values of the bound names.
pub(super) struct RenderFrame<'a> {
    /// Object at which paths begin.
    pub(super) root: &'a dyn Object,
    /// Values of the bound names, by depth.
    pub(super) bound: Vec<Value<'a>>,
    /// Number of list elements that were visited so far.
    pub(super) visited: usize,
}

impl<'a> RenderFrame<'a> {
    pub(super) fn new(root: &'a dyn Object) -> Self {
        Self { root, bound: Vec::new(), visited: 0 }
    }
}

/// Compiles a placeholder and checks its path and filters.
pub(super) fn check(
    placeholder: &Placeholder,
    context: &CompileContext<'_>,
    scope: &ExprScope,
    problems: &mut Problems,
) -> Option<TypedExpr> {
    let resolved = resolve(&placeholder.path, &placeholder.span, context, scope, problems)?;
    let (mut field_type, mut filters) = (resolved.field_type, Vec::new());
    let (mut replaced, mut optional) = (false, resolved.optional);
    for call in &placeholder.filters {
        optional |= filter::takes_from_empty(call, &field_type)
            && !scope.is_present(&placeholder.path.join("."));
        match filter::check(call, &field_type, &placeholder.span, context) {
            Ok((filter, output)) => {
                replaced |= filter.replaces_absent();
                field_type = output;
                filters.push(filter);
            }
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        }
    }
    let is_root = resolved.base == PathBase::Root;
    if let Some(problem) = check_presence(placeholder, optional, replaced, is_root, scope) {
        problems.push(problem);
        return None;
    }
    let expr = Expr { base: resolved.base, steps: resolved.steps, filters: filters.into() };
    let optional = optional && !replaced;
    let required = optional && !placeholder.optional && scope.presence == PresenceRule::Required;
    Some(TypedExpr { expr, field_type, optional: optional && !required, required })
}

/// Checks that `?` or `or:` is written exactly if the path can be absent.
fn check_presence(
    placeholder: &Placeholder,
    optional: bool,
    replaced: bool,
    is_root: bool,
    scope: &ExprScope,
) -> Option<Problem> {
    let path = placeholder.path.join(".");
    let is_accepted = match scope.presence {
        PresenceRule::Explicit => false,
        // A bound name has no value outside its loop, where required values are looked up.
        PresenceRule::Required => is_root && optional,
        PresenceRule::Ignored => true,
    };
    match (optional, placeholder.optional, replaced) {
        _ if is_accepted => None,
        (true, false, false) => {
            // The text of a placeholder, or a bare path as `$with` takes it
            let written = placeholder.span.text().trim_matches(['"', '\'']);
            let is_bare = !written.contains("${");
            let subject = if is_bare { written } else { &path };
            let message = format!("`{subject}` can be absent");
            let problem = Problem::at(&placeholder.span, code::OPTIONAL_PATH, message);
            let effect = if scope.null_in_lists { "omit it (null in a list)" } else { "omit it" };
            let help = if is_bare {
                format!("put it into `{{ \"$if\": \"{subject}\", \"$then\": … }}`")
            } else {
                format!("write `${{{path}?}}` to {effect}, or add a default: `| or:null`")
            };
            Some(problem.help(help))
        }
        // Bound names are exempt: a file may be included with a value that is always present here
        // and with an optional one there.
        (false, true, _) | (false, _, true) if is_root => {
            let message = format!("`{path}` is always present");
            let problem = Problem::at(&placeholder.span, code::NOT_OPTIONAL, message);
            Some(problem.help("remove `?` and `or:`"))
        }
        _ => None,
    }
}

struct ResolvedPath {
    base: PathBase,
    steps: Box<[Box<str>]>,
    field_type: FieldType,
    optional: bool,
}

fn resolve(
    path: &[String],
    span: &SourceSpan,
    context: &CompileContext<'_>,
    scope: &ExprScope,
    problems: &mut Problems,
) -> Option<ResolvedPath> {
    // Searched from the end, so that an inner name shadows an outer one.
    let bound = scope.bound.iter().rposition(|bound| bound.name == path[0]);
    let (base, mut field_type, steps) = match bound {
        Some(depth) => (PathBase::Bound(depth), scope.bound[depth].field_type.clone()?, &path[1..]),
        None => (PathBase::Root, FieldType::table(context.root.clone()), path),
    };
    let bound = bound.map(|depth| &scope.bound[depth]);
    let mut optional = bound.is_some_and(|bound| bound.optional && !scope.is_present(&bound.name));
    let mut prefix = path[..path.len() - steps.len()].to_vec();
    for step in steps {
        let parent = std::mem::replace(&mut field_type, FieldType::Any);
        prefix.push(step.clone());
        match field(&parent, step) {
            Some(field) => {
                let here = prefix.join(".");
                optional |= field.optional && !scope.is_present(&here);
                field_type = field.field_type;
            }
            None => {
                problems.push(unknown_path(&parent, step, &prefix, span, scope));
                return None;
            }
        }
    }
    if bound.is_none() {
        context.note_read(path);
    }
    let steps = steps.iter().map(|step| step.as_str().into()).collect();
    Some(ResolvedPath { base, steps, field_type, optional })
}

/// Returns the field of a type. Plain data has every field, each of them optional.
fn field(field_type: &FieldType, name: &str) -> Option<Field> {
    match field_type {
        FieldType::Table(table) if table.writable && table.fields.is_empty() => {
            Some(Field::maybe(name, FieldType::Any))
        }
        FieldType::Table(table) => table.get(name).cloned(),
        FieldType::Any => Some(Field::maybe(name, FieldType::Any)),
        _ => None,
    }
}

fn unknown_path(
    parent: &FieldType,
    step: &str,
    prefix: &[String],
    span: &SourceSpan,
    scope: &ExprScope,
) -> Problem {
    let here = span.find(step, 0);
    let field_names = |table: &TableType| -> Vec<String> {
        table.fields.iter().map(|field| field.name.clone()).collect()
    };
    let (message, names) = match parent {
        FieldType::Table(table) if prefix.len() == 1 => {
            let mut names = field_names(table);
            names.extend(scope.bound.iter().map(|bound| bound.name.clone()));
            (format!("unknown name `{step}`"), names)
        }
        FieldType::Table(table) => {
            let whole = prefix[..prefix.len() - 1].join(".");
            (format!("`{whole}` has no field `{step}`"), field_names(table))
        }
        other => {
            let whole = prefix[..prefix.len() - 1].join(".");
            (format!("`{whole}` is {}, which has no fields", other.about()), Vec::new())
        }
    };
    let problem = Problem::at(&here, code::UNKNOWN_PATH, message);
    match (parent, prefix) {
        (FieldType::Table(roots), [_]) => {
            let similar = problem.clone().suggest(step, names.iter().map(String::as_str));
            let owned = fields_named(step, roots);
            match similar.help {
                None if !owned.is_empty() => {
                    problem.help(format!("did you mean {}?", one_of(owned.iter().map(|o| &**o))))
                }
                _ => problem.suggest_or_list(step, names.iter().map(String::as_str)),
            }
        }
        _ => problem.suggest_or_list(step, names.iter().map(String::as_str)),
    }
}

/// Returns the paths of the fields with this name that the roots have: `event.note` for `note`.
fn fields_named(name: &str, roots: &TableType) -> Vec<String> {
    let has_field = |root: &&Field| matches!(&root.field_type, FieldType::Table(table) if table.get(name).is_some());
    roots.fields.iter().filter(has_field).map(|root| format!("{}.{name}", root.name)).collect()
}

impl Expr {
    /// Returns true if the path begins at the root, not at a bound name.
    pub(super) fn is_of_root(&self) -> bool {
        self.base == PathBase::Root
    }

    /// Returns the path from the root. `bound` has the paths of the bound names, by depth.
    pub(super) fn path(&self, bound: &[String]) -> String {
        let base = match self.base {
            PathBase::Root => None,
            PathBase::Bound(depth) => bound.get(depth).map(String::as_str),
        };
        let steps = self.steps.iter().map(|step| &**step);
        base.into_iter().chain(steps).collect::<Vec<_>>().join(".")
    }

    /// Returns the path with the filters that have no argument, as `path | filter`.
    pub(super) fn describe(&self) -> String {
        let filters = self.filters.iter().filter_map(Filter::plain_name);
        filters.fold(self.path(&[]), |text, name| format!("{text} | {name}"))
    }

    /// Returns true if the path starts at one of these roots.
    pub(super) fn starts_at(&self, roots: &[&str]) -> bool {
        self.base == PathBase::Root
            && self.steps.first().is_some_and(|root| roots.contains(&&**root))
    }

    /// Evaluates the path and applies the filters.
    pub(super) fn value<'a>(&'a self, frame: &RenderFrame<'a>) -> Value<'a> {
        let mut steps = self.steps.iter();
        let start = match &self.base {
            PathBase::Bound(depth) => frame.bound[*depth].clone(),
            PathBase::Root => steps.next().map_or(Value::Absent, |name| frame.root.get(name)),
        };
        let value = steps.fold(start, |value, step| value.get(step));
        self.filters.iter().fold(value, |value, filter| filter.apply(value))
    }
}

impl TypedExpr {
    /// Returns the problem if the value cannot be inserted into a longer text.
    pub(super) fn problem_in_text(&self, span: &SourceSpan) -> Option<Problem> {
        if self.optional {
            let message = "a value that can be absent is inserted into a longer text";
            let problem = Problem::at(span, code::OPTIONAL_IN_TEXT, message);
            return Some(problem.help("add a default: `| or:\"\"`"));
        }
        if !self.field_type.is_scalar() {
            let message = format!("{} cannot be inserted into a text", self.field_type.about());
            let problem = Problem::at(span, code::NOT_A_VALUE, message);
            return Some(problem.help(alternative(&self.field_type)));
        }
        None
    }

    /// Returns the problem if the value has no JSON form.
    pub(super) fn problem_as_value(&self, span: &SourceSpan) -> Option<Problem> {
        if self.field_type.is_writable() {
            return None;
        }
        let message = format!("{} cannot be written as a value", self.field_type.about());
        let help = match self.field_type {
            FieldType::List(_) => "iterate over it with `$each`, or count it with `| count`",
            _ => alternative(&self.field_type),
        };
        Some(Problem::at(span, code::NOT_A_VALUE, message).help(help))
    }
}

/// Returns the help for a value that has no text or JSON form.
fn alternative(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Time => "choose a format: `| epoch_ms`, `| iso_ms`, …",
        _ => "name one of its fields",
    }
}
