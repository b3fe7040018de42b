//! Syntax errors of TOML files: their causes, and how to fix them.
//!
//! The parser describes an error in words only. This module takes from it where the errors are, and
//! finds out what each is about from the tokens and the text at its place.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use toml_parser::parser::{Event, EventKind, RecursionGuard, ValidateWhitespace};
use toml_parser::{Expected, ParseError};

use crate::base::limits::MAX_ERROR_RECOVERY;
use crate::diag::code;
use crate::diag::problem::Problem;
use crate::diag::source::Source;
use crate::diag::syntax_help::help_at;

/// Maximum depth of tables and lists, where each part of a dotted key is a table. The parser has this
/// limit for brackets and for the parts of one key, but not for both together, so that the tree of a
/// small file could be too deep for the stack.
const MAX_DEPTH: u32 = 80;

/// Maximum number of syntax errors that are reported for one file. Most are consequences of the
/// first.
const MAX_ERRORS: usize = 100;

/// Help for an error in a file that is not shown.
const WITHHELD: &str =
    "write strings in quotes; the line is not shown because it may contain credentials";

/// An error of the parser.
struct SyntaxError<'a> {
    range: Range<usize>,
    message: &'a str,
    /// The bracket that is open at the end of the file, if this is the error.
    unclosed: Option<Bracket>,
    /// True for a key that is defined twice, or both as a value and as a table.
    is_duplicate: bool,
}

/// An inline table or a list that is open at the end of the file.
#[derive(Clone, Copy)]
struct Bracket {
    is_table: bool,
    from: usize,
}

/// What is known about a file without the words of the parser.
pub(super) struct Outline<'a> {
    text: &'a str,
    /// Errors of the grammar. The parser reports the same ones first, in this order.
    errors: Vec<ParseError>,
    /// Start and end of the keys without an error in themselves.
    keys: BTreeSet<(usize, usize)>,
    /// Strings without a closing quote.
    open_strings: Vec<Range<usize>>,
    /// Places where the parser closed an inline table or list that is open at the end of the file.
    closed_at_end: BTreeSet<usize>,
    /// Start and kind of table headers without a closing bracket.
    open_headers: Vec<(usize, EventKind)>,
    /// The first bracket or key that exceeds [`MAX_DEPTH`].
    too_deep: Option<Range<usize>>,
}

impl<'a> Outline<'a> {
    /// Reads the tokens of a file.
    pub(super) fn new(text: &'a str) -> Self {
        let source = toml_parser::Source::new(text);
        let tokens = source.lex().into_vec();
        let (mut events, mut errors) = (Vec::<Event>::new(), Vec::new());
        // The same checks as in the parser, so that errors are in the same order.
        let mut checked = ValidateWhitespace::new(&mut events, source);
        let mut checked = RecursionGuard::new(&mut checked, MAX_DEPTH);
        // Of a large file the parser reports the first error only, because each one costs memory.
        let kept = if text.len() > MAX_ERROR_RECOVERY { 1 } else { usize::MAX };
        let mut keep = |error: ParseError| {
            if errors.len() < kept {
                errors.push(error);
            }
        };
        toml_parser::parser::parse_document(&tokens, &mut checked, &mut keep);
        let mut outline = Self {
            text,
            errors,
            keys: BTreeSet::new(),
            open_strings: Vec::new(),
            closed_at_end: BTreeSet::new(),
            open_headers: Vec::new(),
            too_deep: None,
        };
        outline.read_events(source, &events);
        outline
    }

    fn read_events(&mut self, source: toml_parser::Source<'_>, events: &[Event]) {
        let mut depth = Depth::default();
        for event in events {
            let range = event.span().start()..event.span().end();
            if depth.after(event.kind()) > MAX_DEPTH as usize {
                self.too_deep.get_or_insert(range.clone());
            }
            match event.kind() {
                EventKind::InlineTableClose | EventKind::ArrayClose if range.is_empty() => {
                    // Only a bracket that is not in the file has an empty range.
                    self.closed_at_end.insert(range.start);
                }
                kind @ (EventKind::StdTableOpen | EventKind::ArrayTableOpen) => {
                    self.open_headers.push((range.start, kind));
                }
                EventKind::StdTableClose | EventKind::ArrayTableClose => {
                    self.open_headers.pop();
                }
                EventKind::SimpleKey => {
                    if is_valid_key(source, *event) {
                        self.keys.insert((range.start, range.end));
                    }
                    self.read_string(range);
                }
                EventKind::Scalar => self.read_string(range),
                _ => {}
            }
        }
    }

