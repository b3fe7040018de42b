//! Draws problems on their source, as rustc draws its own.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::base::limits::{MAX_DRAWN, MAX_LINE};
use crate::base::text::{count, mask};
use crate::diag::problem::{Problem, Problems};
use crate::diag::source::Place;

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
    let title = Level::ERROR.primary_title(problem.message.as_str()).id(code.as_str());
    let mut group = Group::with_title(title);
    let excerpts: Vec<Excerpt<'_>> = excerpts(problem);
    for excerpt in &excerpts {
        let mut snippet =
            Snippet::source(excerpt.text.as_str()).line_start(excerpt.line).path(excerpt.name);
        for (kind, span, label) in &excerpt.marks {
            let mark = kind.span(span.clone());
            snippet = snippet.annotation(if label.is_empty() { mark } else { mark.label(*label) });
        }
        group = group.element(snippet);
    }
    match &problem.help {
        Some(help) if problem.place.is_some() => {
            renderer.render(&[group.element(Level::HELP.message(help.as_str()))])
        }
        Some(help) => format!("{}\n  help: {help}", renderer.render(&[group])),
        None => renderer.render(&[group]),
    }
}

/// The lines of a source that are shown, and the marks on them.
struct Excerpt<'a> {
    name: &'a str,
    text: String,
    line: usize,
    marks: Vec<(AnnotationKind, std::ops::Range<usize>, &'a str)>,
}

/// One excerpt for the place and one for the other place, or one for both where they are close.
fn excerpts(problem: &Problem) -> Vec<Excerpt<'_>> {
    let Some(place) = &problem.place else { return Vec::new() };
    let mut excerpts = vec![excerpt(place, AnnotationKind::Primary, &problem.label)];
    if let Some((also, label)) = &problem.also {
        excerpts.push(excerpt(also, AnnotationKind::Context, label));
    }
    excerpts
}

/// The line of a place; a place of several lines is shown by its first.
fn excerpt<'a>(place: &'a Place, kind: AnnotationKind, label: &'a str) -> Excerpt<'a> {
    let text = place.source.text.as_str();
    let start = place.span.start.min(text.len());
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let end = place.span.end.clamp(start, to);
    let (line, _) = place.line_column();
    let span = start - from..end - from;
    Excerpt {
        name: &place.source.name,
        text: mask(&text[from..to]),
        line,
        marks: vec![(kind, span, label)],
    }
}
