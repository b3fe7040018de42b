//! What a receiver must know of a vendor's requests, in words.

use serde_json::{Map, Value as Json};

use super::Account;
use super::forms::{OptionForm, Purpose};
use super::signature::sign;
use crate::template::Value;

/// A choice that a user has where the vendor documents nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The option's name.
    pub name: String,
    /// The value chosen.
    pub chosen: String,
    /// The other values.
    pub others: Vec<String>,
    /// What it changes.
    pub about: String,
}

impl Account {
    /// The headers of every event's request, with `<signature>` where it stands.
    pub fn header_rules(&self) -> Vec<(String, String)> {
        let roots = self
            .roots()
            .with_value("body", "<body>".into())
            .with_value("attempt", Value::Int(1))
            .with_value("signature", "<signature>".into());
        let sent =
            self.vendor.requests.headers.iter().filter(|header| self.sends(header, Purpose::Event));
        sent.map(|header| (header.name.clone(), header.value.render(&roots))).collect()
    }

    /// How a receiver verifies an event, in one or two sentences.
    pub fn verify_rule(&self) -> String {
        if let Some(rule) = self.signature_rule() {
            return rule;
        }
        let headers = self.header_rules();
        if let Some((name, _)) = headers.iter().find(|(_, value)| self.holds_secret(value)) {
            return format!(
                "Verify: the header {name} must be what it is above. Answer anything else with 401."
            );
        }
        if self.secrets.is_empty() {
            return "Verify: nothing in an event can be verified.".into();
        }
        "Verify: no header carries the secret; what is chosen below says where it is.".into()
    }

    /// What an event is verified by, in two or three words.
    pub fn verified_by(&self) -> String {
        let rule = self.vendor.requests.signature.as_ref();
        match rule.and_then(|rule| rule.method(&self.roots()).ok()) {
            Some((algorithm, _)) => format!("{algorithm} over the raw body"),
            None if self.secrets.is_empty() => "nothing".into(),
            None => "a token".into(),
        }
    }

    fn signature_rule(&self) -> Option<String> {
        let rule = self.vendor.requests.signature.as_ref()?;
        let name = |name: &String| (name.clone(), Json::from(format!("`{name}`")));
        let names: Map<String, Json> = self.secrets.keys().map(name).collect();
        let roots = self
            .roots()
            .with("secret", &names)
            .with_value("body", "the body's bytes as they came".into())
            .with_value("attempt", Value::Int(1));
        let (algorithm, encoding) = rule.method(&roots).ok()?;
        let (key, content) = (rule.key.render(&roots), rule.content.render(&roots));
        let sample = sign(
            algorithm,
            rule.key.render(&self.roots()).as_bytes(),
            rule.content.render(&self.roots().with_value("body", "{}".into())).as_bytes(),
            encoding,
        );
        Some(format!(
            "Verify: <signature> is {algorithm} in {encoding} over {content}, with the text of {key} as key.\n\
             For the body {{}} it is {sample}. Answer anything else with 401."
        ))
    }

    /// What an endpoint must answer before anything else is sent to it.
    pub fn handshake_rule(&self) -> String {
        let handshake = &self.vendor.handshake;
        let Some(proof) = &handshake.proof else {
            return "There is no handshake.".into();
        };
        let body = self.handshake_body(proof);
        let answer = match (self.echo(proof), &proof.echo_key) {
            (Some(_), Some(key)) => format!("the token, as text or as JSON under `{key}`"),
            (Some(_), None) => "the secret as text".to_owned(),
            (None, _) => "any body".to_owned(),
        };
        let otherwise = if handshake.refuses() {
            "nothing follows"
        } else {
            "events follow, but the run fails"
        };
        format!(
            "Handshake: once, before the events, a request with the body {body}\n\
             Answer it with {} and {answer}; otherwise {otherwise}.",
            proof.success
        )
    }

    /// The choices that a user has.
    pub fn choices(&self) -> Vec<Choice> {
        let choice = |(name, form): &(String, OptionForm)| {
            let chosen = self.options.get(name).and_then(Json::as_str).unwrap_or_default();
            let others = form.values.iter().map(|value| value.value.clone());
            Choice {
                name: name.clone(),
                chosen: chosen.to_owned(),
                others: others.filter(|value| value != chosen).collect(),
                about: form.about.value.clone(),
            }
        };
        self.vendor.fixed.options().iter().map(choice).collect()
    }
}
