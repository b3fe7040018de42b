//! Rules for the headers and the signature of a request.

use serde_json::{Map, Value as Json};

use super::account_template::AccountTemplate;
use super::context::TemplateContext;
use super::forms::{OptionForm, Purpose, VendorForm};
use super::request_facts::RequestFacts;
use super::signature::{Algorithm, Encoding, KeyEncoding, sign};
use crate::diag::{Problem, Problems, Spanned, TableOf, code};
use crate::policy::WireFormat;
use crate::template::TextTemplate;

/// The checked `[[header]]` and `[signature]` sections.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestRules {
    pub(super) headers: Vec<HeaderRule>,
    /// The signatures, by name.
    pub(super) signatures: Vec<(String, SignatureRule)>,
    /// Whether a header or a signature depends on the event.
    pub(super) uses_event: bool,
}

/// A header of each request, or of the requests for one purpose.
#[derive(Clone, Debug)]
pub(super) struct HeaderRule {
    pub(super) name: String,
    pub(super) value: TextTemplate,
    /// The only purpose; `None` sends the header with every request.
    pub(super) only: Option<Purpose>,
    pub(super) when: OptionValues,
}

/// A condition on options: each named option must have one of the values.
#[derive(Clone, Debug, Default)]
pub(super) struct OptionValues(Vec<(String, Vec<String>)>);

impl OptionValues {
    /// Checks that every named option exists.
    pub(super) fn check(
        form: &TableOf<Vec<Spanned<String>>>,
        options: &TableOf<OptionForm>,
        problems: &mut Problems,
    ) -> Self {
        for (option, _) in form.iter().filter(|(option, _)| !options.contains(&option.name)) {
            let message = format!("unknown option `{}`", option.name);
            let problem = Problem::at(&option.span, code::UNKNOWN_KEY, message);
            problems.push(problem.suggest_or_list(&option.name, options.names()));
        }
        let values = |values: &Vec<Spanned<String>>| {
            values.iter().map(|value| value.value.clone()).collect()
        };
        Self(form.iter().map(|(option, list)| (option.name.clone(), values(list))).collect())
    }

    /// Returns true if the selected options satisfy the condition.
    pub(super) fn hold(&self, options: &Map<String, Json>) -> bool {
        self.0.iter().all(|(option, values)| {
            // Unknown options were reported; under them, nothing applies.
            let selected = options.get(option).and_then(Json::as_str);
            selected.is_some_and(|selected| values.iter().any(|value| value == selected))
        })
    }
}

/// How to compute the signature of a request.
#[derive(Clone, Debug)]
pub(super) struct SignatureRule {
    pub(super) algorithm: TextTemplate,
    pub(super) key: TextTemplate,
    pub(super) key_encoding: KeyEncoding,
    pub(super) content: TextTemplate,
    pub(super) encoding: TextTemplate,
}

// HTTP/1.1 requires `Host`, and bodies are sent with a length instead of in chunks.
/// Headers that the transport adds to those of the vendor.
const FRAMING: [&str; 2] = ["Host", "Content-Length"];

/// Checks how the vendor's HTTP client writes requests.
pub(super) fn wire_format(form: &VendorForm, problems: &mut Problems) -> WireFormat {
    let listed = form.delivery.wire.as_ref();
    WireFormat {
        header_order: listed.map(|listed| order(form, listed, problems)).unwrap_or_default(),
        keep_alive: form.delivery.keep_alive.as_ref().is_none_or(|keeps| keeps.value),
    }
}

/// Checks `delivery.wire`: it must list every header of the vendor and of the transport once.
fn order(form: &VendorForm, listed: &[Spanned<String>], problems: &mut Problems) -> Vec<String> {
    let of_vendor = form.header.iter().map(|header| header.name.as_str());
    let known: Vec<&str> = of_vendor.chain(FRAMING).collect();
    let mut order: Vec<String> = Vec::new();
    for name in listed {
        if order.contains(&name.value) {
            let message = format!("duplicate header `{}` in `wire`", name.value);
            problems.push(Problem::at(&name.span, code::WIRE_ORDER, message));
        } else if !known.contains(&name.as_str()) {
            let message = format!("unknown header `{}` in `wire`", name.value);
            let problem = Problem::at(&name.span, code::WIRE_ORDER, message);
            problems.push(problem.suggest_or_list(name, known.iter().copied()));
        }
        order.push(name.value.clone());
    }
    // A header that is not listed would have no position.
    let missing = known.iter().filter(|name| !order.iter().any(|listed| listed == *name));
    for name in missing {
        let message = format!("`wire` does not list the header `{name}`");
        problems.push(Problem::at(&form.delivery.span, code::WIRE_ORDER, message));
    }
    order
}

