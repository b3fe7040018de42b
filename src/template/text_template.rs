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
    field_type: FieldType,
}

/// What a line may hold beyond paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextRules {
    /// Whether `${new.…}` may make values.
    pub made: bool,
    /// The most bytes, where there is a limit below a file's.
    pub bytes: Option<usize>,
    /// The most holes.
    pub placeholders: Option<usize>,
}

impl TextRules {
    /// Values may be made.
    pub const MADE: Self = Self { made: true, bytes: None, placeholders: None };
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
        context: &CompileContext<'_>,
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
            let problem = Problem::at(&text.span, code::TOO_MANY, message);
            problems.push(problem.help("say it in several messages"));
        }
        let pieces = placeholder::split(text, &text.span, problems);
        let placeholders =
            pieces.iter().filter(|piece| matches!(piece, TextPiece::Hole(_))).count();
        if rules.placeholders.is_some_and(|limit| placeholders > limit) {
            let message = format!(
                "the text has {placeholders} holes, more than {}",
                rules.placeholders.unwrap_or(0)
            );
            let problem = Problem::at(&text.span, code::TOO_MANY, message);
            problems.push(problem.help("write some of it out"));
        }
        let alone = pieces.len() == 1;
        let mut field_type = FieldType::Text;
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                TextPiece::Text(text) => parts.push(LinePart::Text(text)),
                TextPiece::Hole(placeholder) => {
                    let Some((part, own)) = part(&placeholder, context, rules, problems) else {
                        continue;
                    };
                    parts.push(part);
                    if alone {
                        field_type = own;
                    }
                }
            }
        }
        (problems.len() == before).then_some(Self { parts, field_type })
    }

    /// What the value looks like: a line that is one hole has the hole's own shape.
    pub fn field_type(&self) -> &FieldType {
        &self.field_type
    }

    /// The text, with made values drawn from the scope under this name.
    pub fn text(&self, root: &dyn Object, seeds: (&SeedScope, &str)) -> String {
        let frame = RenderFrame { root, bound: Vec::new(), walked: 0 };
        self.parts.iter().enumerate().map(|(at, part)| part.text(&frame, seeds, at)).collect()
    }

    /// The text, where nothing is made.
    pub fn render(&self, root: &dyn Object) -> String {
        self.text(root, (&SeedScope::fixed(""), ""))
    }

    /// The value: the hole's own type where the line is one hole, else a text.
    pub fn value(&self, root: &dyn Object, seeds: (&SeedScope, &str)) -> Json {
        match self.parts.as_slice() {
            [LinePart::Made(made)] => match made.generate(&mut rng(seeds, 0)) {
                GeneratedValue::Text(text) => text.into(),
                GeneratedValue::Int(int) => int.into(),
            },
            [LinePart::Hole(expr)] => {
                let frame = RenderFrame { root, bound: Vec::new(), walked: 0 };
                expr.value(&frame).into_json()
            }
            _ => self.text(root, seeds).into(),
        }
    }
}

fn part(
    placeholder: &Placeholder,
    context: &CompileContext<'_>,
    rules: TextRules,
    problems: &mut Problems,
) -> Option<(LinePart, FieldType)> {
    if let Some(form) = &placeholder.made {
        return made(form, &placeholder.span, rules, problems);
    }
    let checked = expr::check(placeholder, context, &ExprScope::default(), problems)?;
    if let Some(problem) = not_in_text(&checked, &placeholder.span) {
        problems.push(problem);
        return None;
    }
    Some((LinePart::Hole(checked.expr), checked.field_type))
}

fn made(
    form: &str,
    span: &SourceSpan,
    rules: TextRules,
    problems: &mut Problems,
) -> Option<(LinePart, FieldType)> {
    if !rules.made {
        let message = "a made value stands in `[account]`, `[secret]` or `[ids]`, not here";
        problems.push(Problem::at(span, code::MADE_VALUE, message));
        return None;
    }
    match ValueGenerator::parse(form) {
        Ok(made) => {
            let field_type = if made.is_int() { FieldType::Int } else { FieldType::Text };
            Some((LinePart::Made(made), field_type))
        }
        Err(message) => {
            let problem = Problem::at(span, code::MADE_VALUE, message);
            problems.push(problem.help(format!("forms: {}", ValueGenerator::FORMS.join(", "))));
            None
        }
    }
}

impl LinePart {
    fn text(&self, frame: &RenderFrame<'_>, seeds: (&SeedScope, &str), at: usize) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Hole(expr) => expr.value(frame).into_text().into_owned(),
            Self::Made(made) => made.generate(&mut rng(seeds, at)).to_string(),
        }
    }
}

/// The generator of the value that stands at this part of the line.
fn rng((seeds, name): (&SeedScope, &str), at: usize) -> ChaCha8Rng {
    seeds.within(name).rng(&at.to_string())
}
