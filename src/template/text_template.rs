//! Text templates: strings with placeholders, such as ids, header values and messages.

use serde_json::Value as Json;

use super::captured::CapturedTexts;
use super::context::CompileContext;
use super::expr::{self, Expr, ExprScope, RenderFrame};
use super::field_type::FieldType;
use super::generated_text::{GeneratedPart, GeneratedText, generated, generated_json};
use super::placeholder::{self, Placeholder, TextPiece};
use super::value::Object;
use crate::base::generator::ValueGenerator;
use crate::base::seed::SeedScope;
use crate::diag::{Problem, Problems, SourceSpan, Spanned, code};

/// A compiled text template.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTemplate {
    parts: Vec<LinePart>,
    field_type: FieldType,
}

/// Restrictions of a text template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextRules {
    /// Accept `${new.…}`, which generates values.
    pub allow_generated: bool,
    /// Maximum size in bytes; `None` for no limit besides that of the file.
    pub max_bytes: Option<usize>,
    /// Maximum number of placeholders; `None` for no limit.
    pub max_placeholders: Option<usize>,
}

impl TextRules {
    /// Accepts generated values, without limits.
    pub const GENERATED: Self =
        Self { allow_generated: true, max_bytes: None, max_placeholders: None };

    /// Reports a text that exceeds the limits.
    fn check_limits(self, text: &Spanned<String>, placeholders: usize, problems: &mut Problems) {
        let mut too_many = |message: String, help: &str| {
            problems.push(Problem::at(&text.span, code::TOO_MANY, message).help(help));
        };
        if let Some(limit) = self.max_bytes.filter(|limit| text.len() > *limit) {
            let message = format!("the text has {} bytes, more than {limit}", text.len());
            too_many(message, "split the text into several messages");
        }
        if let Some(limit) = self.max_placeholders.filter(|limit| placeholders > *limit) {
            let message = format!("the text has {placeholders} placeholders, more than {limit}");
            too_many(message, "replace some placeholders with literal text");
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum LinePart {
    Text(String),
    Value(Expr),
    Generated(ValueGenerator),
}

impl TextTemplate {
    /// Compiles a text against the types of the values that its placeholders may name.
    pub fn check(
        text: &Spanned<String>,
        context: &CompileContext<'_>,
        rules: TextRules,
        problems: &mut Problems,
    ) -> Option<Self> {
        let before = problems.len();
        let pieces = placeholder::split(text, &text.span, problems);
        let is_placeholder = |piece: &&TextPiece| matches!(piece, TextPiece::Placeholder(_));
        let placeholders = pieces.iter().filter(is_placeholder).count();
        rules.check_limits(text, placeholders, problems);
        // A single placeholder keeps its type, so that a text such as `${account.id}` can give a
        // number.
        let is_single = pieces.len() == 1;
        let mut field_type = FieldType::Text;
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                TextPiece::Text(text) => parts.push(LinePart::Text(text)),
                TextPiece::Placeholder(placeholder) => {
                    let checked = check_placeholder(&placeholder, context, rules, problems);
                    let Some((part, part_type)) = checked else { continue };
                    parts.push(part);
                    if is_single {
                        field_type = part_type;
                    }
                }
            }
        }
        (problems.len() == before).then_some(Self { parts, field_type })
    }

    /// Returns the type of the value: that of the placeholder if the text is a single placeholder,
    /// else [`FieldType::Text`].
    pub fn field_type(&self) -> &FieldType {
        &self.field_type
    }

    /// Renders the text. Generated values depend only on the scope and the name.
    pub fn text(&self, root: &dyn Object, seeds: &SeedScope, name: &str) -> String {
        let frame = RenderFrame::new(root);
        let part = |(index, part): (usize, &LinePart)| match part {
            LinePart::Text(text) => text.clone(),
            LinePart::Value(expr) => expr.value(&frame).into_text().into_owned(),
            LinePart::Generated(generator) => generated(generator, seeds, name, index),
        };
        self.parts.iter().enumerate().map(part).collect()
    }

    /// Renders a text that has no generated values.
    pub fn render(&self, root: &dyn Object) -> String {
        // The seeds are not used without generated parts.
        self.text(root, &SeedScope::fixed(""), "")
    }

    /// Renders a text that has no generated values. `encode` encodes the texts of its placeholders.
    pub fn render_encoded(&self, root: &dyn Object, encode: impl Fn(&str) -> String) -> String {
        let frame = RenderFrame::new(root);
        let part = |part: &LinePart| match part {
            LinePart::Text(text) => text.clone(),
            LinePart::Value(expr) => encode(&expr.value(&frame).into_text()),
            LinePart::Generated(_) => String::new(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Renders a text without generated values. A placeholder with a captured text has that text.
    pub fn render_captured(&self, root: &dyn Object, captured: &CapturedTexts) -> String {
        let frame = RenderFrame::new(root);
        let part = |part: &LinePart| match part {
            LinePart::Text(text) => text.clone(),
            LinePart::Value(expr) => match captured.get(expr) {
                Some(text) => text.to_owned(),
                None => expr.value(&frame).into_text().into_owned(),
            },
            LinePart::Generated(_) => String::new(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Reads the texts of the placeholders that start at one of `roots` from a text that this
    /// template has rendered. Values at `unknown` roots are skipped; all others are known to `root`.
    pub fn capture(
        &self,
        text: &str,
        root: &dyn Object,
        roots: &[&str],
        unknown: &[&str],
        captured: &mut CapturedTexts,
    ) {
        let frame = RenderFrame::new(root);
        let mut rest = text;
        let mut open: Option<&Expr> = None;
        let mut close = |open: &mut Option<&Expr>, text: &str| {
            if let Some(expr) = open.take().filter(|expr| expr.starts_at(roots)) {
                captured.insert(expr, text);
            }
        };
        for part in &self.parts {
            let known = match part {
                LinePart::Value(expr) if expr.starts_at(roots) || expr.starts_at(unknown) => {
                    close(&mut open, "");
                    open = Some(expr);
                    continue;
                }
                LinePart::Value(expr) => expr.value(&frame).into_text().into_owned(),
                LinePart::Text(text) => text.clone(),
                LinePart::Generated(_) => continue,
            };
            // A value ends where the next known text begins. Without one, the text is another's.
            let found = rest.find(&known).filter(|at| open.is_some() || *at == 0);
            let Some(at) = found else { return };
            close(&mut open, &rest[..at]);
            rest = &rest[at + known.len()..];
        }
        close(&mut open, rest);
    }

    /// Gives each placeholder that starts at one of `roots` the text that `text` returns for its
    /// path and filters, unless it was captured.
    pub fn describe(
        &self,
        roots: &[&str],
        text: impl Fn(&str) -> String,
        captured: &mut CapturedTexts,
    ) {
        for expr in self.placeholders(roots) {
            captured.insert(expr, &text(&expr.describe()));
        }
    }

    /// Returns the first placeholder that starts at one of `roots` and has no captured text, as
    /// path and filters.
    pub fn first_missing(&self, roots: &[&str], captured: &CapturedTexts) -> Option<String> {
        let mut placeholders = self.placeholders(roots);
        let missing = placeholders.find(|expr| captured.get(expr).is_none());
        missing.map(Expr::describe)
    }

    fn placeholders(&self, roots: &[&str]) -> impl Iterator<Item = &Expr> {
        self.parts.iter().filter_map(move |part| match part {
            LinePart::Value(expr) if expr.starts_at(roots) => Some(expr),
            _ => None,
        })
    }

    /// Returns the value: with its own type if the text is a single placeholder, else a string.
    pub fn value(&self, root: &dyn Object, seeds: &SeedScope, name: &str) -> Json {
        match self.parts.as_slice() {
            [LinePart::Generated(generator)] => generated_json(generator, seeds, name),
            [LinePart::Value(expr)] => expr.value(&RenderFrame::new(root)).into_json(),
            _ => self.text(root, seeds, name).into(),
        }
    }

    /// Converts to a text without paths, or returns `None` if the text has a path.
    pub fn into_generated(self) -> Option<GeneratedText> {
        let part = |part| match part {
            LinePart::Text(text) => Some(GeneratedPart::Text(text)),
            LinePart::Generated(generator) => Some(GeneratedPart::Generated(generator)),
            LinePart::Value(_) => None,
        };
        let parts = self.parts.into_iter().map(part).collect::<Option<_>>()?;
        Some(GeneratedText { parts, field_type: self.field_type })
    }
}

fn check_placeholder(
    placeholder: &Placeholder,
    context: &CompileContext<'_>,
    rules: TextRules,
    problems: &mut Problems,
) -> Option<(LinePart, FieldType)> {
    if let Some(form) = &placeholder.generator {
        return check_generator(form, &placeholder.span, rules, problems);
    }
    let checked = expr::check(placeholder, context, &ExprScope::default(), problems)?;
    if let Some(problem) = checked.problem_in_text(&placeholder.span) {
        problems.push(problem);
        return None;
    }
    Some((LinePart::Value(checked.expr), checked.field_type))
}

fn check_generator(
    form: &str,
    span: &SourceSpan,
    rules: TextRules,
    problems: &mut Problems,
) -> Option<(LinePart, FieldType)> {
    if !rules.allow_generated {
        let message = "`${new.…}` is allowed only in `[account]`, `[secret]` and `[ids]`";
        problems.push(Problem::at(span, code::GENERATED_VALUE, message));
        return None;
    }
    match ValueGenerator::parse(form) {
        Ok(generator) => {
            let field_type = if generator.is_int() { FieldType::Int } else { FieldType::Text };
            Some((LinePart::Generated(generator), field_type))
        }
        Err(message) => {
            let problem = Problem::at(span, code::GENERATED_VALUE, message);
            problems.push(problem.help(format!("forms: {}", ValueGenerator::FORMATS.join(", "))));
            None
        }
    }
}