    fn read_string(&mut self, range: Range<usize>) {
        let token = self.text.get(range.clone()).unwrap_or_default();
        let is_closed = quote(token)
            .is_none_or(|quote| token.len() >= 2 * quote.len() && token.ends_with(quote));
        if !is_closed {
            self.open_strings.push(range);
        }
    }

    /// Returns the file with spaces in place of the lines in which `=` is missing, if there are any.
    // After such a line, the parser reports no invalid values in the rest of the file.
    pub(super) fn without_incomplete_lines(&self) -> Option<String> {
        let is_assignment = |error: &&ParseError| {
            error.expected().is_some_and(|all| all.contains(&Expected::Literal("=")))
        };
        let places = self.errors.iter().filter(is_assignment).filter_map(ParseError::unexpected);
        let lines = places.map(|place| self.line_of(place.start()));
        // A bracket that is open at the end of the line would lose its content, and a header its keys.
        let is_whole = |line: &Range<usize>| {
            let text = self.text.get(line.clone()).unwrap_or_default();
            let number = |brackets: [char; 2]| text.matches(brackets).count();
            number(['{', '[']) == number(['}', ']']) && !text.trim_start().starts_with('[')
        };
        let lines: Vec<Range<usize>> = lines.filter(is_whole).collect();
        if lines.is_empty() {
            return None;
        }
        let mut text = self.text.to_owned();
        for line in lines {
            text.replace_range(line.clone(), &" ".repeat(line.len()));
        }
        Some(text)
    }

    /// Returns the line of a place, without its end.
    fn line_of(&self, at: usize) -> Range<usize> {
        let before = self.before(at);
        // The error of a line that ends too early is at its end.
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let length = self.text.get(start..).and_then(|rest| rest.find(['\n', '\r']));
        start..start + length.unwrap_or(self.text.len() - start)
    }

    /// Returns a problem if the file is nested too deeply to be parsed.
    pub(super) fn too_deep(&self, source: &Arc<Source>) -> Option<Problem> {
        let range = self.too_deep.clone()?;
        let help = if self.keys.contains(&(range.start, range.end)) {
            format!("each part of a dotted key is a table; at most {MAX_DEPTH} can be nested")
        } else {
            format!("tables and lists can be nested at most {MAX_DEPTH} levels deep")
        };
        let message = "tables or lists are nested too deeply";
        Some(Problem::at(&source.span(range), code::TOML_SYNTAX, message).help(help))
    }

    /// Returns the problems of the file, without those that are consequences of others.
    pub(super) fn problems(
        &self,
        source: &Arc<Source>,
        errors: &[toml::de::Error],
    ) -> Vec<Problem> {
        let causes = self.causes(errors);
        causes.iter().take(MAX_ERRORS).map(|error| self.problem(source, error)).collect()
    }

