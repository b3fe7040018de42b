//! What a receiver must know of a vendor's requests, in words.

use serde_json::{Map, Value as Json};

use super::Account;
use super::forms::{OptionForm, Purpose};
use super::signature::sign;
use crate::policy::StatusSet;
use crate::template::Value;

/// A choice that a user has where the vendor documents nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionChoice {
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
        self.headers_of(Purpose::Event)
    }

    fn headers_of(&self, purpose: Purpose) -> Vec<(String, String)> {
        let roots = self
            .roots()
            .with_value("body", "<body>".into())
            .with_value("attempt", Value::Int(1))
            .with_value("signature", "<signature>".into());
        let sent = self.platform.requests.headers.iter().filter(|h| self.sends(h, purpose));
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
        let rule = self.platform.requests.signature.as_ref();
        match rule.and_then(|rule| rule.method(&self.roots()).ok()) {
            Some((algorithm, _)) => format!("{algorithm} over the raw body"),
            None if self.secrets.is_empty() => "nothing".into(),
            None => "a token".into(),
        }
    }

    fn signature_rule(&self) -> Option<String> {
        let rule = self.platform.requests.signature.as_ref()?;
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
        let handshake = &self.platform.handshake;
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
        let own = self.headers_of(Purpose::Handshake);
        let headers = if own == self.header_rules() {
            "the headers above".to_owned()
        } else {
            let lines: Vec<String> =
                own.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("no headers but {}", lines.join(", "))
        };
        let status = match either(&proof.success).as_str() {
            "any" => "any status".to_owned(),
            statuses => statuses.to_owned(),
        };
        format!(
            "Handshake: once, before the events, a POST with the body {body} and {headers}\n\
             Answer it with {status} and {answer}; otherwise {otherwise}."
        )
    }

    /// Which answers to an event are right: a 2xx that the vendor accepts too.
    pub fn answer_rule(&self) -> String {
        let right = match either(&self.platform.policy.success).as_str() {
            "any" => "2xx".to_owned(),
            statuses => statuses.to_owned(),
        };
        format!("Answer an event with {right}; any other answer fails the run.")
    }

    /// The choices that a user has.
    pub fn choices(&self) -> Vec<OptionChoice> {
        let choice = |(name, form): &(String, OptionForm)| {
            let chosen = self.options.get(name).and_then(Json::as_str).unwrap_or_default();
            let others = form.values.iter().map(|value| value.value.clone());
            OptionChoice {
                name: name.clone(),
                chosen: chosen.to_owned(),
                others: others.filter(|value| value != chosen).collect(),
                about: form.about.value.clone(),
            }
        };
        self.platform.account_template.options().iter().map(choice).collect()
    }
}

fn either(statuses: &StatusSet) -> String {
    statuses.to_string().replace(", ", " or ")
}
