//! Draws problems on their source, as rustc draws its own.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::base::limits::{MAX_DRAWN, MAX_LINE, MAX_MESSAGE};
use crate::base::text::{count, escape, excerpt, is_hidden, mask};
use crate::diag::problem::{Problem, Problems};
use crate::diag::source::SourceSpan;

/// All problems as text with colours; a stream that wants none strips them.
pub fn render(problems: Problems) -> String {
    let problems = problems.sorted();
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii).term_width(MAX_LINE);
    let mut drawn: String =
        problems.iter().take(MAX_DRAWN).map(|problem| draw(problem, &renderer) + "\n\n").collect();
    if problems.len() > MAX_DRAWN {
        drawn += &format!("and {} more\n\n", problems.len() - MAX_DRAWN);
    }
    drawn + &count(problems.len(), "problem", "problems")
}

fn draw(problem: &Problem, renderer: &Renderer) -> String {
    let code = problem.code.to_string();
    let shown = |text: &str| shown(problem, text);
    let message = shown(&problem.message);
    let mut group = Group::with_title(Level::ERROR.primary_title(message).id(code.as_str()));
    for excerpt in excerpts(problem) {
        let Excerpt { name, text, line, kind, range, label } = excerpt;
        let mark = kind.span(range);
        let mark = if label.is_empty() { mark } else { mark.label(shown(label)) };
        let snippet = Snippet::source(text).line_start(line).path(name).annotation(mark);
        group = group.element(snippet);
    }
    match problem.help.as_ref().map(|help| shown(help)) {
        Some(help) if problem.span.is_some() => {
            renderer.render(&[group.element(Level::HELP.message(help))])
        }
        Some(help) => format!("{}\n  help: {help}", renderer.render(&[group])),
        None => renderer.render(&[group]),
    }
}

/// A text of a problem as it may be shown: parts of it may be somebody else's.
fn shown(problem: &Problem, text: &str) -> String {
    let text = excerpt(text, MAX_MESSAGE);
    match &problem.span {
        Some(span) => span.source.without_hidden(&text),
        None => text,
    }
}

/// One line of a source, and the mark on it.
struct Excerpt<'a> {
    name: String,
    text: String,
    line: usize,
    kind: AnnotationKind,
    range: Range<usize>,
    label: &'a str,
}

/// The line of the place, and that of the other place.
fn excerpts(problem: &Problem) -> Vec<Excerpt<'_>> {
    let Some(span) = &problem.span else { return Vec::new() };
    let also = problem.also.as_ref();
    let also = also.map(|(also, label)| line_of(also, AnnotationKind::Context, label));
    let first = line_of(span, AnnotationKind::Primary, "");
    std::iter::once(first).chain(also).collect()
}

/// A line whose characters can all be seen, each byte in its place. The renderer does the same for
/// those that act on a terminal.
fn seen(line: &str) -> String {
    let is_blank = |c: char| is_hidden(c) && c.len_utf8() == '\u{fffd}'.len_utf8();
    line.replace(is_blank, "\u{fffd}")
}

/// The line of a place; a place of several lines is shown by its first.
fn line_of<'a>(span: &'a SourceSpan, kind: AnnotationKind, label: &'a str) -> Excerpt<'a> {
    let text = span.source.text.as_str();
    let start = span.range.start.min(text.len());
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let to = if text[from..to].ends_with('\r') { to.max(start + 1) - 1 } else { to };
    let start = start.min(to);
    let end = span.range.end.clamp(start, to);
    Excerpt {
        name: escape(&span.source.name),
        text: seen(&mask(&span.source.shown(from..to))),
        line: span.line_column().0,
        kind,
        range: start - from..end - from,
        label,
    }
}
