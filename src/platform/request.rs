//! The headers and the signature of a request.

use serde_json::{Map, Value as Json};

use super::Account;
use super::context::TemplateContext;
use super::forms::{OptionForm, Purpose, VendorForm};
use super::signature::{Algorithm, Encoding, sign};
use crate::diag::{Problem, Problems, Spanned, TableOf, code};
use crate::template::{TextTemplate, Value};

/// How a vendor's requests are dressed.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestRules {
    pub(super) headers: Vec<HeaderRule>,
    pub(super) signature: Option<SignatureRule>,
}

/// One header.
#[derive(Clone, Debug)]
pub(super) struct HeaderRule {
    pub(super) name: String,
    pub(super) value: TextTemplate,
    pub(super) only: Option<Purpose>,
    pub(super) when: OptionValues,
}

/// Options, each with the values under which something holds.
#[derive(Clone, Debug, Default)]
pub(super) struct OptionValues(Vec<(String, Vec<String>)>);

impl OptionValues {
    /// Checks that there are such options.
    pub(super) fn check(
        form: &TableOf<Vec<Spanned<String>>>,
        options: &TableOf<OptionForm>,
        problems: &mut Problems,
    ) -> Self {
        for (option, _) in form.iter().filter(|(option, _)| !options.contains(&option.name)) {
            let message = format!("there is no option `{}`", option.name);
            let problem = Problem::at(&option.span, code::UNKNOWN_KEY, message);
            problems.push(problem.known(&option.name, options.names()));
        }
        let values =
            |values: &Vec<Spanned<String>>| values.iter().map(|at| at.value.clone()).collect();
        Self(form.iter().map(|(option, own)| (option.name.clone(), values(own))).collect())
    }

    /// Whether these options are chosen so.
    pub(super) fn hold(&self, options: &Map<String, Json>) -> bool {
        self.0.iter().all(|(option, values)| {
            let chosen = options.get(option).and_then(Json::as_str);
            chosen.is_some_and(|chosen| values.iter().any(|value| value == chosen))
        })
    }
}

/// How a signature is made.
#[derive(Clone, Debug)]
pub(super) struct SignatureRule {
    pub(super) algorithm: TextTemplate,
    pub(super) key: TextTemplate,
    pub(super) content: TextTemplate,
    pub(super) encoding: TextTemplate,
}

/// What the transport adds to the vendor's headers.
const FRAMING: [&str; 2] = ["Host", "Content-Length"];

/// Checks the order of a request's head, where the vendor's file gives one: it names every header
/// once, and those that the transport adds.
pub(super) fn order(form: &VendorForm, problems: &mut Problems) -> Option<Vec<String>> {
    let listed = form.delivery.wire.as_ref()?;
    let own = form.header.iter().map(|header| header.name.as_str());
    let known: Vec<&str> = own.chain(FRAMING).collect();
    let mut order: Vec<String> = Vec::new();
    for name in listed {
        if order.contains(&name.value) {
            let message = format!("`{}` is listed twice", name.value);
            problems.push(Problem::at(&name.span, code::WIRE_ORDER, message));
        } else if !known.contains(&name.as_str()) {
            let message = format!("no request has a header `{}`", name.value);
            let problem = Problem::at(&name.span, code::WIRE_ORDER, message);
            problems.push(problem.known(name, known.iter().copied()));
        }
        order.push(name.value.clone());
    }
    let missing = known.iter().filter(|name| !order.iter().any(|listed| listed == *name));
    for name in missing {
        let message = format!("`wire` does not say where `{name}` stands");
        problems.push(Problem::at(&form.delivery.span, code::WIRE_ORDER, message));
    }
    Some(order)
}

impl Account {
    /// The headers of an event's request with this body, in order: the vendor's names and values. A
    /// signature is made anew for each attempt.
    pub fn headers(&self, body: &str, attempt: u32) -> Vec<(String, String)> {
        self.headers_signed(Purpose::Event, body, attempt, None)
    }

    /// The headers of the handshake's request.
    pub fn handshake_headers(&self, body: &str) -> Vec<(String, String)> {
        self.headers_signed(Purpose::Handshake, body, 1, None)
    }

    /// The headers of a request with this signature, or with the one that is right.
    pub(super) fn headers_signed(
        &self,
        purpose: Purpose,
        body: &str,
        attempt: u32,
        signature: Option<&str>,
    ) -> Vec<(String, String)> {
        let rules = &self.platform.requests;
        let roots = self
            .roots()
            .with_value("body", Value::from(body))
            .with_value("attempt", Value::Int(i64::from(attempt)));
        let own = rules.signature.as_ref().map(|rule| rule.sign(&roots));
        let signature = signature.or(own.as_deref());
        let roots = roots.with_value("signature", Value::maybe(signature));
        let sent = rules.headers.iter().filter(|header| self.sends(header, purpose));
        sent.map(|header| (header.name.clone(), header.value.render(&roots))).collect()
    }

    pub(super) fn sends(&self, header: &HeaderRule, purpose: Purpose) -> bool {
        header.only.is_none_or(|only| only == purpose) && header.when.hold(&self.options)
    }
}

impl SignatureRule {
    pub(super) fn sign(&self, roots: &TemplateContext<'_>) -> String {
        let (algorithm, encoding) = self.method(roots).unwrap_or(FALLBACK);
        let key = self.key.render(roots);
        let content = self.content.render(roots);
        sign(algorithm, key.as_bytes(), content.as_bytes(), encoding)
    }

    /// The algorithm and the encoding under these options, or the word that means nothing.
    pub(super) fn method(
        &self,
        roots: &TemplateContext<'_>,
    ) -> Result<(Algorithm, Encoding), String> {
        let algorithm = self.algorithm.render(roots);
        let encoding = self.encoding.render(roots);
        match (Algorithm::of_word(&algorithm), Encoding::of_word(&encoding)) {
            (Some(algorithm), Some(encoding)) => Ok((algorithm, encoding)),
            (None, _) => Err(algorithm),
            (_, None) => Err(encoding),
        }
    }
}

/// Never used: `check` has tried every value of every option.
const FALLBACK: (Algorithm, Encoding) = (Algorithm::HmacSha256, Encoding::Hex);
