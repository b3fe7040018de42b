//! The syntax of holes: `${path}`, `${path?}`, `${path | filter:argument}`, `${new.FORM}`.
//!
//! Only the syntax: whether a path is known and a filter fits is left to `expr`.

use crate::diag::{Problem, Problems, SourceSpan, code};

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TextPiece {
    /// Text as it is.
    Text(String),
    /// A hole.
    Hole(Placeholder),
}

/// A hole as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placeholder {
    /// The names of the path.
    pub(super) path: Vec<String>,
    /// The form of a made value, where the path is `new`.
    pub(super) made: Option<String>,
    /// Whether `?` stands behind the path.
    pub(super) optional: bool,
    /// The filters, in order.
    pub(super) filters: Vec<FilterCall>,
    /// Where it stands.
    pub(super) span: SourceSpan,
}

/// A filter as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FilterCall {
    /// Its name.
    pub(super) name: String,
    /// What stands behind the colon.
    pub(super) argument: Option<String>,
}

/// Splits a text into what is written as it is and holes. `place` is the text's place, quotes and
/// all; a hole's own place is found inside it.
pub(super) fn split(text: &str, span: &SourceSpan, problems: &mut Problems) -> Vec<TextPiece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    let mut seen = 0;
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("$$") {
            plain.push('$');
            rest = behind;
        } else if let Some(inside) = rest.strip_prefix("${") {
            let (placeholder, behind) =
                placeholder(inside, rest, &span_of(span, rest, &mut seen), problems);
            if !plain.is_empty() {
                pieces.push(TextPiece::Text(std::mem::take(&mut plain)));
            }
            pieces.extend(placeholder.map(TextPiece::Hole));
            rest = behind;
        } else {
            plain.push('$');
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(TextPiece::Text(plain));
    }
    pieces
}

/// Reads what stands inside a hole, from a text that is nothing else: a path with its filters.
pub(super) fn bare(text: &str, span: &SourceSpan, problems: &mut Problems) -> Option<Placeholder> {
    let mut cursor = Cursor { rest: text };
    let placeholder = cursor.placeholder(span);
    match placeholder {
        Ok(placeholder) if cursor.rest.is_empty() => Some(placeholder),
        Ok(_) => refuse(span, &format!("`{}` does not belong here", cursor.rest), problems),
        Err(message) => refuse(span, &message, problems),
    }
}

/// Where the hole stands that `rest` begins with: its first line up to the closing brace.
fn span_of(span: &SourceSpan, rest: &str, seen: &mut usize) -> SourceSpan {
    let end = rest.find('}').map_or(rest.len(), |at| at + 1);
    let found = span.find(&rest[..end], *seen);
    if found != *span {
        *seen = found.range.end - span.range.start;
    }
    found
}

/// Reads one hole; gives what stands behind it. A hole that is not closed ends the text.
fn placeholder<'a>(
    inside: &'a str,
    from: &'a str,
    span: &SourceSpan,
    problems: &mut Problems,
) -> (Option<Placeholder>, &'a str) {
    let mut cursor = Cursor { rest: inside };
    let read =
        cursor.placeholder(span).and_then(|placeholder| match cursor.rest.strip_prefix('}') {
            Some(behind) => Ok((placeholder, behind)),
            None if !cursor.rest.contains('}') => Err("the hole is not closed with `}`".to_owned()),
            None => Err(format!("`{}` does not belong in a hole", first_word(cursor.rest))),
        });
    match read {
        Ok((placeholder, behind)) => (Some(placeholder), behind),
        Err(message) => {
            let end = from.find('}').map_or(from.len(), |at| at + 1);
            (refuse(span, &message, problems), &from[end..])
        }
    }
}

