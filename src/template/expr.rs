//! A checked hole: a path that is known to lead somewhere, and filters that fit.

use super::compile::CompileContext;
use super::field_type::{Field, FieldType, TableType};
use super::filter::{self, Filter};
use super::placeholder::Placeholder;
use super::value::{Object, Value};
use crate::diag::{Problem, Problems, SourceSpan, code};

/// A path with its filters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    base: PathBase,
    steps: Box<[Box<str>]>,
    filters: Box<[Filter]>,
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq)]
enum PathBase {
    /// At a name of the root.
    Root,
    /// At a name that `$each` or `$with` gave, by its depth.
    Bound(usize),
}

/// The names in reach of a hole.
#[derive(Clone, Default)]
pub(super) struct ExprScope {
    /// Names given by `$each` and `$with`, the innermost last.
    pub(super) bound: Vec<(String, FieldType)>,
    /// Optional paths that an enclosing `$if` has found present.
    pub(super) present: Vec<String>,
}

/// A hole that was checked.
pub(super) struct TypedExpr {
    /// How to get its value.
    pub(super) expr: Expr,
    /// What its value looks like.
    pub(super) field_type: FieldType,
    /// Whether it can be absent, and the key or element with it.
    pub(super) optional: bool,
}

/// What is being rendered: the root, and what `$each` and `$with` gave.
pub(super) struct RenderFrame<'a> {
    /// The root of all paths.
    pub(super) root: &'a dyn Object,
    /// Values of the bound names, by depth.
    pub(super) bound: Vec<Value<'a>>,
    /// Elements of lists that were walked through so far.
    pub(super) walked: usize,
}

/// Checks a hole against what is known where it stands.
pub(super) fn check(
    placeholder: &Placeholder,
    context: &CompileContext<'_>,
    scope: &ExprScope,
    problems: &mut Problems,
) -> Option<TypedExpr> {
    let resolved = resolve(&placeholder.path, &placeholder.span, context, scope, problems)?;
    let (mut field_type, mut filters) = (resolved.field_type, Vec::new());
    let mut replaced = false;
    for call in &placeholder.filters {
        match filter::check(call, &field_type, &placeholder.span, context) {
            Ok((filter, gives)) => {
                replaced |= filter.replaces_absent();
                field_type = gives;
                filters.push(filter);
            }
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        }
    }
    let path = placeholder.path.join(".");
    let problem = match (resolved.optional, placeholder.optional, replaced) {
        (true, false, false) => {
            let problem = Problem::at(
                &placeholder.span,
                code::OPTIONAL_PATH,
                format!("`{path}` is not always there"),
            );
            Some(problem.help(format!("write `${{{path}?}}` to leave it out, or `| or:null`")))
        }
        // A file that others include may be given what is always there and what is not.
        (false, true, _) | (false, _, true) if resolved.base == PathBase::Root => {
            let message = format!("`{path}` is always there");
            Some(
                Problem::at(&placeholder.span, code::NOT_OPTIONAL, message)
                    .help("leave out `?` and `or:`"),
            )
        }
        _ => None,
    };
    if let Some(problem) = problem {
        problems.push(problem);
        return None;
    }
    let expr = Expr { base: resolved.base, steps: resolved.steps, filters: filters.into() };
    Some(TypedExpr { expr, field_type, optional: resolved.optional && !replaced })
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
    let bound = scope.bound.iter().rposition(|(name, _)| *name == path[0]);
    let (base, mut field_type, steps) = match bound {
        Some(depth) => (PathBase::Bound(depth), scope.bound[depth].1.clone(), &path[1..]),
        None => (PathBase::Root, FieldType::table(context.names.clone()), path),
    };
    let mut optional = false;
    let mut walked = path[..path.len() - steps.len()].to_vec();
    for step in steps {
        let parent = std::mem::replace(&mut field_type, FieldType::Any);
        walked.push(step.clone());
        match part(&parent, step) {
            Some(name) => {
                let here = walked.join(".");
                optional |= name.optional && !scope.present.contains(&here);
                field_type = name.field_type;
            }
            None => {
                problems.push(unknown(&parent, step, &walked, span, scope));
                return None;
            }
        }
    }
    let steps = steps.iter().map(|step| step.as_str().into()).collect();
    Some(ResolvedPath { base, steps, field_type, optional })
}

/// The part of this name, where the shape has it. Any part of plain data may or may not be there.
fn part(field_type: &FieldType, step: &str) -> Option<Field> {
    match field_type {
        FieldType::Table(names) if names.whole && names.names.is_empty() => {
            Some(Field::maybe(step, FieldType::Any))
        }
        FieldType::Table(names) => names.get(step).cloned(),
        FieldType::Any => Some(Field::maybe(step, FieldType::Any)),
        _ => None,
    }
}

fn unknown(
    parent: &FieldType,
    step: &str,
    walked: &[String],
    span: &SourceSpan,
    scope: &ExprScope,
) -> Problem {
    let here = span.find(step, 0);
    let known = |names: &TableType| -> Vec<String> {
        names.names.iter().map(|name| name.name.clone()).collect()
    };
    let (message, known) = match parent {
        FieldType::Table(names) if walked.len() == 1 => {
            let mut known = known(names);
            known.extend(scope.bound.iter().map(|(name, _)| name.clone()));
            (format!("nothing is called `{step}` here"), known)
        }
        FieldType::Table(names) => {
            let whole = walked[..walked.len() - 1].join(".");
            (format!("`{whole}` has no `{step}`"), known(names))
        }
        other => {
            let whole = walked[..walked.len() - 1].join(".");
            (format!("`{whole}` is {}, which has no parts", other.about()), Vec::new())
        }
    };
    Problem::at(&here, code::UNKNOWN_PATH, message).known(step, known.iter().map(String::as_str))
}

impl Expr {
    /// The value in this frame.
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
