//! The form of `list`: a page of things in a response.

use crate::diag::{Spanned, SyntaxNode, TableOf};
use crate::form;

form! {
    /// A page of things.
    pub struct ListForm {
        /// `conversations`, `messages` of the call's conversation, `agents`, or a kind of documents or
        /// entities.
        of: Spanned<String>,
        /// Whether the newest come first [default: false].
        newest: Option<Spanned<bool>>,
        /// Values that they must have, by field: an id, and for conversations `visitor`, `assignee` or
        /// `participant` (an id of the person; no assignee is an empty text), `state`, and `unanswered`
        /// (whether the visitor has written the last message). A list means one of its values, an absent
        /// value all.
        by: TableOf<SyntaxNode>,
        /// Text that they must contain.
        search: Option<SearchForm>,
        /// Period in which one of their times must be.
        period: Option<PeriodForm>,
        /// Number of the first message, for `messages` [default: all].
        from: Option<SyntaxNode>,
        /// Number of things before the page [default: 0].
        offset: Option<SyntaxNode>,
        /// Number of things of the page.
        size: Option<SyntaxNode>,
        /// Number of the page, from 1, in place of `offset`.
        page: Option<SyntaxNode>,
        /// Number of things of a page of a call that does not say [default: the largest].
        default: Option<Spanned<u64>>,
        /// Largest number of things of a page [default: 100].
        most: Option<Spanned<u64>>,
    }
}

form! {
    /// A text that the things of a page must contain, in small or capital letters.
    pub struct SearchForm {
        /// The text. Without a value, all things are listed.
        text ("for"): SyntaxNode,
        /// Fields of which one must contain it.
        fields ("in"): Vec<Spanned<String>>,
    }
}

form! {
    /// A period in which things of a page were opened, created or changed.
    pub struct PeriodForm {
        /// Times of which one must be in the period, such as `opened_at`.
        of: Vec<Spanned<String>>,
        /// First instant or date [default: no limit].
        from: Option<SyntaxNode>,
        /// Last instant or date [default: no limit].
        to: Option<SyntaxNode>,
    }
}
