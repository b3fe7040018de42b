//! Syntax of placeholders: `${path}`, `${path?}`, `${path | filter:argument}`, `${new.FORM}`.
//!
//! This module only parses. `expr` checks whether the path exists and the filters fit.

use crate::diag::{Problem, Problems, SourceSpan, code};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TextPiece {
    /// Literal text.
    Text(String),
    /// A placeholder.
    Placeholder(Placeholder),
}

/// A parsed placeholder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placeholder {
    /// Names of the path.
    pub(super) path: Vec<String>,
    /// Form of the value to generate, if the path is `new`.
    pub(super) generator: Option<String>,
    /// True if the path is followed by `?`.
    pub(super) optional: bool,
    /// Filters, in order of application.
    pub(super) filters: Vec<FilterCall>,
    /// Location in the source.
    pub(super) span: SourceSpan,
}

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FilterCall {
    /// Name of the filter.
    pub(super) name: String,
    /// Text after the colon.
    pub(super) argument: Option<String>,
}

/// Splits a text into literal text and placeholders.
///
/// `span` is the location of the text with its quotes; each placeholder gets the part of it that
/// matches its source.
pub(super) fn split(text: &str, span: &SourceSpan, problems: &mut Problems) -> Vec<TextPiece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    let mut searched = 0;
    while let Some(at) = rest.find('$') {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            literal.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix("${") {
            let (placeholder, after) =
                parse(inside, rest, &span_of(span, rest, &mut searched), problems);
            if !literal.is_empty() {
                pieces.push(TextPiece::Text(std::mem::take(&mut literal)));
            }
            pieces.extend(placeholder.map(TextPiece::Placeholder));
            rest = after;
        } else {
            // A single `$` is literal, so that prices need no escape.
            literal.push('$');
            rest = &rest[1..];
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(TextPiece::Text(literal));
    }
    pieces
}

/// Parses a text that is a path with filters, without `${` and `}`.
pub(super) fn parse_bare(
    text: &str,
    span: &SourceSpan,
    problems: &mut Problems,
) -> Option<Placeholder> {
    let mut cursor = Cursor { rest: text };
    let placeholder = cursor.placeholder(span);
    match placeholder {
        Ok(placeholder) if cursor.rest.is_empty() => Some(placeholder),
        Ok(_) => report(span, &format!("unexpected `{}` after the path", cursor.rest), problems),
        Err(message) => report(span, &message, problems),
    }
}

/// Returns the location of the placeholder at the start of `rest`, up to the closing brace.
///
/// `searched` is the offset at which the search starts. It moves behind each placeholder that is
/// found, so that a repeated placeholder gets its own location.
fn span_of(span: &SourceSpan, rest: &str, searched: &mut usize) -> SourceSpan {
    let end = rest.find('}').map_or(rest.len(), |at| at + 1);
    let found = span.find(&rest[..end], *searched);
    // The search returns the whole span if the source has escapes inside the placeholder.
    if found != *span {
        *searched = found.range.end - span.range.start;
    }
    found
}

/// Parses one placeholder and returns the text after it. An unclosed placeholder ends the text.
fn parse<'a>(
    inside: &'a str,
    from: &'a str,
    span: &SourceSpan,
    problems: &mut Problems,
) -> (Option<Placeholder>, &'a str) {
    let mut cursor = Cursor { rest: inside };
    let parsed =
        cursor.placeholder(span).and_then(|placeholder| match cursor.rest.strip_prefix('}') {
            Some(after) => Ok((placeholder, after)),
            None if !cursor.rest.contains('}') => {
                Err("the placeholder is not closed: expected `}`".to_owned())
            }
            None => Err(format!("unexpected `{}` in a placeholder", first_word(cursor.rest))),
        });
    match parsed {
        Ok((placeholder, after)) => (Some(placeholder), after),
        Err(message) => {
            let end = from.find('}').map_or(from.len(), |at| at + 1);
            (report(span, &message, problems), &from[end..])
        }
    }
}

fn report(span: &SourceSpan, message: &str, problems: &mut Problems) -> Option<Placeholder> {
    let problem = Problem::at(span, code::PLACEHOLDER_SYNTAX, message);
    problems.push(problem.help("a placeholder is `${path}`, `${path?}` or `${path | filter}`"));
    None
}

