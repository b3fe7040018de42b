//! The structure of `[[throttle]]`: how often clients may call.

use jiff::SignedDuration;

use crate::diag::{Spanned, TableOf};
use crate::form;

crate::string_enum! {
    /// Whose calls a limit counts together.
    pub enum ThrottleScope {
        /// All calls of the account.
        Account = "account",
        /// The calls that present the same credential.
        Credential = "credential",
    }
}

form! {
    /// A limit of calls. A call beyond it is `throttled.NAME`.
    pub struct ThrottleForm {
        /// Unique name, for `throttle` of routes and `throttled.NAME`.
        name: Spanned<String>,
        /// Maximum number of calls in the period.
        limit: Spanned<u64>,
        /// Period before each call, in wall time.
        per: Spanned<SignedDuration>,
        /// Whose calls are counted together [default: account].
        by: Option<Spanned<ThrottleScope>>,
        /// Options with the values under which the limit applies.
        when: TableOf<Vec<Spanned<String>>>,
    }
}
