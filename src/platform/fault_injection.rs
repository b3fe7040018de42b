//! What a vendor's requests hold where they are wrong on purpose: bodies and headers with faults.

use std::fmt::Write as _;

use rand::RngExt as _;
use serde_json::Value as Json;

use super::Account;
use super::forms::Purpose;
use super::mistakes::PYTHON;
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::fault::{Fault, FaultGroup, FaultKind, Faults};
use crate::template::{JsonSpacing, JsonStyle, Value};

/// What an event is called that nobody knows.
const UNKNOWN: &str = "standin.unknown";
/// The charset that `charset` speaks of.
const CHARSET: &str = "iso-8859-1";

impl Account {
    /// What the vendor does so that a fault cannot be wanted of its deliveries, if it cannot.
    pub fn cannot(&self, kind: FaultKind) -> Option<&'static str> {
        let fault = Fault::parse(kind.word()).ok().filter(|_| kind.group() == FaultGroup::Token)?;
        let sample = r#"{"a":"b"}"#;
        if self.verified_headers(sample, 1).is_empty() {
            return Some("sends neither a token nor a signature");
        }
        let is_wrong = self.unverified(sample, 1, &fault) != self.headers(sample, 1);
        (!is_wrong).then_some("signs no body")
    }

    /// A body with these faults. What they draw is drawn by the name of the delivery.
    pub fn body_with(
        &self,
        body: &str,
        faults: &Faults,
        (seeds, id): (&SeedScope, &str),
    ) -> String {
        let mut body = body.to_owned();
        let mut faults = faults.0.clone();
        faults.sort_by_key(|fault| fault.kind);
        for fault in &faults {
            body = match fault.kind {
                FaultKind::UnknownType => edited(&body, |json| self.rename(json)),
                FaultKind::MissingField => edited(&body, |json| lose(json, seeds, id)),
                FaultKind::Huge => {
                    let huge = "x".repeat(fault.amount.number());
                    let text = |json: &mut Json| self.say(json, &huge);
                    let said = edited(&body, text);
                    if said.len() < huge.len() {
                        with_field(&body, "standin_huge", &format!("\"{huge}\""))
                    } else {
                        said
                    }
                }
                FaultKind::ExtraField => {
                    with_field(&body, "standin_extra", "\"nobody documented this\"")
                }
                FaultKind::Deep => {
                    let deep = fault.amount.number();
                    let nested = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
                    with_field(&body, "standin_deep", &nested)
                }
                FaultKind::Escaping => escaped(&body, |c| !c.is_ascii_alphanumeric()),
                FaultKind::Charset => escaped(&body, |c| !c.is_ascii()),
                _ => self.secrets_as(fault, body),
            };
        }
        body
    }

    /// The headers of an event's request with these faults.
    pub fn headers_with(&self, body: &str, attempt: u32, faults: &Faults) -> Vec<(String, String)> {
        let mut headers = match faults.of(FaultGroup::Token) {
            None => self.headers(body, attempt),
            Some(fault) => self.unverified(body, attempt, fault),
        };
        if faults.has(FaultKind::Charset) {
            let is_type =
                |(name, _): &&mut (String, String)| name.eq_ignore_ascii_case("content-type");
            for (_, value) in headers.iter_mut().filter(is_type) {
                let bare = value.split(';').next().unwrap_or_default();
                *value = format!("{bare}; charset={CHARSET}");
            }
        }
        headers
    }

    /// Headers that no receiver may let in.
    fn unverified(&self, body: &str, attempt: u32, fault: &Fault) -> Vec<(String, String)> {
        match fault.kind {
            FaultKind::ForeignToken => return self.foreign().headers(body, attempt),
            FaultKind::ReSerialised => {
                let roots = self.roots().with_value("attempt", Value::Int(i64::from(attempt)));
                let other = re_serialised(body);
                let roots = roots.with_value("body", Value::from(other.as_str()));
                let signature =
                    self.platform.requests.signature.as_ref().map(|rule| rule.sign(&roots));
                return self.headers_signed(Purpose::Event, body, attempt, signature.as_deref());
            }
            _ => {}
        }
        let verified = self.verified_headers(body, attempt);
        let mut headers = self.headers(body, attempt);
        if fault.kind == FaultKind::NoToken {
            headers.retain(|header| !verified.contains(header));
        }
        for header in headers.iter_mut().filter(|header| verified.contains(header)) {
            header.1 = if self.holds_secret(&header.1) {
                self.secrets_as(fault, std::mem::take(&mut header.1))
            } else {
                spoiled(fault.kind, &header.1)
            };
        }
        headers
    }

    /// A text with the secrets in it as a fault of the token makes them.
    fn secrets_as(&self, fault: &Fault, text: String) -> String {
        if fault.kind.group() != FaultGroup::Token {
            return text;
        }
        let foreign = (fault.kind == FaultKind::ForeignToken).then(|| self.foreign());
        let replaced = |text: String, (name, secret): (&String, &Secret)| {
            let foreign = foreign.as_ref().and_then(|account| account.secrets.get(name));
            let other = foreign.map_or_else(
                || spoiled(fault.kind, secret.expose()),
                |secret| secret.expose().to_owned(),
            );
            text.replace(secret.expose(), &other)
        };
        self.secrets.iter().fold(text, replaced)
    }

    /// The secrets as faults of the token make them: nearly the right ones, so that no record may
    /// show them either.
    pub fn spoiled_secrets(&self) -> Vec<(String, Secret)> {
        let own = self.secrets.iter().filter(|(_, secret)| !secret.is_public());
        let spoiled = own.flat_map(|(name, secret)| {
            [FaultKind::WrongToken, FaultKind::TruncatedToken].map(|kind| {
                let value = spoiled(kind, secret.expose());
                (format!("${{secret.{name}.{kind}}}"), Secret::private(value))
            })
        });
        spoiled.filter(|(_, secret)| !secret.expose().is_empty()).collect()
    }

    /// Gives an event a name that nobody knows, wherever its name is.
    fn rename(&self, json: &mut Json) {
        let pointers = &self.platform.show.event;
        match pointers.iter().find(|pointer| json.pointer(pointer).is_some()) {
            Some(pointer) => put(json, pointer, UNKNOWN),
            None => {
                json.as_object_mut().map(|table| table.insert("type".into(), UNKNOWN.into()));
            }
        }
    }

    /// Lets a message say this, where it is one.
    fn say(&self, json: &mut Json, text: &str) {
        let is_text = |pointer: &&String| json.pointer(pointer).is_some_and(Json::is_string);
        if let Some(pointer) = self.platform.show.text.iter().find(is_text) {
            put(json, pointer, text);
        }
    }
}

