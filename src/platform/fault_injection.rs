//! Fault injection: bodies and headers that are invalid on purpose.

use std::fmt::Write as _;

use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::Value as Json;

use super::account::Account;
use super::altered_bodies::PYTHON;
use super::request_facts::RequestFacts;
use super::signing::Signing;
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::fault::{Fault, FaultGroup, FaultKind, Faults};
use crate::template::{JsonSpacing, JsonStyle};

/// Event name of the fault `unknown_type`.
const UNKNOWN_TYPE: &str = "standin.unknown";
/// Charset that the fault `charset` declares. The body is escaped to ASCII, which is valid in it.
const CHARSET: &str = "iso-8859-1";

/// Injects faults into the requests of an account.
#[derive(Clone, Copy, Debug)]
pub struct FaultInjector<'a> {
    account: &'a Account,
}

impl<'a> FaultInjector<'a> {
    /// Injects faults into the requests of this account.
    pub fn of(account: &'a Account) -> Self {
        Self { account }
    }

    /// Returns why the vendor's requests cannot have this fault, as a phrase that follows the
    /// vendor's name; `None` if they can.
    pub fn unsupported(self, kind: FaultKind) -> Option<&'static str> {
        let fault =
            Fault::parse(kind.as_str()).ok().filter(|_| kind.group() == FaultGroup::Token)?;
        let sample = RequestFacts::of_event(r#"{"a":"b"}"#, 1, Timestamp::UNIX_EPOCH, None);
        let signing = Signing::of(self.account);
        if signing.credential_headers(&sample).is_empty() {
            return Some("sends neither a token nor a signature");
        }
        let changes_headers = self.invalid_headers(&sample, &fault) != signing.headers(&sample);
        (!changes_headers).then_some("signs no body")
    }

    /// Returns the body with these faults. Random choices are generated from `seeds` by the
    /// delivery's id, so that they do not depend on the order of deliveries.
    pub fn body(self, body: &str, faults: &Faults, seeds: &SeedScope, id: &str) -> String {
        let mut body = body.to_owned();
        let mut faults = faults.0.clone();
        // A fixed order: faults that edit JSON come before those that only escape its texts.
        faults.sort_by_key(|fault| fault.kind);
        for fault in &faults {
            body = match fault.kind {
                FaultKind::UnknownType => edited(&body, |json| self.rename_event(json)),
                FaultKind::MissingField => edited(&body, |json| remove_field(json, seeds, id)),
                FaultKind::Huge => self.huge(&body, fault.amount.number()),
                FaultKind::ExtraField => {
                    with_field(&body, "standin_extra", "\"nobody documented this\"")
                }
                FaultKind::Deep => {
                    let depth = fault.amount.number();
                    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
                    with_field(&body, "standin_deep", &nested)
                }
                FaultKind::Escaping => escaped(&body, |c| !c.is_ascii_alphanumeric()),
                FaultKind::Charset => escaped(&body, |c| !c.is_ascii()),
                FaultKind::ReSerialised => {
                    Some(re_serialised(&body)).filter(|other| !other.is_empty()).unwrap_or(body)
                }
                _ => self.with_invalid_secrets(fault, body),
            };
        }
        body
    }

