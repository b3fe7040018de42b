//! The structure of `[source]`: where the facts of a section come from.

use crate::diag::Spanned;
use crate::form;

crate::string_enum! {
    /// How well a fact is known.
    pub enum Certainty {
        /// The vendor's documentation states it.
        Documented = "documented",
        /// It was observed at a real server or in its source code.
        Observed = "observed",
        /// It follows from documented or observed facts.
        Inferred = "inferred",
        /// Nothing is known; this is a plausible choice.
        Assumed = "assumed",
    }
}

form! {
    /// Source of the facts in a section.
    pub struct SourceForm {
        /// How well the facts are known.
        status: Spanned<Certainty>,
        /// Month in which the source was last checked, as `2026-11`.
        seen: Option<Spanned<String>>,
        /// URL of the source.
        url: Option<Spanned<String>>,
        /// Remarks.
        note: Option<Spanned<String>>,
    }
}
