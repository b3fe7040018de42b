//! A compiled template: literal chunks and slots, written straight into a text.

use serde_json::{Map, Value as Json};

use super::expr::{Expr, RenderFrame};
use super::json_style::JsonStyle;
use super::value::{Object, Value};
use crate::base::limits::{MAX_BODY, MAX_WALKED};

/// A compiled body.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonTemplate {
    pub(super) ops: TemplateOps,
    pub(super) style: JsonStyle,
}

/// A sequence of writing steps.
pub(super) type TemplateOps = Box<[TemplateOp]>;

/// One writing step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TemplateOp {
    /// Writes this, which is already spelled.
    Chunk(Box<str>),
    /// Writes a comma, unless the list or object has only just begun.
    Comma,
    /// Writes a value.
    Value(Expr),
    /// Writes a text with its quotes.
    Text(Box<[TextPart]>),
    /// Goes on where the value is there.
    Maybe(Expr, TemplateOps),
    /// Goes on for each element.
    Each(Expr, TemplateOps),
    /// Goes one way or the other.
    Choose(Box<ConditionalOp>),
    /// Goes on with more names.
    With(Box<[Expr]>, TemplateOps),
    /// Writes JSON as a text.
    Json(TemplateOps),
    /// Writes the objects as one; a later key replaces an earlier one where it stands.
    Merge(Box<[TemplateOps]>),
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TextPart {
    /// Text that is already spelled.
    Text(Box<str>),
    /// A hole.
    Hole(Expr),
}

/// A condition and its two ways.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConditionalOp {
    pub(super) expr: Expr,
    /// The values that count; without them, any value but `null`.
    pub(super) is: Option<Box<[Json]>>,
    pub(super) then: TemplateOps,
    pub(super) otherwise: TemplateOps,
}

/// A rendered body would have been larger than a body may be, or longer in the making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// It has too many bytes.
    #[error("the body is larger than {} KiB", MAX_BODY / 1024)]
    Bytes,
    /// Its lists have too many elements, whatever is written of them.
    #[error("the body walks through more than {MAX_WALKED} elements of lists")]
    Elements,
}

impl JsonTemplate {
    /// Renders the body from the object that its paths begin at.
    pub fn render(&self, root: &dyn Object) -> Result<String, TooLarge> {
        let mut out = String::with_capacity(512);
        let mut frame = RenderFrame { root, bound: Vec::new(), walked: 0 };
        self.write(&self.ops, &mut frame, &mut out)?;
        out.shrink_to_fit(); // thousands of bodies can wait to be sent
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
                TemplateOp::Comma if out.ends_with(['{', '[']) => {}
                TemplateOp::Comma => out.push_str(self.style.comma()),
                TemplateOp::Value(expr) => self.style.value(&expr.value(frame), out),
                TemplateOp::Text(parts) => self.text(parts, frame, out),
                TemplateOp::Maybe(expr, ops) => {
                    if !expr.value(frame).is_absent() {
                        self.write(ops, frame, out)?;
                    }
                }
                TemplateOp::Each(list, ops) => {
                    for item in list.value(frame).items() {
                        frame.walked += 1;
                        if frame.walked > MAX_WALKED {
                            return Err(TooLarge::Elements);
                        }
                        frame.bound.push(item);
                        self.write(ops, frame, out)?;
                        frame.bound.pop();
                    }
                }
                TemplateOp::Choose(choice) => self.write(choice.way(frame), frame, out)?,
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
                    self.style.string(&inner, out);
                }
                TemplateOp::Merge(parts) => self.merge(parts, frame, out)?,
            }
            if out.len() > MAX_BODY {
                return Err(TooLarge::Bytes);
            }
        }
        Ok(())
    }

    fn text<'a>(&self, parts: &'a [TextPart], frame: &RenderFrame<'a>, out: &mut String) {
        out.push('"');
        for part in parts {
            match part {
                TextPart::Text(text) => out.push_str(text),
                TextPart::Hole(expr) => {
                    self.style.inside(&expr.value(frame).into_text(), out);
                }
            }
        }
        out.push('"');
    }

    /// Each part writes one object, none, or several behind one another.
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
        self.style.json(&Json::Object(merged), out);
        Ok(())
    }
}

impl ConditionalOp {
    fn way<'a>(&'a self, frame: &RenderFrame<'a>) -> &'a [TemplateOp] {
        let value = self.expr.value(frame);
        let holds = match &self.is {
            Some(wanted) => wanted.iter().any(|wanted| value.is(wanted)),
            None => value.is_something(),
        };
        if holds { &self.then } else { &self.otherwise }
    }
}
