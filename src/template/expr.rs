//! A checked hole: a path that is known to lead somewhere, and filters that fit.

use super::compile::Library;
use super::filter::{self, Filter};
use super::hole::Hole;
use super::shape::{Name, Names, Shape};
use super::value::{Object, Value};
use crate::diag::{Place, Problem, Problems, code};

/// A path with its filters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    base: Base,
    steps: Box<[Box<str>]>,
    filters: Box<[Filter]>,
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq)]
enum Base {
    /// At a name of the root.
    Root,
    /// At a name that `$each` or `$with` gave, by its depth.
    Bound(usize),
}

/// The names in reach of a hole.
#[derive(Clone, Default)]
pub(super) struct Scope {
    /// Names given by `$each` and `$with`, the innermost last.
    pub(super) bound: Vec<(String, Shape)>,
    /// Optional paths that an enclosing `$if` has found present.
    pub(super) present: Vec<String>,
}

/// A hole that was checked.
pub(super) struct Checked {
    /// How to get its value.
    pub(super) expr: Expr,
    /// What its value looks like.
    pub(super) shape: Shape,
    /// Whether it can be absent, and the key or element with it.
    pub(super) optional: bool,
}

/// What is being rendered: the root, and what `$each` and `$with` gave.
pub(super) struct Frame<'a> {
    /// The root of all paths.
    pub(super) root: &'a dyn Object,
    /// Values of the bound names, by depth.
    pub(super) bound: Vec<Value<'a>>,
    /// Elements of lists that were walked through so far.
    pub(super) walked: usize,
}

/// Checks a hole against what is known where it stands.
pub(super) fn check(
    hole: &Hole,
    library: &Library<'_>,
    scope: &Scope,
    problems: &mut Problems,
) -> Option<Checked> {
    let resolved = resolve(&hole.path, &hole.place, library, scope, problems)?;
    let (mut shape, mut filters) = (resolved.shape, Vec::new());
    let mut replaced = false;
    for call in &hole.filters {
        match filter::check(call, &shape, &hole.place, library) {
            Ok((filter, gives)) => {
                replaced |= filter.replaces_absent();
                shape = gives;
                filters.push(filter);
            }
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        }
    }
    let path = hole.path.join(".");
    let problem = match (resolved.optional, hole.optional, replaced) {
        (true, false, false) => {
            let problem = Problem::at(
                &hole.place,
                code::OPTIONAL_PATH,
                format!("`{path}` is not always there"),
            );
            Some(problem.help(format!("write `${{{path}?}}` to leave it out, or `| or:null`")))
        }
        // A file that others include may be given what is always there and what is not.
        (false, true, _) | (false, _, true) if resolved.base == Base::Root => {
            let message = format!("`{path}` is always there");
            Some(
                Problem::at(&hole.place, code::NOT_OPTIONAL, message)
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
    Some(Checked { expr, shape, optional: resolved.optional && !replaced })
}

struct Resolved {
    base: Base,
    steps: Box<[Box<str>]>,
    shape: Shape,
    optional: bool,
}

fn resolve(
    path: &[String],
    place: &Place,
    library: &Library<'_>,
    scope: &Scope,
    problems: &mut Problems,
) -> Option<Resolved> {
    let bound = scope.bound.iter().rposition(|(name, _)| *name == path[0]);
    let (base, mut shape, steps) = match bound {
        Some(depth) => (Base::Bound(depth), scope.bound[depth].1.clone(), &path[1..]),
        None => (Base::Root, Shape::table(library.names.clone()), path),
    };
    let mut optional = false;
    let mut walked = path[..path.len() - steps.len()].to_vec();
    for step in steps {
        let parent = std::mem::replace(&mut shape, Shape::Any);
        walked.push(step.clone());
        match part(&parent, step) {
            Some(name) => {
                let here = walked.join(".");
                optional |= name.optional && !scope.present.contains(&here);
                shape = name.shape;
            }
            None => {
                problems.push(unknown(&parent, step, &walked, place, scope));
                return None;
            }
        }
    }
    let steps = steps.iter().map(|step| step.as_str().into()).collect();
    Some(Resolved { base, steps, shape, optional })
}

/// The part of this name, where the shape has it. Any part of plain data may or may not be there.
fn part(shape: &Shape, step: &str) -> Option<Name> {
    match shape {
        Shape::Table(names) if names.whole && names.names.is_empty() => {
            Some(Name::maybe(step, Shape::Any))
        }
        Shape::Table(names) => names.get(step).cloned(),
        Shape::Any => Some(Name::maybe(step, Shape::Any)),
        _ => None,
    }
}

fn unknown(parent: &Shape, step: &str, walked: &[String], place: &Place, scope: &Scope) -> Problem {
    let here = place.find(step, 0);
    let known = |names: &Names| -> Vec<String> {
        names.names.iter().map(|name| name.name.clone()).collect()
    };
    let (message, known) = match parent {
        Shape::Table(names) if walked.len() == 1 => {
            let mut known = known(names);
            known.extend(scope.bound.iter().map(|(name, _)| name.clone()));
            (format!("nothing is called `{step}` here"), known)
        }
        Shape::Table(names) => {
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
    pub(super) fn value<'a>(&'a self, frame: &Frame<'a>) -> Value<'a> {
        let mut steps = self.steps.iter();
        let start = match &self.base {
            Base::Bound(depth) => frame.bound[*depth].clone(),
            Base::Root => steps.next().map_or(Value::Absent, |name| frame.root.get(name)),
        };
        let value = steps.fold(start, |value, step| value.get(step));
        self.filters.iter().fold(value, |value, filter| filter.apply(value))
    }
}
