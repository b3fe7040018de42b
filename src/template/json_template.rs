//! Compiled JSON templates: operations that write directly into a string.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::expr::{Expr, RenderFrame};
use super::filter::cut;
use super::json_style::JsonStyle;
use super::value::{Object, Value};
use crate::base::limits::{MAX_BODY, MAX_ITERATIONS};

/// A compiled JSON template.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonTemplate {
    pub(super) ops: TemplateOps,
    pub(super) style: JsonStyle,
    /// Paths of the values that the template reads, from the root. Elements of a list have the path
    /// of the list.
    pub(super) paths: BTreeSet<String>,
}

/// A sequence of operations.
pub(super) type TemplateOps = Box<[TemplateOp]>;

/// An operation of a compiled template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TemplateOp {
    /// Writes literal JSON, formatted at compile time.
    Chunk(Box<str>),
    /// Writes a comma unless the next value is the first of its list or object.
    Comma,
    /// Writes a value.
    Value(Expr),
    /// Writes a string with quotes.
    Text(Box<[TextPart]>),
    /// Runs the operations if the value is present.
    IfPresent(Expr, TemplateOps),
    /// Runs the operations once for each element of a list.
    Each(Expr, TemplateOps),
    /// Runs one of two branches.
    Choose(Box<ConditionalOp>),
    /// Runs the operations with further bound names.
    With(Box<[Expr]>, TemplateOps),
    /// Writes the JSON output of the operations as a string.
    Json(TemplateOps),
    /// Concatenates the lists in a list, and its other elements.
    Concat(Box<ConcatOp>),
    /// Joins the elements of a list to one text.
    Join(Box<JoinOp>),
    /// Adds the numbers of the list that the operations write.
    Sum(TemplateOps),
    /// Merges objects. A later value replaces an earlier one, at the position of the earlier key.
    Merge(Box<[TemplateOps]>),
}

/// Lists that become one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConcatOp {
    pub(super) list: TemplateOps,
    /// Whether equal elements are one.
    pub(super) distinct: bool,
}

impl ConcatOp {
    fn elements(&self, items: Vec<Json>) -> Vec<Json> {
        let mut all: Vec<Json> = Vec::new();
        for item in items {
            let elements = match item {
                Json::Array(elements) => elements,
                one => vec![one],
            };
            let is_new = |all: &[Json], one: &Json| !self.distinct || !all.contains(one);
            for element in elements.into_iter().filter(|element| !element.is_null()) {
                if is_new(&all, &element) {
                    all.push(element);
                }
            }
        }
        all
    }
}

/// A list whose elements become one text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JoinOp {
    /// Operations that write the list.
    pub(super) list: TemplateOps,
    /// Text between two elements.
    pub(super) separator: Box<str>,
    /// Maximum length of the text, in characters.
    pub(super) length: Option<usize>,
}

/// A part of a string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TextPart {
    /// Literal text, escaped at compile time.
    Text(Box<str>),
    /// Value of a placeholder.
    Value(Expr),
}

/// A condition of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BranchCondition {
    pub(super) expr: Expr,
    /// Values for which the condition holds; `None` accepts every value except `null`.
    pub(super) values: Option<Box<[Json]>>,
}

/// A condition with two branches.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConditionalOp {
    pub(super) condition: BranchCondition,
    pub(super) then_ops: TemplateOps,
    pub(super) else_ops: TemplateOps,
}

/// A rendered body exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// The body has too many bytes.
    #[error("the body is larger than {} KiB", MAX_BODY / 1024)]
    Bytes,
    /// Rendering visits too many list elements, even if it writes nothing for them.
    #[error("the body iterates over more than {MAX_ITERATIONS} list elements")]
    Elements,
}

impl JsonTemplate {
    /// Creates a template from its operations.
    pub(super) fn new(ops: TemplateOps, style: JsonStyle) -> Self {
        let mut paths = BTreeSet::new();
        collect_paths(&ops, &mut Vec::new(), &mut paths);
        Self { ops, style, paths }
    }

