//! A line of text with holes: ids, header values, what people say.

use rand::rngs::ChaCha8Rng;
use serde_json::Value as Json;

use super::compile::{Library, not_in_text};
use super::expr::{self, Expr, Frame, Scope};
use super::hole::{self, Hole, Piece};
use super::shape::Shape;
use super::value::Object;
use crate::base::draw::Draw;
use crate::base::made::{Made, MadeValue};
use crate::diag::{At, Place, Problem, Problems, code};

/// A checked line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    parts: Vec<Part>,
    shape: Shape,
}

/// What a line may hold beyond paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineRules {
    /// Whether `${new.…}` may make values.
    pub made: bool,
    /// The most bytes, where there is a limit below a file's.
    pub bytes: Option<usize>,
    /// The most holes.
    pub holes: Option<usize>,
}

impl LineRules {
    /// Values may be made.
    pub const MADE: Self = Self { made: true, bytes: None, holes: None };
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Hole(Expr),
    Made(Made),
}

impl Line {
    /// Checks a line against what its holes may name.
    pub fn check(
        text: &At<String>,
        library: &Library<'_>,
        rules: LineRules,
        problems: &mut Problems,
    ) -> Option<Self> {
        let before = problems.len();
        if rules.bytes.is_some_and(|limit| text.len() > limit) {
            let message = format!(
                "the text has {} bytes, more than {}",
                text.len(),
                rules.bytes.unwrap_or(0)
            );
            let problem = Problem::at(&text.place, code::TOO_MANY, message);
            problems.push(problem.help("say it in several messages"));
        }
        let pieces = hole::split(text, &text.place, problems);
        let holes = pieces.iter().filter(|piece| matches!(piece, Piece::Hole(_))).count();
        if rules.holes.is_some_and(|limit| holes > limit) {
            let message =
                format!("the text has {holes} holes, more than {}", rules.holes.unwrap_or(0));
            let problem = Problem::at(&text.place, code::TOO_MANY, message);
            problems.push(problem.help("write some of it out"));
        }
        let alone = pieces.len() == 1;
        let mut shape = Shape::Text;
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(Part::Text(text)),
                Piece::Hole(hole) => {
                    let Some((part, own)) = part(&hole, library, rules, problems) else { continue };
                    parts.push(part);
                    if alone {
                        shape = own;
                    }
                }
            }
        }
        (problems.len() == before).then_some(Self { parts, shape })
    }

    /// What the value looks like: a line that is one hole has the hole's own shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The text, with made values drawn from the scope under this name.
    pub fn text(&self, root: &dyn Object, draw: (&Draw, &str)) -> String {
        let frame = Frame { root, bound: Vec::new(), walked: 0 };
        self.parts.iter().enumerate().map(|(at, part)| part.text(&frame, draw, at)).collect()
    }

    /// The text, where nothing is made.
    pub fn render(&self, root: &dyn Object) -> String {
        self.text(root, (&Draw::fixed(""), ""))
    }

    /// The value: the hole's own type where the line is one hole, else a text.
    pub fn value(&self, root: &dyn Object, draw: (&Draw, &str)) -> Json {
        match self.parts.as_slice() {
            [Part::Made(made)] => match made.make(&mut rng(draw, 0)) {
                MadeValue::Text(text) => text.into(),
                MadeValue::Int(int) => int.into(),
            },
            [Part::Hole(expr)] => {
                let frame = Frame { root, bound: Vec::new(), walked: 0 };
                expr.value(&frame).into_json()
            }
            _ => self.text(root, draw).into(),
        }
    }
}

fn part(
    hole: &Hole,
    library: &Library<'_>,
    rules: LineRules,
    problems: &mut Problems,
) -> Option<(Part, Shape)> {
    if let Some(form) = &hole.made {
        return made(form, &hole.place, rules, problems);
    }
    let checked = expr::check(hole, library, &Scope::default(), problems)?;
    if let Some(problem) = not_in_text(&checked, &hole.place) {
        problems.push(problem);
        return None;
    }
    Some((Part::Hole(checked.expr), checked.shape))
}

fn made(
    form: &str,
    place: &Place,
    rules: LineRules,
    problems: &mut Problems,
) -> Option<(Part, Shape)> {
    if !rules.made {
        let message = "a made value stands in `[account]`, `[secret]` or `[ids]`, not here";
        problems.push(Problem::at(place, code::MADE_VALUE, message));
        return None;
    }
    match Made::parse(form) {
        Ok(made) => {
            let shape = if made.is_int() { Shape::Int } else { Shape::Text };
            Some((Part::Made(made), shape))
        }
        Err(message) => {
            let problem = Problem::at(place, code::MADE_VALUE, message);
            problems.push(problem.help(format!("forms: {}", Made::FORMS.join(", "))));
            None
        }
    }
}

impl Part {
    fn text(&self, frame: &Frame<'_>, draw: (&Draw, &str), at: usize) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Hole(expr) => expr.value(frame).into_text().into_owned(),
            Self::Made(made) => made.make(&mut rng(draw, at)).to_string(),
        }
    }
}

/// The generator of the value that stands at this part of the line.
fn rng((draw, name): (&Draw, &str), at: usize) -> ChaCha8Rng {
    draw.within(name).rng(&at.to_string())
}
