//! A compiled template: literal chunks and slots, written straight into a text.

use serde_json::{Map, Value as Json};

use super::expr::{Expr, Frame};
use super::spell::Spelling;
use super::value::{Object, Value};
use crate::base::limits::{MAX_BODY, MAX_WALKED};

/// A compiled body.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    pub(super) ops: Ops,
    pub(super) spelling: Spelling,
}

/// A sequence of writing steps.
pub(super) type Ops = Box<[Op]>;

/// One writing step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    /// Writes this, which is already spelled.
    Chunk(Box<str>),
    /// Writes a comma, unless the list or object has only just begun.
    Comma,
    /// Writes a value.
    Value(Expr),
    /// Writes a text with its quotes.
    Text(Box<[Part]>),
    /// Goes on where the value is there.
    Maybe(Expr, Ops),
    /// Goes on for each element.
    Each(Expr, Ops),
    /// Goes one way or the other.
    Choose(Box<Choice>),
    /// Goes on with more names.
    With(Box<[Expr]>, Ops),
    /// Writes JSON as a text.
    Json(Ops),
    /// Writes the objects as one; a later key replaces an earlier one where it stands.
    Merge(Box<[Ops]>),
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Text that is already spelled.
    Text(Box<str>),
    /// A hole.
    Hole(Expr),
}

/// A condition and its two ways.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) expr: Expr,
    /// The values that count; without them, any value but `null`.
    pub(super) is: Option<Box<[Json]>>,
    pub(super) then: Ops,
    pub(super) otherwise: Ops,
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

impl Body {
    /// Renders the body from the object that its paths begin at.
    pub fn render(&self, root: &dyn Object) -> Result<String, TooLarge> {
        let mut out = String::with_capacity(512);
        let mut frame = Frame { root, bound: Vec::new(), walked: 0 };
        self.write(&self.ops, &mut frame, &mut out)?;
        out.shrink_to_fit(); // thousands of bodies can wait to be sent
        Ok(out)
    }

    fn write<'a>(
        &'a self,
        ops: &'a [Op],
        frame: &mut Frame<'a>,
        out: &mut String,
    ) -> Result<(), TooLarge> {
        for op in ops {
            match op {
                Op::Chunk(chunk) => out.push_str(chunk),
                Op::Comma if out.ends_with(['{', '[']) => {}
                Op::Comma => out.push_str(self.spelling.comma()),
                Op::Value(expr) => self.spelling.value(&expr.value(frame), out),
                Op::Text(parts) => self.text(parts, frame, out),
                Op::Maybe(expr, ops) => {
                    if !expr.value(frame).is_absent() {
                        self.write(ops, frame, out)?;
                    }
                }
                Op::Each(list, ops) => {
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
                Op::Choose(choice) => self.write(choice.way(frame), frame, out)?,
                Op::With(values, ops) => {
                    let depth = frame.bound.len();
                    let values: Vec<Value<'_>> =
                        values.iter().map(|value| value.value(frame)).collect();
                    frame.bound.extend(values);
                    self.write(ops, frame, out)?;
                    frame.bound.truncate(depth);
                }
                Op::Json(ops) => {
                    let mut inner = String::new();
                    self.write(ops, frame, &mut inner)?;
                    self.spelling.string(&inner, out);
                }
                Op::Merge(parts) => self.merge(parts, frame, out)?,
            }
            if out.len() > MAX_BODY {
                return Err(TooLarge::Bytes);
            }
        }
        Ok(())
    }

    fn text<'a>(&self, parts: &'a [Part], frame: &Frame<'a>, out: &mut String) {
        out.push('"');
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole(expr) => {
                    self.spelling.inside(&expr.value(frame).into_text(), out);
                }
            }
        }
        out.push('"');
    }

    /// Each part writes one object, none, or several behind one another.
    fn merge<'a>(
        &'a self,
        parts: &'a [Ops],
        frame: &mut Frame<'a>,
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
        self.spelling.json(&Json::Object(merged), out);
        Ok(())
    }
}

impl Choice {
    fn way<'a>(&'a self, frame: &Frame<'a>) -> &'a [Op] {
        let value = self.expr.value(frame);
        let holds = match &self.is {
            Some(wanted) => wanted.iter().any(|wanted| value.is(wanted)),
            None => value.is_something(),
        };
        if holds { &self.then } else { &self.otherwise }
    }
}