    /// Returns the JSON style in which the template writes.
    pub fn style(&self) -> JsonStyle {
        self.style
    }

    /// Returns the paths of the values that the template reads, such as `message.options.label`.
    pub fn paths(&self) -> &BTreeSet<String> {
        &self.paths
    }

    /// Renders the template with the object at which its paths begin.
    pub fn render(&self, root: &dyn Object) -> Result<String, TooLarge> {
        let mut out = String::with_capacity(512); // most bodies fit, so it rarely grows
        let mut frame = RenderFrame::new(root);
        self.write(&self.ops, &mut frame, &mut out)?;
        out.shrink_to_fit(); // thousands of bodies can be queued
        Ok(out)
    }

    fn write<'a>(
        &'a self,
        ops: &'a [TemplateOp],
        frame: &mut RenderFrame<'a>,
        out: &mut String,
    ) -> Result<(), TooLarge> {
        for op in ops {
            match op {
                TemplateOp::Chunk(chunk) => out.push_str(chunk),
                // No value ends with an opening bracket: strings end with their quote.
                TemplateOp::Comma if out.ends_with(['{', '[']) => {}
                TemplateOp::Comma => out.push_str(self.style.comma()),
                TemplateOp::Value(expr) => self.style.write_value(&expr.value(frame), out),
                TemplateOp::Text(parts) => self.text(parts, frame, out),
                TemplateOp::IfPresent(expr, ops) => {
                    if !expr.value(frame).is_absent() {
                        self.write(ops, frame, out)?;
                    }
                }
                TemplateOp::Each(list, ops) => {
                    for item in list.value(frame).items() {
                        frame.visited += 1;
                        if frame.visited > MAX_ITERATIONS {
                            return Err(TooLarge::Elements);
                        }
                        frame.bound.push(item);
                        self.write(ops, frame, out)?;
                        frame.bound.pop();
                    }
                }
                TemplateOp::Choose(choice) => self.write(choice.branch(frame), frame, out)?,
                TemplateOp::With(values, ops) => {
                    let depth = frame.bound.len();
                    let values: Vec<Value<'_>> =
                        values.iter().map(|value| value.value(frame)).collect();
                    frame.bound.extend(values);
                    self.write(ops, frame, out)?;
                    frame.bound.truncate(depth);
                }
                TemplateOp::Json(ops) => {
                    let mut inner = String::new();
                    self.write(ops, frame, &mut inner)?;
                    self.style.write_string(&inner, out);
                }
                TemplateOp::Join(join) => {
                    let items = self.list(&join.list, frame)?;
                    let texts: Vec<_> =
                        items.iter().map(|item| Value::data(item).into_text()).collect();
                    let mut text = texts.join(&join.separator);
                    if let Some(length) = join.length {
                        text = cut(&text, length);
                    }
                    self.style.write_string(&text, out);
                }
                TemplateOp::Sum(list) => {
                    let items = self.list(list, frame)?;
                    let sum = items.iter().filter_map(Json::as_i64).fold(0, i64::saturating_add);
                    self.style.write_value(&Value::Int(sum), out);
                }
                TemplateOp::Concat(concat) => {
                    let items = self.list(&concat.list, frame)?;
                    let all = Json::Array(concat.elements(items));
                    self.style.write_value(&Value::data(&all), out);
                }
                TemplateOp::Merge(parts) => self.merge(parts, frame, out)?,
            }
            // Checked after each operation, so that nested lists cannot fill the memory first.
            if out.len() > MAX_BODY {
                return Err(TooLarge::Bytes);
            }
        }
        Ok(())
    }

    /// Runs operations that write a list; returns its elements.
    fn list<'a>(
        &'a self,
        ops: &'a [TemplateOp],
        frame: &mut RenderFrame<'a>,
    ) -> Result<Vec<Json>, TooLarge> {
        let mut list = String::new();
        self.write(ops, frame, &mut list)?;
        Ok(serde_json::from_str(&list).unwrap_or_default())
    }

    fn text<'a>(&self, parts: &'a [TextPart], frame: &RenderFrame<'a>, out: &mut String) {
        out.push('"');
        for part in parts {
            match part {
                TextPart::Text(text) => out.push_str(text),
                TextPart::Value(expr) => {
                    self.style.write_escaped(&expr.value(frame).into_text(), out);
                }
            }
        }
        out.push('"');
    }

    /// Merges the objects that the parts write. A part can write none, one or several.
    fn merge<'a>(
        &'a self,
        parts: &'a [TemplateOps],
        frame: &mut RenderFrame<'a>,
        out: &mut String,
    ) -> Result<(), TooLarge> {
        let mut merged = Map::new();
        for part in parts {
            let mut objects = String::new();
            self.write(part, frame, &mut objects)?;
            for object in serde_json::Deserializer::from_str(&objects).into_iter::<Json>().flatten()
            {
                if let Json::Object(entries) = object {
                    merged.extend(entries);
                }
            }
        }
        self.style.write_json(&Json::Object(merged), out);
        Ok(())
    }
}