fn first_word(text: &str) -> &str {
    text.split([' ', '}', '|']).find(|word| !word.is_empty()).unwrap_or(text)
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn placeholder(&mut self, span: &SourceSpan) -> Result<Placeholder, String> {
        self.skip_whitespace();
        let generator = self.rest.strip_prefix("new.").map(|form| {
            let end = form.find(['}', ' ', '|']).unwrap_or(form.len());
            self.rest = &form[end..];
            form[..end].to_owned()
        });
        let path = if generator.is_some() { vec!["new".to_owned()] } else { self.path()? };
        let optional = self.take("?");
        self.skip_whitespace();
        let mut filters = Vec::new();
        while self.take("|") {
            filters.push(self.call()?);
        }
        Ok(Placeholder { path, generator, optional, filters, span: span.clone() })
    }

    fn path(&mut self) -> Result<Vec<String>, String> {
        let mut path = vec![self.name("a path such as `conversation.id`")?.to_owned()];
        while self.take(".") {
            path.push(self.name("a name after the dot")?.to_owned());
        }
        Ok(path)
    }

    fn call(&mut self) -> Result<FilterCall, String> {
        self.skip_whitespace();
        let name = self.name("a filter after `|`")?.to_owned();
        let argument = match self.take(":") {
            false => None,
            // The only argument that may contain spaces, `|` and `}`: inside a JSON string.
            true if name == "or" => Some(self.json()?),
            true => {
                let end = self.rest.find([' ', '|', '}']).unwrap_or(self.rest.len());
                let (argument, rest) = self.rest.split_at(end);
                self.rest = rest;
                Some(argument.to_owned())
            }
        };
        self.skip_whitespace();
        Ok(FilterCall { name, argument })
    }

    /// Takes the next JSON value and returns its source.
    fn json(&mut self) -> Result<String, String> {
        let mut values =
            serde_json::Deserializer::from_str(self.rest).into_iter::<serde_json::Value>();
        let is_valid = values.next().is_some_and(|value| value.is_ok());
        let end = values.byte_offset();
        let source = if is_valid { self.rest.get(..end) } else { None };
        let source = source.ok_or("`or:` takes a JSON value, such as `null` or `\"\"`")?;
        self.rest = &self.rest[end..];
        Ok(source.to_owned())
    }

    fn name(&mut self, expected: &str) -> Result<&'a str, String> {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let end = self.rest.find(|c| !is_inside(c)).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(match self.rest.chars().next() {
                None => format!("the placeholder is not closed: expected {expected}, then `}}`"),
                Some(found) => format!("expected {expected}, found `{found}`"),
            });
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(name)
    }

    fn take(&mut self, token: &str) -> bool {
        self.rest.strip_prefix(token).map(|rest| self.rest = rest).is_some()
    }

    fn skip_whitespace(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;

    fn check(text: &str) -> (String, Vec<String>) {
        let source = Source::new("t", format!("\"{text}\""));
        let mut problems = Problems::new();
        let pieces = split(text, &source.span(0..text.len() + 2), &mut problems);
        let describe = |piece: &TextPiece| match piece {
            TextPiece::Text(text) => format!("{text:?}"),
            TextPiece::Placeholder(placeholder) => {
                let call = |call: &FilterCall| format!("|{}{:?}", call.name, call.argument);
                let filters: String = placeholder.filters.iter().map(call).collect();
                let form = placeholder.generator.as_ref().map(|form| format!("<{form}>"));
                let form = form.unwrap_or_default();
                format!(
                    "{}{form}{}{filters}",
                    placeholder.path.join("."),
                    if placeholder.optional { "?" } else { "" }
                )
            }
        };
        let summary = pieces.iter().map(describe).collect::<Vec<_>>().join(" ");
        let problem = |p: Problem| format!("{} {}", p.span.unwrap().range.start, p.message);
        (summary, problems.sorted().into_iter().map(problem).collect())
    }

    #[test]
    fn placeholders_are_found_in_text() {
        let parses = |text: &str, expected: &str| {
            assert_eq!(check(text), (expected.into(), vec![]), "{text}");
        };
        parses("plain $5 $$ $${x}", r#""plain $5 $ ${x}""#);
        parses("a ${b.c?} d", r#""a " b.c? " d""#);
        parses(
            "${ a | cut:3 | or:{\\\"x}|\\\":1} }".replace("\\\"", "\"").as_str(),
            r#"a|cutSome("3")|orSome("{\"x}|\":1}")"#,
        );
        parses("${new.alphabet:a-b:17}${new.uuid4}", "new<alphabet:a-b:17> new<uuid4>");
    }

    #[test]
    fn invalid_placeholders_are_reported_at_their_location() {
        let fails_at = |text: &str, at: usize| {
            let (_, problems) = check(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].starts_with(&format!("{at} ")), "{text}: {problems:?}");
        };
        fails_at("abc ${", 5);
        fails_at("${}", 1);
        fails_at("x ${a b} y", 3);
        fails_at("${a.}", 1);
        fails_at("${a | }", 1);
        fails_at("${a | or:nul}", 1);
        fails_at("${{% for %}}", 1);
    }
}
