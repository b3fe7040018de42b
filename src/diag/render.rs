//! Formats problems with their source lines, in the style of rustc.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::base::limits::{MAX_LINE, MAX_MESSAGE, MAX_PRINTED_PROBLEMS};
use crate::base::text::{count, escape, excerpt, is_hidden, mask};
use crate::diag::problem::{Problem, Problems};
use crate::diag::source::SourceSpan;

/// Formats all problems, with ANSI colours. The output stream removes colours where necessary.
pub fn render(problems: Problems) -> String {
    let problems = problems.sorted();
    // ASCII decoration: log viewers of CI systems often lack the box-drawing characters.
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii).term_width(MAX_LINE);
    let shown = problems.iter().take(MAX_PRINTED_PROBLEMS);
    let mut text: String =
        shown.map(|problem| render_problem(problem, &renderer) + "\n\n").collect();
    if problems.len() > MAX_PRINTED_PROBLEMS {
        text += &format!("and {} more\n\n", problems.len() - MAX_PRINTED_PROBLEMS);
    }
    text + &count(problems.len(), "problem", "problems")
}

fn render_problem(problem: &Problem, renderer: &Renderer) -> String {
    let code = problem.code.to_string();
    let sanitized = |text: &str| sanitized(problem, text);
    let message = sanitized(&problem.message);
    let mut group = Group::with_title(Level::ERROR.primary_title(message).id(code.as_str()));
    if let Some(span) = withheld(problem) {
        let (line, column) = span.line_column();
        let name = escape(&span.source.name);
        group = group.element(Origin::path(name).line(line).char_column(column));
    }
    for excerpt in excerpts(problem) {
        let Excerpt { name, text, line, kind, range, label } = excerpt;
        let mark = kind.span(range);
        let mark = if label.is_empty() { mark } else { mark.label(sanitized(label)) };
        let snippet = Snippet::source(text).line_start(line).path(name).annotation(mark);
        group = group.element(snippet);
    }
    match problem.help.as_ref().map(|help| sanitized(help)) {
        Some(help) if problem.span.is_some() => {
            renderer.render(&[group.element(Level::HELP.message(help))])
        }
        // The library prints help next to source lines only.
        Some(help) => format!("{}\n  help: {help}", renderer.render(&[group])),
        None => renderer.render(&[group]),
    }
}

/// Escapes and shortens a message, and removes secrets: it may quote untrusted or private text.
fn sanitized(problem: &Problem, text: &str) -> String {
    // Masked first: what is cut in the middle is not found.
    match &problem.span {
        Some(span) => excerpt(&span.source.mask_hidden(text), MAX_MESSAGE),
        None => excerpt(text, MAX_MESSAGE),
    }
}

/// One source line with the marked range in it.
struct Excerpt<'a> {
    name: String,
    text: String,
    line: usize,
    kind: AnnotationKind,
    range: Range<usize>,
    label: &'a str,
}

/// Returns the place of a problem in a file whose text is not printed.
fn withheld(problem: &Problem) -> Option<&SourceSpan> {
    problem.span.as_ref().filter(|span| span.source.is_withheld())
}

/// Returns the line of the problem, and the line of its related location.
fn excerpts(problem: &Problem) -> Vec<Excerpt<'_>> {
    let Some(span) = problem.span.as_ref().filter(|span| !span.source.is_withheld()) else {
        return Vec::new();
    };
    let also = problem.also.as_ref();
    let also = also.map(|(also, label)| line_of(also, AnnotationKind::Context, label));
    let first = line_of(span, AnnotationKind::Primary, "");
    std::iter::once(first).chain(also).collect()
}

/// Replaces invisible characters by U+FFFD. The renderer replaces control characters itself.
fn make_visible(line: &str) -> String {
    // Only characters with as many bytes as U+FFFD, so that byte offsets stay valid.
    let is_replaced = |c: char| is_hidden(c) && c.len_utf8() == '\u{fffd}'.len_utf8();
    line.replace(is_replaced, "\u{fffd}")
}

/// Returns the start of the character at a byte offset, or the end of the text.
// The parsers give offsets inside of a character in some errors.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// Returns the first line of a span.
fn line_of<'a>(span: &'a SourceSpan, kind: AnnotationKind, label: &'a str) -> Excerpt<'a> {
    let text = &*span.source.text;
    let start = boundary(text, span.range.start);
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
    // Exclude the carriage return of a Windows line, unless the span starts at it.
    let to = if text[from..to].ends_with('\r') { to.max(start + 1) - 1 } else { to };
    let start = start.min(to);
    let end = boundary(text, span.range.end).clamp(start, to);
    Excerpt {
        name: escape(&span.source.name),
        text: make_visible(&mask(&span.source.shown(from..to))),
        line: span.line_column().0,
        kind,
        range: start - from..end - from,
        label,
    }
}