/// Adds the paths that operations read. `bound` has the paths of the bound names, by depth.
fn collect_paths(ops: &[TemplateOp], bound: &mut Vec<String>, paths: &mut BTreeSet<String>) {
    for op in ops {
        match op {
            TemplateOp::Chunk(_) | TemplateOp::Comma => {}
            TemplateOp::Value(expr) => {
                paths.insert(expr.path(bound));
            }
            TemplateOp::Text(parts) => {
                for part in parts {
                    if let TextPart::Value(expr) = part {
                        paths.insert(expr.path(bound));
                    }
                }
            }
            TemplateOp::IfPresent(_, ops) | TemplateOp::Json(ops) | TemplateOp::Sum(ops) => {
                collect_paths(ops, bound, paths);
            }
            TemplateOp::Join(join) => collect_paths(&join.list, bound, paths),
            TemplateOp::Concat(concat) => collect_paths(&concat.list, bound, paths),
            TemplateOp::Each(list, ops) => {
                bound.push(list.path(bound));
                collect_paths(ops, bound, paths);
                bound.pop();
            }
            TemplateOp::Choose(choice) => {
                // A condition on a value shows in the body. One on its presence does not.
                if choice.condition.values.is_some() {
                    paths.insert(choice.condition.expr.path(bound));
                }
                collect_paths(&choice.then_ops, bound, paths);
                collect_paths(&choice.else_ops, bound, paths);
            }
            TemplateOp::With(values, ops) => {
                let depth = bound.len();
                let values: Vec<String> = values.iter().map(|value| value.path(bound)).collect();
                bound.extend(values);
                collect_paths(ops, bound, paths);
                bound.truncate(depth);
            }
            TemplateOp::Merge(parts) => {
                parts.iter().for_each(|ops| collect_paths(ops, bound, paths));
            }
        }
    }
}

impl BranchCondition {
    fn holds(&self, frame: &RenderFrame<'_>) -> bool {
        let value = self.expr.value(frame);
        match &self.values {
            Some(values) => values.iter().any(|json| value.equals(json)),
            None => value.is_non_null(),
        }
    }
}

impl ConditionalOp {
    fn branch<'a>(&'a self, frame: &RenderFrame<'a>) -> &'a [TemplateOp] {
        if self.condition.holds(frame) { &self.then_ops } else { &self.else_ops }
    }
}

/// A value that rendering needs, although it can be absent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RequiredValue {
    pub(super) expr: Expr,
    /// The branches that contain it, the innermost first.
    pub(super) branches: Vec<TakenBranch>,
}

/// A branch of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TakenBranch {
    pub(super) condition: BranchCondition,
    /// True for the branch that is taken if the condition holds.
    pub(super) is_then: bool,
}

impl RequiredValue {
    /// Returns true if the value is missing, and the branch that contains it is taken.
    pub(super) fn is_missing(&self, frame: &RenderFrame<'_>) -> bool {
        let mut branches = self.branches.iter();
        branches.all(|branch| branch.condition.holds(frame) == branch.is_then)
            && !self.expr.value(frame).is_non_null()
    }
}
