//! `[[endpoint]]`: a receiver in the configuration.

use jiff::SignedDuration;

use super::receiver::{check_header_name, check_header_value, invalid_secret};
use super::receiver_address::ReceiverAddress;
use crate::base::redact::is_credential_name;
use crate::base::route::ResolveRule;
use crate::base::secret::{MIN_SECRET, Reference, Secret};
use crate::diag::{NonEmpty, Problem, Problems, Scalar, Spanned, SyntaxNode, TableOf, code};
use crate::form;

form! {
    /// A receiver.
    pub struct EndpointForm {
        /// Vendor that sends to this receiver.
        vendor: Spanned<String>,
        /// URL of the receiver, or a reference to it, `env:NAME` or `file:PATH`, which appears in output in
        /// its place.
        url: Spanned<ReceiverAddress>,
        /// Event types to send. Default: the vendor's default subscription.
        events: Option<NonEmpty<Spanned<String>>>,
        /// Headers to add to those of the vendor: `env:NAME`, `file:PATH`, or the value.
        headers: TableOf<Spanned<Reference>>,
        /// Timeout of a request, such as `5s` [default: that of the vendor].
        timeout: Option<Spanned<SignedDuration>>,
        /// PEM file with CA certificates that are trusted in addition to those of the system.
        ca: Option<Spanned<String>>,
        /// Accept every certificate of the receiver.
        insecure: Option<Spanned<bool>>,
        /// PEM file with a client certificate and its chain.
        cert: Option<Spanned<String>>,
        /// PEM file with the key of the client certificate [default: in the file of `cert`].
        key: Option<Spanned<String>>,
        /// Addresses in place of those of a host name: `HOST:PORT:ADDRESS`.
        resolve: Vec<Spanned<ResolveRule>>,
        /// URL of a forward proxy, or a reference to it, `env:NAME` or `file:PATH`.
        proxy: Option<Spanned<Reference>>,
    }
}

impl Scalar for ResolveRule {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        Self::parse(&text).map_err(|message| Problem::at(&node.span, code::INVALID_TYPE, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^[^:]+:[0-9]+:.+$"})
    }
}

impl EndpointForm {
    /// Checks the names of the headers, and those values that the file contains.
    pub(super) fn check_headers(&self, problems: &mut Problems) {
        for (key, value) in self.headers.iter() {
            if let Err(message) = check_header_name(&key.name) {
                problems.push(Problem::at(&key.span, code::INVALID_HEADER, message));
            }
            if let Err(problem) = check_header_value(&value.0, &value.span) {
                problems.push(problem);
            }
        }
    }

    /// Reports headers that requests already have. Sent twice, most servers join or reject them.
    pub fn reject_headers(&self, existing: &[String], problems: &mut Problems) {
        for (index, (key, _)) in self.headers.0.iter().enumerate() {
            let is_same = |name: &str| name.eq_ignore_ascii_case(&key.name);
            if existing.iter().any(|name| is_same(name)) {
                let message = format!("requests already have a header `{}`", key.name);
                let problem = Problem::at(&key.span, code::INVALID_HEADER, message);
                problems.push(problem.help("remove it: the header would be sent twice"));
            }
            let mut earlier = self.headers.0[..index].iter();
            if let Some((first, _)) = earlier.find(|(other, _)| is_same(&other.name)) {
                let message = format!("the header `{}` is set twice", key.name);
                let problem = Problem::at(&key.span, code::INVALID_HEADER, message);
                let help = "remove one of them: the case of a name makes no difference";
                problems.push(problem.also(&first.span, "first header").help(help));
            }
        }
    }

    /// Returns the headers with their values. Values from the environment or from files are secret,
    /// values in the configuration itself are public.
    pub fn resolve_headers(&self, problems: &mut Problems) -> Vec<(String, Secret)> {
        let mut headers = Vec::new();
        for (key, value) in self.headers.iter() {
            if !value.is_external() {
                let is_secret = is_credential_name(&key.name) && value.0.len() >= MIN_SECRET;
                let secret = if is_secret { Secret::private } else { Secret::public };
                headers.push((key.name.clone(), secret(value.0.clone())));
                continue;
            }
            let resolved = value.resolve();
            let resolved =
                resolved.map_err(|error| invalid_secret(&error, &value.span)).and_then(|secret| {
                    check_header_value(secret.expose(), &value.span).map(|()| secret)
                });
            match resolved {
                Ok(secret) => headers.push((key.name.clone(), secret)),
                Err(problem) => problems.push(problem),
            }
        }
        headers
    }
}