    /// Returns the headers of an event request with these faults.
    pub fn headers(self, request: &RequestFacts<'_>, faults: &Faults) -> Vec<(String, String)> {
        let mut headers = match faults.of(FaultGroup::Token) {
            None => Signing::of(self.account).headers(request),
            Some(fault) => self.invalid_headers(request, fault),
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

    /// Returns headers that a receiver must reject.
    fn invalid_headers(self, request: &RequestFacts<'_>, fault: &Fault) -> Vec<(String, String)> {
        let signing = Signing::of(self.account);
        match fault.kind {
            FaultKind::ForeignToken => {
                return Signing::of(&self.account.foreign()).headers(request);
            }
            // The body was changed to another style, so that this is the style in which the vendor
            // writes it. A receiver that serialises the parsed body accepts this signature, and
            // also those of all other deliveries.
            FaultKind::ReSerialised => {
                let other = re_serialised(request.body);
                let signatures = signing.signatures(&request.with_body(&other));
                return signing.headers_with(request, &signatures);
            }
            _ => {}
        }
        let credentials = signing.credential_headers(request);
        let mut headers = signing.headers(request);
        if fault.kind == FaultKind::NoToken {
            headers.retain(|header| !credentials.contains(header));
        }
        for header in headers.iter_mut().filter(|header| credentials.contains(header)) {
            header.1 = if self.account.contains_secret(&header.1) {
                self.with_invalid_secrets(fault, std::mem::take(&mut header.1))
            } else {
                invalid_token(fault.kind, &header.1)
            };
        }
        headers
    }

    /// Replaces the secrets in a text according to a token fault.
    fn with_invalid_secrets(self, fault: &Fault, text: String) -> String {
        if fault.kind.group() != FaultGroup::Token {
            return text;
        }
        let foreign = (fault.kind == FaultKind::ForeignToken).then(|| self.account.foreign());
        let replaced = |text: String, (name, secret): (&String, &Secret)| {
            let foreign = foreign.as_ref().and_then(|account| account.secrets.get(name));
            let other = foreign.map_or_else(
                || invalid_token(fault.kind, secret.expose()),
                |secret| secret.expose().to_owned(),
            );
            text.replace(secret.expose(), &other)
        };
        self.account.secrets.iter().fold(text, replaced)
    }

    /// Returns the values that token faults derive from private secrets, with their references.
    /// They are close to the secrets, so they must not appear in records either.
    pub fn derived_secrets(self) -> Vec<(String, Secret)> {
        let private = self.account.secrets.iter().filter(|(_, secret)| !secret.is_public());
        let derived = private.flat_map(|(name, secret)| {
            [FaultKind::WrongToken, FaultKind::TruncatedToken].map(|kind| {
                let value = invalid_token(kind, secret.expose());
                (format!("${{secret.{name}.{kind}}}"), Secret::private(value))
            })
        });
        derived.filter(|(_, secret)| !secret.expose().is_empty()).collect()
    }

    /// Sets the event name to [`UNKNOWN_TYPE`], or adds it as `type` if the body has none.
    fn rename_event(self, json: &mut Json) {
        let pointers = &self.account.platform.show.event;
        match pointers.iter().find(|pointer| json.pointer(pointer).is_some()) {
            Some(pointer) => set_text(json, pointer, UNKNOWN_TYPE),
            None => {
                json.as_object_mut().map(|table| table.insert("type".into(), UNKNOWN_TYPE.into()));
            }
        }
    }

    /// Makes the message text `length` bytes long, or adds a field of that length.
    fn huge(self, body: &str, length: usize) -> String {
        let text = "x".repeat(length);
        let with_text = edited(body, |json| self.set_message_text(json, &text));
        // A body without a message text has not grown.
        if with_text.len() < text.len() {
            with_field(body, "standin_huge", &format!("\"{text}\""))
        } else {
            with_text
        }
    }

    fn set_message_text(self, json: &mut Json, text: &str) {
        let is_text = |pointer: &&String| json.pointer(pointer).is_some_and(Json::is_string);
        if let Some(pointer) = self.account.platform.show.text.iter().find(is_text) {
            set_text(json, pointer, text);
        }
    }
}

fn set_text(json: &mut Json, pointer: &str, text: &str) {
    if let Some(value) = json.pointer_mut(pointer) {
        *value = text.into();
    }
}

/// Removes a random field of the outermost object that has more than one.
fn remove_field(json: &mut Json, seeds: &SeedScope, id: &str) {
    let Json::Object(table) = json else { return };
    // An object with one field is an envelope: without the field, no event would be left.
    if table.len() == 1
        && let Some(inner @ Json::Object(_)) = table.values_mut().next()
    {
        return remove_field(inner, seeds, id);
    }
    if !table.is_empty() {
        let index = seeds.rng(&format!("missing field of {id}")).random_range(0..table.len());
        let key = table.keys().nth(index).cloned().unwrap_or_default();
        table.shift_remove(&key);
    }
}

/// Returns an invalid variant of a token or signature: without its second half, or with another
/// character in the middle.
fn invalid_token(kind: FaultKind, value: &str) -> String {
    // Changing the middle leaves a prefix such as `sha1=` intact, and it changes the decoded bytes:
    // the last character of base64 can have unused bits.
    let middle = value.chars().count() / 2;
    let replace = |(index, character): (usize, char)| match (character, index == middle) {
        (_, false) => character,
        ('1', true) => '2',
        ('0'..='9', true) => '1',
        ('b' | 'B', true) => 'c',
        _ => 'b',
    };
    match kind {
        FaultKind::WrongToken => value.chars().enumerate().map(replace).collect(),
        FaultKind::TruncatedToken => value.chars().take(middle).collect(),
        FaultKind::NoToken => String::new(),
        _ => value.to_owned(),
    }
}

/// Returns the same JSON with different whitespace or escapes; empty if there is no such form.
fn re_serialised(body: &str) -> String {
    let json: Json = serde_json::from_str(body).unwrap_or_default();
    let forms = [JsonStyle::COMPACT, PYTHON].map(|style| style.format(&json).into_owned());
    forms.into_iter().find(|other| other != body).unwrap_or_default()
}

/// Edits a body as JSON and writes it in the style it had. A body that is not JSON is unchanged.
fn edited(body: &str, edit: impl FnOnce(&mut Json)) -> String {
    let Ok(mut json) = serde_json::from_str::<Json>(body) else { return body.to_owned() };
    let styles = [JsonSpacing::Compact, JsonSpacing::Spaced]
        .into_iter()
        .flat_map(|spacing| [false, true].map(|ascii| JsonStyle { spacing, ascii }));
    let style = styles.into_iter().find(|style| style.format(&json) == body);
    edit(&mut json);
    style.unwrap_or(JsonStyle::COMPACT).format(&json).into_owned()
}

/// Adds a field to the object that ends last. Text is edited, not JSON: a deeply nested value must
/// not be parsed here.
fn with_field(body: &str, name: &str, value: &str) -> String {
    let Some((before, after)) = body.rsplit_once('}') else { return body.to_owned() };
    let comma = if before.trim_end().ends_with('{') { "" } else { "," };
    format!("{before}{comma}\"{name}\":{value}}}{after}")
}

/// Writes the matching characters inside JSON strings as `\uXXXX`. Existing escapes are unchanged.
fn escaped(body: &str, is_escaped: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(body.len());
    let (mut in_string, mut after_backslash) = (false, false);
    for character in body.chars() {
        match character {
            _ if after_backslash => after_backslash = false,
            '\\' => after_backslash = true,
            '"' => in_string = !in_string,
            _ if in_string && is_escaped(character) => {
                // JSON escapes are UTF-16 code units: other planes need a surrogate pair.
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