    /// Removes consequential errors. An unclosed inline table or list consumes the rest of the file
    /// and gives errors on each following line. A duplicate table header is reported only once.
    fn causes<'e>(&self, errors: &'e [toml::de::Error]) -> Vec<SyntaxError<'e>> {
        let mut errors: Vec<_> =
            errors.iter().enumerate().map(|(index, error)| self.classify(index, error)).collect();
        // Of two errors at one place, the bracket is open because of the other.
        errors.sort_by_key(|error| (error.range.start, error.unclosed.is_some()));
        self.move_unclosed_string(&mut errors);
        self.move_unclosed_bracket(&mut errors);
        let mut headers = BTreeSet::new();
        errors.retain(|error| {
            let is_header = error.is_duplicate && self.before(error.range.start).ends_with('[');
            !is_header || headers.insert(self.text.get(error.range.clone()))
        });
        self.drop_consequences(&mut errors);
        errors
    }

    /// Drops the errors that an earlier one explains: the later ones of a line, and those of lines that a
    /// string without a closing quote was meant to contain.
    fn drop_consequences(&self, errors: &mut Vec<SyntaxError<'_>>) {
        let mut explained_until = 0;
        errors.retain(|error| {
            let at = error.range.start;
            if error.is_duplicate || at >= explained_until {
                if !error.is_duplicate {
                    explained_until = self.end_of_line(at);
                }
                if self.open_strings.iter().any(|string| string.end == at) {
                    explained_until = self.next_assignment(at);
                }
                return true;
            }
            false
        });
    }

    /// Returns the end of the line of a place.
    fn end_of_line(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        // An error at the end of a line is one of that line.
        at + rest.find('\n').map_or(rest.len(), |end| end + 1)
    }

    /// Returns the start of the next line that begins with a header or with `key =`.
    fn next_assignment(&self, at: usize) -> usize {
        let mut start = self.end_of_line(at);
        while let Some(line) = self.text.get(start..).filter(|rest| !rest.is_empty()) {
            let line = line.lines().next().unwrap_or_default().trim_start();
            let is_key = |c: char| c.is_alphanumeric() || "_-.\"'".contains(c);
            let after_key = line.trim_start_matches(is_key).trim_start();
            if line.starts_with('[') || (line.starts_with(is_key) && after_key.starts_with('=')) {
                break;
            }
            start = self.end_of_line(start);
        }
        start
    }

    /// Returns the last header of a list of tables before a place, such as `[[step]]`.
    fn list_header(&self, at: usize) -> Option<&'a str> {
        let lines = self.before(at).lines().rev().map(str::trim);
        lines.take_while(|line| !line.starts_with('[') || line.starts_with("[[")).find_map(|line| {
            let end = line.find("]]").filter(|_| line.starts_with("[["))?;
            line.get(..end + 2)
        })
    }

    fn classify<'e>(&self, index: usize, error: &'e toml::de::Error) -> SyntaxError<'e> {
        let range = error.span().unwrap_or(0..0);
        let unclosed = self.errors.get(index).and_then(|error| self.unclosed(error));
        // After the errors of the grammar come those of values, which have no key as their place.
        let is_duplicate =
            index >= self.errors.len() && self.keys.contains(&(range.start, range.end));
        let message = error.message().lines().next().unwrap_or("not TOML");
        let message = message.strip_suffix(", expected nothing").unwrap_or(message);
        SyntaxError { range, message, unclosed, is_duplicate }
    }

    /// Returns the bracket that an error is about, if it is open at the end of the file.
    fn unclosed(&self, error: &ParseError) -> Option<Bracket> {
        let (context, place) = (error.context()?, error.unexpected()?);
        let bracket = self.text.get(context.start()..context.end())?;
        let is_unclosed = matches!(bracket, "{" | "[")
            && place.is_empty()
            && self.closed_at_end.contains(&place.start());
        is_unclosed.then(|| Bracket { is_table: bracket == "{", from: context.start() })
    }

    /// Replaces the errors in and after a string of several lines without an end by one at its start.
    fn move_unclosed_string(&self, errors: &mut Vec<SyntaxError<'_>>) {
        let is_multiline = |string: &&Range<usize>| {
            let quote = self.text.get((*string).clone()).and_then(quote);
            quote.is_some_and(|quote| quote.len() == 3)
        };
        let Some(string) = self.open_strings.iter().find(is_multiline) else { return };
        errors.retain(|error| error.range.start < string.start);
        errors.push(SyntaxError {
            range: string.start..string.start + 3,
            message: "unclosed string of several lines",
            unclosed: None,
            is_duplicate: false,
        });
    }

    /// Moves the error of a bracket from the end of the file to the end of the line before the first
    /// line that does not fit, and drops the errors after it.
    fn move_unclosed_bracket(&self, errors: &mut Vec<SyntaxError<'_>>) {
        let unclosed = errors.iter().find_map(|error| Some((error.unclosed?, error.message)));
        let Some((bracket, message)) = unclosed else { return };
        let is_after = |error: &SyntaxError<'_>| {
            error.range.start > bracket.from && self.begins_line(error.range.start)
        };
        let Some(first) = errors.iter().position(is_after) else { return };
        let end = self.before(errors[first].range.start).trim_end().len();
        errors.truncate(first);
        // An unclosed string on that line already explains the missing bracket. It may end after the
        // trimmed line.
        let is_other_line = |error: &SyntaxError<'_>| {
            self.text.get(error.range.start..end).is_some_and(|between| between.contains('\n'))
        };
        if errors.last().is_none_or(is_other_line) {
            let unclosed = Some(bracket);
            errors.push(SyntaxError { range: end..end, message, unclosed, is_duplicate: false });
        }
    }

    /// Returns true if there is only whitespace before a place on its line.
    fn begins_line(&self, at: usize) -> bool {
        self.before(at).trim_end_matches([' ', '\t']).ends_with('\n')
    }

    fn before(&self, at: usize) -> &'a str {
        self.text.get(..at).unwrap_or_default()
    }

    fn problem(&self, source: &Arc<Source>, error: &SyntaxError<'_>) -> Problem {
        let span = &source.span(error.range.clone());
        let text = if source.is_withheld() { "" } else { span.text() };
        if error.is_duplicate {
            let is_header = self.before(error.range.start).ends_with(['[', '.']);
            let message = match text {
                "" => "duplicate key".to_owned(),
                name => format!("duplicate key `{name}`"),
            };
            let header = self.list_header(error.range.start).filter(|_| !source.is_withheld());
            return Problem::at(span, code::DUPLICATE_KEY, message).help(match header {
                _ if is_header => {
                    "define each table once; write a list of tables as `[[…]]`".into()
                }
                // A second action in one step is the usual reason.
                Some(header) if self.begins_line(error.range.start) => {
                    format!("remove one of them, or begin another entry with `{header}` above it")
                }
                _ => "remove one of them".to_owned(),
            });
        }
        let problem = Problem::at(span, code::TOML_SYNTAX, error.message);
        match self
            .text_help(source, error)
            .or_else(|| self.advice(error))
            .or_else(|| bare_word(text))
        {
            Some(help) => problem.help(help),
            None if source.is_withheld() => problem.help(WITHHELD),
            None => problem,
        }
    }

    /// Returns help from the text around an error.
    fn text_help(&self, source: &Source, error: &SyntaxError<'_>) -> Option<String> {
        let is_open = self.open_strings.iter().any(|string| string.end == error.range.start);
        let is_usable = !source.is_withheld()
            && error.unclosed.is_none()
            && !self.open_strings.iter().any(|string| string.start == error.range.start);
        is_usable.then(|| help_at(self.text, error.range.start, is_open)).flatten()
    }

    /// Returns help for an error, from what is at its place.
    fn advice(&self, error: &SyntaxError<'_>) -> Option<String> {
        let at = error.range.start;
        if let Some(bracket) = error.unclosed {
            let help = ["close the list with `]`", "close the inline table with `}`"];
            return Some(help[usize::from(bracket.is_table)].into());
        }
        if let Some(string) = self
            .open_strings
            .iter()
            .find(|string| string.end == at || string.start == at && error.range.len() == 3)
        {
            let quote = quote(self.text.get(string.clone())?)?;
            return Some(match quote {
                "\"" | "'" => {
                    let several = quote.repeat(3);
                    format!(
                        "close the string with `{quote}` on the same line; a string of several lines \
                         begins and ends with `{several}`"
                    )
                }
                _ => format!("close the string with `{quote}`"),
            });
        }
        if self.before(at).ends_with('\r') {
            return Some("save the file with Unix or Windows line endings".into());
        }
        let line = self.before(at).rfind('\n').map_or(0, |end| end + 1);
        let header = self.open_headers.iter().find(|(from, _)| (line..=at).contains(from))?;
        Some(match header.1 {
            EventKind::ArrayTableOpen => {
                "start an entry of a list of tables with `[[name]]`".into()
            }
            _ => "start a table with `[name]`".into(),
        })
    }
}

