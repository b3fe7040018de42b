//! A line of text with holes: ids, header values, what people say.

use rand::rngs::ChaCha8Rng;
use serde_json::Value as Json;

use super::compile::{CompileContext, not_in_text};
use super::expr::{self, Expr, ExprScope, RenderFrame};
use super::field_type::FieldType;
use super::placeholder::{self, Placeholder, TextPiece};
use super::value::Object;
use crate::base::generator::{GeneratedValue, ValueGenerator};
use crate::base::seed::SeedScope;
use crate::diag::{Problem, Problems, SourceSpan, Spanned, code};

/// A checked line.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTemplate {
    parts: Vec<LinePart>,
    shape: FieldType,
}

/// What a line may hold beyond paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextRules {
    /// Whether `${new.…}` may make values.
    pub made: bool,
    /// The most bytes, where there is a limit below a file's.
    pub bytes: Option<usize>,
    /// The most holes.
    pub holes: Option<usize>,
}

impl TextRules {
    /// Values may be made.
    pub const MADE: Self = Self { made: true, bytes: None, holes: None };
}

#[derive(Clone, Debug, PartialEq)]
enum LinePart {
    Text(String),
    Hole(Expr),
    Made(ValueGenerator),
}

impl TextTemplate {
    /// Checks a line against what its holes may name.
    pub fn check(
        text: &Spanned<String>,
        library: &CompileContext<'_>,
        rules: TextRules,
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
        let pieces = placeholder::split(text, &text.place, problems);
        let holes = pieces.iter().filter(|piece| matches!(piece, TextPiece::Hole(_))).count();
        if rules.holes.is_some_and(|limit| holes > limit) {
            let message =
                format!("the text has {holes} holes, more than {}", rules.holes.unwrap_or(0));
            let problem = Problem::at(&text.place, code::TOO_MANY, message);
            problems.push(problem.help("write some of it out"));
        }
        let alone = pieces.len() == 1;
        let mut shape = FieldType::Text;
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                TextPiece::Text(text) => parts.push(LinePart::Text(text)),
                TextPiece::Hole(hole) => {
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
    pub fn shape(&self) -> &FieldType {
        &self.shape
    }

    /// The text, with made values drawn from the scope under this name.
    pub fn text(&self, root: &dyn Object, draw: (&SeedScope, &str)) -> String {
        let frame = RenderFrame { root, bound: Vec::new(), walked: 0 };
        self.parts.iter().enumerate().map(|(at, part)| part.text(&frame, draw, at)).collect()
    }

    /// The text, where nothing is made.
    pub fn render(&self, root: &dyn Object) -> String {
        self.text(root, (&SeedScope::fixed(""), ""))
    }

    /// The value: the hole's own type where the line is one hole, else a text.
    pub fn value(&self, root: &dyn Object, draw: (&SeedScope, &str)) -> Json {
        match self.parts.as_slice() {
            [LinePart::Made(made)] => match made.generate(&mut rng(draw, 0)) {
                GeneratedValue::Text(text) => text.into(),
                GeneratedValue::Int(int) => int.into(),
            },
            [LinePart::Hole(expr)] => {
                let frame = RenderFrame { root, bound: Vec::new(), walked: 0 };
                expr.value(&frame).into_json()
            }
            _ => self.text(root, draw).into(),
        }
    }
}

fn part(
    hole: &Placeholder,
    library: &CompileContext<'_>,
    rules: TextRules,
    problems: &mut Problems,
) -> Option<(LinePart, FieldType)> {
    if let Some(form) = &hole.made {
        return made(form, &hole.place, rules, problems);
    }
    let checked = expr::check(hole, library, &ExprScope::default(), problems)?;
    if let Some(problem) = not_in_text(&checked, &hole.place) {
        problems.push(problem);
        return None;
    }
    Some((LinePart::Hole(checked.expr), checked.shape))
}

fn made(
    form: &str,
    place: &SourceSpan,
    rules: TextRules,
    problems: &mut Problems,
) -> Option<(LinePart, FieldType)> {
    if !rules.made {
        let message = "a made value stands in `[account]`, `[secret]` or `[ids]`, not here";
        problems.push(Problem::at(place, code::MADE_VALUE, message));
        return None;
    }
    match ValueGenerator::parse(form) {
        Ok(made) => {
            let shape = if made.is_int() { FieldType::Int } else { FieldType::Text };
            Some((LinePart::Made(made), shape))
        }
        Err(message) => {
            let problem = Problem::at(place, code::MADE_VALUE, message);
            problems.push(problem.help(format!("forms: {}", ValueGenerator::FORMS.join(", "))));
            None
        }
    }
}

impl LinePart {
    fn text(&self, frame: &RenderFrame<'_>, draw: (&SeedScope, &str), at: usize) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Hole(expr) => expr.value(frame).into_text().into_owned(),
            Self::Made(made) => made.generate(&mut rng(draw, at)).to_string(),
        }
    }
}

/// The generator of the value that stands at this part of the line.
fn rng((draw, name): (&SeedScope, &str), at: usize) -> ChaCha8Rng {
    draw.within(name).rng(&at.to_string())
}
