//! The form of `list`: a page of things in a response.

use crate::diag::{Spanned, SyntaxNode, TableOf};
use crate::form;

form! {
    /// A page of things.
    pub struct ListForm {
        /// Name of a list of `[api.list]` whose keys it has, except those that stand here too. Those of
        /// `by` are replaced one by one.
        like: Option<Spanned<String>>,
        /// `conversations`, `messages` of the call's conversation, `agents`, or a kind of documents or
        /// entities. Required without `like`.
        of: Option<Spanned<String>>,
        /// Whether the newest come first [default: false].
        newest: Option<Spanned<bool>>,
        /// Values that they must have, by field: an id, and for conversations `visitor`, `assignee` or
        /// `participant` (an id of the person; no assignee is an empty text), `state`, and `unanswered`
        /// (whether the visitor has written the last message). A list means one of its values, an absent
        /// value all.
        by: TableOf<SyntaxNode>,
        /// Numbers of things with other values of `by`: `list.counts.NAME`. A count has the values of `by`
        /// that it does not replace.
        counts: TableOf<TableOf<SyntaxNode>>,
        /// Text that they must contain.
        search: Option<SearchForm>,
        /// Period in which one of their times must be.
        period: Option<PeriodForm>,
        /// Order that the call wants. Without values, it is that of `newest`.
        sort: Option<SortForm>,
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

impl ListForm {
    /// Returns the list with the keys of another one that it does not have.
    pub(super) fn based_on(&self, base: &Self) -> Self {
        Self {
            span: self.span.clone(),
            like: None,
            of: self.of.clone().or_else(|| base.of.clone()),
            newest: self.newest.clone().or_else(|| base.newest.clone()),
            by: replaced(&base.by, &self.by),
            counts: replaced(&base.counts, &self.counts),
            search: self.search.clone().or_else(|| base.search.clone()),
            period: self.period.clone().or_else(|| base.period.clone()),
            sort: self.sort.clone().or_else(|| base.sort.clone()),
            from: self.from.clone().or_else(|| base.from.clone()),
            offset: self.offset.clone().or_else(|| base.offset.clone()),
            size: self.size.clone().or_else(|| base.size.clone()),
            page: self.page.clone().or_else(|| base.page.clone()),
            default: self.default.clone().or_else(|| base.default.clone()),
            most: self.most.clone().or_else(|| base.most.clone()),
        }
    }
}

/// Returns a table with the entries of another one, which replace those of the same name.
fn replaced<T: Clone>(table: &TableOf<T>, own: &TableOf<T>) -> TableOf<T> {
    let kept = table.0.iter().filter(|(key, _)| !own.contains(&key.name));
    TableOf(kept.chain(&own.0).cloned().collect())
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
    /// The order of the things of a page.
    pub struct SortForm {
        /// Name of the field by which they are sorted. Without a value, the oldest come first.
        by: Option<SyntaxNode>,
        /// A text that begins with `d` in small or capital letters, or a negative number, reverses the
        /// order.
        order: Option<SyntaxNode>,
        /// Fields by the names that calls give them. Other names are those of fields.
        names: TableOf<Spanned<String>>,
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
