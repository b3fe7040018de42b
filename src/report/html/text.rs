//! Texts on the page.

use maud::{Markup, html};

/// Shows a message, in which backticks enclose code.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    // An odd number of backticks has no meaning as markup.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (index, part) in parts.into_iter().enumerate() {
            @if index % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

/// Returns the class of what passed or failed.
pub(super) fn class_of(has_passed: bool) -> &'static str {
    if has_passed { "ok" } else { "bad" }
}

/// Returns the mark of what passed or failed.
pub(super) fn mark(has_passed: bool) -> &'static str {
    if has_passed { "✓" } else { "✗" }
}
