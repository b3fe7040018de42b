//! Texts of a scenario that are sent as they are written: a placeholder in one is a mistake.

use crate::diag::{NodeContent, Problem, Problems, SourceSpan, Spanned, SyntaxNode, code};

/// Reports a placeholder in a text that is sent as it is written.
pub(super) fn refuse_placeholders(text: &Spanned<String>, problems: &mut Problems) {
    if let Some(problem) = misplaced_placeholder(&text.value, &text.span) {
        problems.push(problem);
    }
}

/// Reports the placeholders in the texts of a value that is sent as it is written.
pub(super) fn refuse_placeholders_in(node: &SyntaxNode, problems: &mut Problems) {
    match &node.content {
        NodeContent::Text(text) => {
            if let Some(problem) = misplaced_placeholder(text, &node.span) {
                problems.push(problem);
            }
        }
        NodeContent::List(items) => {
            items.iter().for_each(|item| refuse_placeholders_in(item, problems));
        }
        NodeContent::Table(table) => {
            table.0.iter().for_each(|(_, value)| refuse_placeholders_in(value, problems));
        }
        _ => {}
    }
}

fn misplaced_placeholder(text: &str, span: &SourceSpan) -> Option<Problem> {
    // `$${` is an escaped `${` elsewhere, and a text with it is just as likely to be a mistake.
    let at = text.find("${")?;
    let end = text[at..].find('}').map_or(text.len(), |end| at + end + 1);
    let message = format!("`{}` is not replaced here", &text[at..end]);
    let problem = Problem::at(&span.find(&text[at..end], 0), code::PLACEHOLDER_SYNTAX, message);
    Some(problem.help(
        "placeholders are allowed in the texts and data of messages, notes, ratings, variables, \
         entities and `emit`; write the value itself here",
    ))
}
