//! What a receiver must know of a vendor's requests, in words.

use serde_json::{Map, Value as Json};

use super::Account;
use super::forms::{OptionForm, Purpose};
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

    /// How the signature is made, where there is one.
    pub fn signature_rule(&self) -> Option<String> {
        let rule = self.vendor.requests.signature.as_ref()?;
        let name = |name: &String| (name.clone(), Json::from(format!("the secret `{name}`")));
        let names: Map<String, Json> = self.secrets.keys().map(name).collect();
        let roots = self
            .roots()
            .with("secret", &names)
            .with_value("body", "the body's bytes as they came".into())
            .with_value("attempt", Value::Int(1));
        let (algorithm, encoding) = rule.method(&roots).ok()?;
        let (key, content) = (rule.key.render(&roots), rule.content.render(&roots));
        Some(format!(
            "<signature> is {algorithm} in {encoding}, with {key} as key, over {content}."
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
            (Some(echo), Some(key)) => {
                format!("the text {echo}, or JSON with it under `{key}`")
            }
            (Some(echo), None) => format!("the text {echo}"),
            (None, _) => "anything".to_owned(),
        };
        let otherwise =
            if handshake.refuses() { "nothing follows" } else { "events follow all the same" };
        format!(
            "Handshake: the first request is `{body}`. Answer it with {} and {answer}; otherwise {otherwise}.",
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