/// Depth of the tree at a place of a file.
#[derive(Default)]
struct Depth {
    /// Number of keys in the header of the current table.
    header: usize,
    /// Number of keys in front of each open bracket.
    brackets: Vec<usize>,
    /// Number of keys since the last bracket or value.
    keys: usize,
}

impl Depth {
    /// Returns the depth after the next event.
    fn after(&mut self, event: EventKind) -> usize {
        match event {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => *self = Self::default(),
            EventKind::StdTableClose | EventKind::ArrayTableClose => {
                self.header = std::mem::take(&mut self.keys);
            }
            EventKind::InlineTableOpen | EventKind::ArrayOpen => {
                self.brackets.push(std::mem::take(&mut self.keys));
            }
            EventKind::InlineTableClose | EventKind::ArrayClose => {
                self.keys = 0;
                self.brackets.pop();
            }
            EventKind::SimpleKey => self.keys += 1,
            EventKind::ValueSep | EventKind::Newline => self.keys = 0,
            _ => {}
        }
        self.header + self.keys + self.brackets.iter().sum::<usize>() + self.brackets.len()
    }
}

fn is_valid_key(source: toml_parser::Source<'_>, key: Event) -> bool {
    let mut error: Option<ParseError> = None;
    if let Some(raw) = source.get(key) {
        raw.decode_key(&mut Cow::Borrowed(""), &mut error);
    }
    error.is_none()
}

/// Returns the quotes that a string begins with.
fn quote(token: &str) -> Option<&str> {
    ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| token.starts_with(quote))
}

/// Returns help for a word without quotes in place of a value.
fn bare_word(text: &str) -> Option<String> {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    match text {
        "null" | "None" | "nil" | "NULL" | "Null" | "undefined" => {
            Some("TOML has no null: remove the key".into())
        }
        "True" | "TRUE" => Some("write `true`".into()),
        "False" | "FALSE" => Some("write `false`".into()),
        "yes" | "no" | "on" | "off" => {
            Some(format!("write `true` or `false`, or put a string in quotes: `\"{text}\"`"))
        }
        _ if is_word => Some(format!("put a string in quotes: `\"{text}\"`")),
        _ => None,
    }
}