fn refuse(span: &SourceSpan, message: &str, problems: &mut Problems) -> Option<Placeholder> {
    let problem = Problem::at(span, code::HOLE_SYNTAX, message);
    problems.push(problem.help("a hole is `${path}`, `${path?}` or `${path | filter}`"));
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
        self.space();
        let made = self.rest.strip_prefix("new.").map(|form| {
            let end = form.find(['}', ' ', '|']).unwrap_or(form.len());
            self.rest = &form[end..];
            form[..end].to_owned()
        });
        let path = if made.is_some() { vec!["new".to_owned()] } else { self.path()? };
        let optional = self.take("?");
        self.space();
        let mut filters = Vec::new();
        while self.take("|") {
            filters.push(self.call()?);
        }
        Ok(Placeholder { path, made, optional, filters, span: span.clone() })
    }

    fn path(&mut self) -> Result<Vec<String>, String> {
        let mut path = vec![self.name("a path such as `conversation.id`")?.to_owned()];
        while self.take(".") {
            path.push(self.name("a name behind the dot")?.to_owned());
        }
        Ok(path)
    }

    fn call(&mut self) -> Result<FilterCall, String> {
        self.space();
        let name = self.name("a filter behind `|`")?.to_owned();
        let argument = match self.take(":") {
            false => None,
            true if name == "or" => Some(self.json()?),
            true => {
                let end = self.rest.find([' ', '|', '}']).unwrap_or(self.rest.len());
                let (argument, rest) = self.rest.split_at(end);
                self.rest = rest;
                Some(argument.to_owned())
            }
        };
        self.space();
        Ok(FilterCall { name, argument })
    }

    /// The JSON value that comes next, as it is spelled.
    fn json(&mut self) -> Result<String, String> {
        let mut values =
            serde_json::Deserializer::from_str(self.rest).into_iter::<serde_json::Value>();
        let read = values.next().is_some_and(|value| value.is_ok());
        let end = values.byte_offset();
        let spelled = if read { self.rest.get(..end) } else { None };
        let spelled = spelled.ok_or("`or:` takes a JSON value, such as `null` or `\"\"`")?;
        self.rest = &self.rest[end..];
        Ok(spelled.to_owned())
    }

    fn name(&mut self, expected: &str) -> Result<&'a str, String> {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let end = self.rest.find(|c| !is_inside(c)).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(match self.rest.chars().next() {
                None => format!("expected {expected}, and the hole is not closed with `}}`"),
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

    fn space(&mut self) {
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
        let told = |piece: &TextPiece| match piece {
            TextPiece::Text(text) => format!("{text:?}"),
            TextPiece::Hole(placeholder) => {
                let call = |call: &FilterCall| format!("|{}{:?}", call.name, call.argument);
                let filters: String = placeholder.filters.iter().map(call).collect();
                let made =
                    placeholder.made.clone().map(|made| format!("<{made}>")).unwrap_or_default();
                format!(
                    "{}{made}{}{filters}",
                    placeholder.path.join("."),
                    if placeholder.optional { "?" } else { "" }
                )
            }
        };
        let told = pieces.iter().map(told).collect::<Vec<_>>().join(" ");
        let problem = |p: Problem| format!("{} {}", p.span.unwrap().range.start, p.message);
        (told, problems.sorted().into_iter().map(problem).collect())
    }

    #[test]
    fn holes_are_found_in_text() {
        let right =
            |text: &str, told: &str| assert_eq!(check(text), (told.into(), vec![]), "{text}");
        right("plain $5 $$ $${x}", r#""plain $5 $ ${x}""#);
        right("a ${b.c?} d", r#""a " b.c? " d""#);
        right(
            "${ a | cut:3 | or:{\\\"x}|\\\":1} }".replace("\\\"", "\"").as_str(),
            r#"a|cutSome("3")|orSome("{\"x}|\":1}")"#,
        );
        right("${new.alphabet:a-b:17}${new.uuid4}", "new<alphabet:a-b:17> new<uuid4>");
    }

    #[test]
    fn wrong_holes_are_told_at_their_place() {
        let wrong = |text: &str, at: usize| {
            let (_, problems) = check(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].starts_with(&format!("{at} ")), "{text}: {problems:?}");
        };
        wrong("abc ${", 5);
        wrong("${}", 1);
        wrong("x ${a b} y", 3);
        wrong("${a.}", 1);
        wrong("${a | }", 1);
        wrong("${a | or:nul}", 1);
        wrong("${{% for %}}", 1);
    }
}