fn put(json: &mut Json, pointer: &str, text: &str) {
    if let Some(value) = json.pointer_mut(pointer) {
        *value = text.into();
    }
}

/// Takes a field away: one of those of the first object with more than one.
fn lose(json: &mut Json, seeds: &SeedScope, id: &str) {
    let Json::Object(table) = json else { return };
    if table.len() == 1
        && let Some(inner @ Json::Object(_)) = table.values_mut().next()
    {
        return lose(inner, seeds, id);
    }
    if !table.is_empty() {
        let span = seeds.rng(&format!("missing field of {id}")).random_range(0..table.len());
        let key = table.keys().nth(span).cloned().unwrap_or_default();
        table.shift_remove(&key);
    }
}

/// A token or a signature that is not right: without its second half, or with another character in
/// its middle, where neither a prefix nor the spare bits of base64 are.
fn spoiled(kind: FaultKind, value: &str) -> String {
    let middle = value.chars().count() / 2;
    let spoil = |(span, character): (usize, char)| match (character, span == middle) {
        (_, false) => character,
        ('1', true) => '2',
        ('0'..='9', true) => '1',
        ('b' | 'B', true) => 'c',
        _ => 'b',
    };
    match kind {
        FaultKind::WrongToken => value.chars().enumerate().map(spoil).collect(),
        FaultKind::TruncatedToken => value.chars().take(middle).collect(),
        FaultKind::NoToken => String::new(),
        _ => value.to_owned(),
    }
}

/// The same JSON in another spelling.
fn re_serialised(body: &str) -> String {
    let json: Json = serde_json::from_str(body).unwrap_or_default();
    let spelled = [JsonStyle::COMPACT, PYTHON].map(|style| style.text_of(&json).into_owned());
    spelled.into_iter().find(|other| other != body).unwrap_or_default()
}

/// A body that was edited as JSON, in its own spelling.
fn edited(body: &str, edit: impl FnOnce(&mut Json)) -> String {
    let Ok(mut json) = serde_json::from_str::<Json>(body) else { return body.to_owned() };
    let spellings = [JsonSpacing::Compact, JsonSpacing::Spaced]
        .into_iter()
        .flat_map(|spacing| [false, true].map(|ascii| JsonStyle { spacing, ascii }));
    let own = spellings.into_iter().find(|style| style.text_of(&json) == body);
    edit(&mut json);
    own.unwrap_or(JsonStyle::COMPACT).text_of(&json).into_owned()
}

/// A body whose last object has one more field.
fn with_field(body: &str, name: &str, value: &str) -> String {
    let Some((before, after)) = body.rsplit_once('}') else { return body.to_owned() };
    let comma = if before.trim_end().ends_with('{') { "" } else { "," };
    format!("{before}{comma}\"{name}\":{value}}}{after}")
}

/// A body in whose texts some characters are escaped.
fn escaped(body: &str, is_escaped: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(body.len());
    let (mut inside, mut escapes) = (false, false);
    for character in body.chars() {
        match character {
            _ if escapes => escapes = false,
            '\\' => escapes = true,
            '"' => inside = !inside,
            _ if inside && is_escaped(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
                continue;
            }
            _ => {}
        }
        out.push(character);
    }
    out
}