/// Reports headers that a request would have twice under some options.
pub(super) fn check_duplicate_headers(
    form: &VendorForm,
    rules: &RequestRules,
    account: &AccountTemplate,
    problems: &mut Problems,
) {
    let mut reported: Vec<&str> = Vec::new();
    let is_repeated = |(index, rule): (usize, &HeaderRule)| {
        rules.headers[..index].iter().any(|other| other.name.eq_ignore_ascii_case(&rule.name))
    };
    // A vendor can have thousands of combinations.
    if !rules.headers.iter().enumerate().any(is_repeated) {
        return;
    }
    for options in account.option_combinations() {
        for purpose in Purpose::ALL {
            let is_sent = |rule: &&HeaderRule| {
                rule.only.is_none_or(|only| only == *purpose) && rule.when.hold(&options)
            };
            let sent: Vec<&HeaderRule> = rules.headers.iter().filter(is_sent).collect();
            for (index, rule) in sent.iter().enumerate() {
                let is_same = |other: &&HeaderRule| other.name.eq_ignore_ascii_case(&rule.name);
                if sent[..index].iter().any(is_same) && !reported.contains(&rule.name.as_str()) {
                    reported.push(&rule.name);
                    problems.extend(duplicate(form, &rule.name));
                }
            }
        }
    }
}

fn duplicate(form: &VendorForm, name: &str) -> Problems {
    let mut named = form.header.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    let (Some(first), Some(last)) = (named.next(), named.next_back()) else {
        return Problems::new();
    };
    let message = format!("requests have the header `{}` twice", last.name.value);
    let problem = Problem::at(&last.name.span, code::INVALID_HEADER, message);
    let help = "remove one, or make `only` or `when` exclude each other";
    problem.also(&first.name.span, "first header").help(help).into()
}

/// Used if the algorithm or encoding is invalid. `check` tries every combination of options, so
/// this does not happen for a checked platform.
const FALLBACK: (Algorithm, Encoding) = (Algorithm::HmacSha256, Encoding::Hex);

impl SignatureRule {
    /// Computes the signature with the roots of the request.
    pub(super) fn sign(&self, request: &RequestFacts<'_>, roots: &TemplateContext<'_>) -> String {
        let (algorithm, encoding) = self.method(roots).unwrap_or(FALLBACK);
        let content = request.render(&self.content, roots);
        sign(algorithm, &self.key_bytes(roots), content.as_bytes(), encoding)
    }

    /// Returns the bytes of the key. A key with an invalid encoding was reported.
    pub(super) fn key_bytes(&self, roots: &TemplateContext<'_>) -> Vec<u8> {
        let key = self.key.render(roots);
        self.key_encoding.decode(&key).unwrap_or_else(|| key.into_bytes())
    }

    /// Returns true if the key is valid in its encoding.
    pub(super) fn has_valid_key(&self, roots: &TemplateContext<'_>) -> bool {
        self.key_encoding.decode(&self.key.render(roots)).is_some()
    }

    /// Returns the algorithm and encoding under the selected options, or the unknown word.
    pub(super) fn method(
        &self,
        roots: &TemplateContext<'_>,
    ) -> Result<(Algorithm, Encoding), String> {
        let algorithm = self.algorithm.render(roots);
        let encoding = self.encoding.render(roots);
        match (Algorithm::from_name(&algorithm), Encoding::from_name(&encoding)) {
            (Some(algorithm), Some(encoding)) => Ok((algorithm, encoding)),
            (None, _) => Err(algorithm),
            (_, None) => Err(encoding),
        }
    }
}
