//! Calls of the receiver to the vendor's API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use url::Url;

use crate::base::redact::{Redactor, query_secrets};
use crate::base::secret::{MIN_SECRET, Secret};

crate::string_enum! {
    /// Whether a call presented the credentials that its route needs.
    pub enum CallAuth {
        /// The route needs none, or there is no route.
        NotNeeded = "not_needed",
        /// All are valid.
        Valid = "valid",
        /// One is missing.
        Missing = "missing",
        /// One is not valid.
        Invalid = "invalid",
        /// One is accepted without being verified.
        NotVerified = "not_verified",
    }
}

/// A call of the receiver to the vendor's API, with its response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Number among the calls of the account, from 1.
    pub number: u64,
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Query without `?`; empty if the URL has no query.
    pub query: String,
    /// Number among the elements of a batch, from 1.
    pub element: Option<usize>,
    /// Name of the route; `None` if no route covers the call.
    pub route: Option<String>,
    /// The most similar route of a call that no route covers, as method and path.
    pub nearest: Option<String>,
    /// Name of the operation, if one matches.
    pub operation: Option<String>,
    /// Vendor-neutral name of the call, such as `send_message`.
    pub call: Option<String>,
    /// Whether it presented valid credentials.
    pub auth: CallAuth,
    /// Whether its operation changes something at the vendor.
    #[serde(default)]
    pub acts: bool,
    /// Status of the response.
    pub status: u16,
    /// The condition under which it failed, such as `unknown.conversation`.
    pub error: Option<String>,
    /// Description of the error.
    pub why: Option<String>,
    /// What the vendor accepts although it is a mistake.
    pub warnings: Vec<String>,
    /// Named values of the call.
    pub fields: Map<String, Json>,
    /// The parsed body; null if it is missing, ignored or cannot be parsed.
    pub body: Json,
}

/// What replaces a secret of a call.
const REDACTED: &str = "${call.secret}";

impl CallRecord {
    /// Returns whether it changes something or fails. Other calls log in, or only read.
    pub fn is_noteworthy(&self) -> bool {
        self.acts || !(200..400).contains(&self.status)
    }

    /// Describes it in a few words, such as `send_message (call 3)`.
    pub fn short_description(&self) -> String {
        let name = self.call.clone().unwrap_or_else(|| format!("{} {}", self.method, self.path));
        format!("{name} (call {})", self.number)
    }

    /// Replaces secrets: the values at these pointers of the body, the parameters with these names,
    /// and what the call presented as credentials, wherever it stands.
    pub fn redact<'a>(
        &mut self,
        pointers: &[String],
        names: &[String],
        presented: impl Iterator<Item = &'a str>,
    ) {
        let mut secrets: Vec<Secret> = presented.map(|text| Secret::private(text.into())).collect();
        for pointer in pointers {
            let steps: Vec<&str> = pointer.split('/').skip(1).collect();
            take_secrets(&mut self.body, &steps, &mut secrets);
        }
        for name in names {
            if let Some(value) = self.body.as_object_mut().and_then(|body| body.get_mut(name)) {
                *value = REDACTED.into();
            }
        }
        mask_parameters(&mut self.query, names);
        // A shorter text would be replaced everywhere.
        secrets.retain(|secret| secret.expose().len() >= MIN_SECRET);
        let redactor = Redactor::new(secrets.iter().map(|secret| (REDACTED.to_owned(), secret)));
        let texts = [&mut self.path, &mut self.query].into_iter().chain(&mut self.why);
        let texts = texts.chain(&mut self.warnings);
        texts.for_each(|text| {
            redactor.redact(text);
        });
        mask_query(&mut self.query);
        let mut fields = Json::Object(std::mem::take(&mut self.fields));
        for json in [&mut self.body, &mut fields] {
            redactor.redact_json(json);
        }
        if let Json::Object(fields) = fields {
            self.fields = fields;
        }
    }
}

/// Takes the values at a pointer out of a document. The step `*` stands for each key and element.
fn take_secrets(json: &mut Json, steps: &[&str], secrets: &mut Vec<Secret>) {
    let Some((first, rest)) = steps.split_first() else {
        let value = std::mem::replace(json, REDACTED.into());
        secrets.extend(value.as_str().map(|text| Secret::private(text.to_owned())));
        return;
    };
    match json {
        Json::Object(table) if *first == "*" => {
            table.values_mut().for_each(|value| take_secrets(value, rest, secrets));
        }
        Json::Array(items) if *first == "*" => {
            items.iter_mut().for_each(|item| take_secrets(item, rest, secrets));
        }
        _ => {
            if let Some(value) = json.pointer_mut(&format!("/{first}")) {
                take_secrets(value, rest, secrets);
            }
        }
    }
}

/// Replaces the values of these parameters in a query, however short they are.
fn mask_parameters(query: &mut String, names: &[String]) {
    let is_secret = |pair: &str| {
        let pair = url::form_urlencoded::parse(pair.as_bytes()).next();
        pair.is_some_and(|(name, _)| names.contains(&name.into_owned()))
    };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(pair) => format!("{name}={REDACTED}"),
        _ => pair.to_owned(),
    };
    *query = query.split('&').map(mask).collect::<Vec<_>>().join("&");
}

/// Replaces what may be a credential in a query, whether or not the route takes it there.
fn mask_query(query: &mut String) {
    let Ok(url) = Url::parse(&format!("http://query.invalid/?{query}")) else { return };
    let secrets = query_secrets(&url);
    Redactor::new(secrets.iter().map(|(_, secret)| (REDACTED.to_owned(), secret))).redact(query);
}
