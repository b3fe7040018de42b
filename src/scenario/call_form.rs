//! The tables of a scenario about calls of the receiver to the vendor's API.

use jiff::SignedDuration;

use super::declared::Declared;
use crate::diag::{NonEmpty, Spanned, SyntaxNode};
use crate::form;
use crate::matcher::ValueMatchers;

form! {
    /// A call of the receiver to the vendor's API that has to come.
    pub(super) struct ExpectForm {
        /// Neutral name of the call, such as `send_message`.
        call: Spanned<String>,
        /// Values of the call, by name or by JSON pointer into its body: a value, or conditions.
        matches ("match"): Option<Declared<ValueMatchers>>,
        /// Maximum wall time until the call comes. Default: `5s`.
        within: Option<Spanned<SignedDuration>>,
        /// Status of the vendor's response. Default: `2xx`.
        status: Option<NonEmpty<Spanned<String>>>,
        /// What the call gets in place of the vendor's response.
        respond: Option<RespondForm>,
    }
}

form! {
    /// What a call gets in place of the vendor's response. With another status than 2xx, the call
    /// changes nothing.
    pub(super) struct RespondForm {
        /// Status. Default: that of the vendor.
        status: Option<Spanned<u64>>,
        /// Body: a text, or a table that is sent as JSON. Default: that of the vendor, or nothing for an
        /// error.
        body: Option<SyntaxNode>,
        /// Wall time before the response.
        delay: Option<Spanned<SignedDuration>>,
        /// `true` never responds. The connection stays open. Default: false.
        hang: Option<Spanned<bool>>,
    }
}

form! {
    /// What happens whenever a call of the receiver comes, until the end of the conversation.
    pub struct OnForm {
        /// Neutral name of the call, such as `send_message`.
        call: Spanned<String>,
        /// Values of the call, by name or by JSON pointer into its body: a value, or conditions.
        matches ("match"): Option<Declared<ValueMatchers>>,
        /// Actions, each a table such as `{ assign = { to = "grace" } }`. They happen after the response.
        do_ ("do"): NonEmpty<SyntaxNode>,
    }
}

form! {
    /// A call of the receiver to the vendor's API that must not come.
    pub(super) struct ExpectNoneForm {
        /// Neutral name of the call; `*` is every call that changes something or fails.
        call: Spanned<String>,
        /// Values of the call, by name or by JSON pointer into its body: a value, or conditions.
        matches ("match"): Option<Declared<ValueMatchers>>,
        /// Wall time during which no such call comes. Default: `1s`.
        for_ ("for"): Option<Spanned<SignedDuration>>,
    }
}
