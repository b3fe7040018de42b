//! The tables `eventually` and `request` of a step.

use jiff::SignedDuration;

use super::declared::Declared;
use super::want::WantForm;
use crate::diag::{NonEmpty, Spanned, SyntaxNode, TableOf};
use crate::form;
use crate::matcher::PointerMatchers;

form! {
    /// The receiver's own state: it is requested until the response is as expected.
    pub(super) struct EventuallyForm {
        /// Path below the receiver's origin, such as `/orders/1`; or a URL whose origin is allowed.
        get: Spanned<String>,
        /// Maximum wall time until the response is as expected. Default: `5s`.
        within: Option<Spanned<SignedDuration>>,
        /// Status codes that are expected. Default: `2xx`.
        status: Option<NonEmpty<Spanned<String>>>,
        /// Fields of the response body, by JSON pointer: a value, or conditions.
        body: Option<Declared<PointerMatchers>>,
        /// Headers of the request, by name.
        headers: TableOf<Spanned<String>>,
    }
}

form! {
    /// A request to the receiver's own API. It has exactly one of `get`, `post`, `put`, `patch` and
    /// `delete`.
    pub(super) struct RequestForm {
        /// Path below the receiver's origin, such as `/start`; or a URL whose origin is allowed.
        get: Option<Spanned<String>>,
        /// Path or URL, as for `get`.
        post: Option<Spanned<String>>,
        /// Path or URL, as for `get`.
        put: Option<Spanned<String>>,
        /// Path or URL, as for `get`.
        patch: Option<Spanned<String>>,
        /// Path or URL, as for `get`.
        delete: Option<Spanned<String>>,
        /// JSON body of the request.
        json: Option<TableOf<SyntaxNode>>,
        /// Headers of the request, by name.
        headers: TableOf<Spanned<String>>,
        /// Requirements for the response. Default: a 2xx status.
        want: Option<Box<Declared<WantForm>>>,
    }
}
