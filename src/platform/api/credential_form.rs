//! The structure of `[[credential]]` sections.

use jiff::SignedDuration;

use super::token::TokenAlgorithm;
use crate::diag::{Spanned, TableOf};
use crate::form;

crate::string_enum! {
    /// What a credential consists of.
    pub enum CredentialKind {
        /// The whole value.
        Raw = "raw",
        /// The value behind `Bearer `.
        Bearer = "bearer",
        /// User and password.
        Basic = "basic",
        /// Named parameters of the query and the body together.
        Fields = "fields",
        /// A JSON Web Token that is verified by its signature.
        Jwt = "jwt",
        /// Anything: it is not verified.
        Present = "present",
    }
}

form! {
    /// A credential that calls present.
    pub struct CredentialForm {
        /// Name, used in `auth` and in `missing.NAME`, `invalid.NAME` and `expired.NAME`.
        name: Spanned<String>,
        /// What it consists of.
        kind: Spanned<CredentialKind>,
        /// Place in the call: `header:NAME`, `query:NAME`, `cookie:NAME` or
        /// `path:NAME`.
        place ("in"): Option<Spanned<String>>,
        /// The valid value of `raw` or `bearer` [default: only issued tokens are valid].
        value: Option<Spanned<String>>,
        /// Form of the issued tokens of `raw` or `bearer`, such as `${new.hex:64}`.
        token: Option<Spanned<String>>,
        /// Scheme before the value of `present`, such as `OAuth`.
        scheme: Option<Spanned<String>>,
        /// Whether the value of `bearer` is also valid without `Bearer` [default: false].
        bare: Option<Spanned<bool>>,
        /// The parameters of `fields` with their valid values.
        fields: TableOf<Spanned<String>>,
        /// The user of `basic`.
        user: Option<Spanned<String>>,
        /// The password of `basic`.
        password: Option<Spanned<String>>,
        /// The secret with which a `jwt` is signed.
        key: Option<Spanned<String>>,
        /// Name of the key in the header of a `jwt`.
        kid: Option<Spanned<String>>,
        /// How tokens are signed: `HS256`, or `RS256` with a PKCS#8 document in base64 as the key
        /// [default: HS256].
        algorithm: Option<Spanned<TokenAlgorithm>>,
        /// Claims that a `jwt` must have.
        claims: TableOf<Spanned<String>>,
        /// How long an issued token is valid [default: without a limit].
        life: Option<Spanned<SignedDuration>>,
        /// Claims of the token that examples present.
        example: TableOf<Spanned<String>>,
    }
}
