//! Describes in words how a receiver verifies and responds to an account's requests.

use serde_json::{Map, Value as Json};

use super::account::Account;
use super::account_template::AccountOption;
use super::forms::Purpose;
use super::handshake::Proof;
use super::request::SignatureRule;
use super::signature::sign;
use super::signing::Signing;
use crate::policy::StatusSet;
use crate::template::Value;

/// An option of the account with its selected value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionChoice {
    /// Name of the option.
    pub name: String,
    /// Selected value.
    pub chosen: String,
    /// Other allowed values.
    pub others: Vec<String>,
    /// Effect of the option.
    pub about: String,
}

/// Instructions for the author of a receiver.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverGuide<'a> {
    account: &'a Account,
}

impl<'a> ReceiverGuide<'a> {
    /// Describes the requests of this account.
    pub fn of(account: &'a Account) -> Self {
        Self { account }
    }

    /// Returns the headers of every event request, with `<signature>` in place of the signature.
    pub fn headers(self) -> Vec<(String, String)> {
        Signing::of(self.account).header_patterns(Purpose::Event)
    }

    /// Describes how to verify an event, in one or two sentences.
    pub fn verification(self) -> String {
        if let Some(text) = self.signature() {
            return text;
        }
        let headers = self.headers();
        let secret = headers.iter().find(|(_, value)| self.account.contains_secret(value));
        if let Some((name, _)) = secret {
            return format!(
                "Verify: the header {name} must have the value above. \
                 Respond to any other request with 401."
            );
        }
        if self.account.secrets.is_empty() {
            return "Verify: this vendor's events cannot be verified.".into();
        }
        "Verify: no header contains the secret; the options below say where it is sent.".into()
    }

    /// Names the means of verification in a few words, for a table.
    pub fn verified_by(self) -> String {
        let rule = self.account.platform.requests.signature.as_ref();
        match rule.and_then(|rule| rule.method(&self.account.roots()).ok()) {
            Some((algorithm, _)) => format!("{algorithm} over the raw body"),
            None if self.account.secrets.is_empty() => "nothing".into(),
            None => "a token".into(),
        }
    }

    fn signature(self) -> Option<String> {
        let rule: &SignatureRule = self.account.platform.requests.signature.as_ref()?;
        let name = |name: &String| (name.clone(), Json::from(format!("`{name}`")));
        let names: Map<String, Json> = self.account.secrets.keys().map(name).collect();
        // The templates are rendered twice: with names to describe the rule, and with the real
        // values to compute the example.
        let roots = self
            .account
            .roots()
            .with("secret", &names)
            .with_value("body", "the raw request body".into())
            .with_value("attempt", Value::Int(1));
        let (algorithm, encoding) = rule.method(&roots).ok()?;
        let (key, content) = (rule.key.render(&roots), rule.content.render(&roots));
        let roots = self.account.roots().with_value("body", "{}".into());
        let (sample_key, sample_content) = (rule.key.render(&roots), rule.content.render(&roots));
        let sample = sign(algorithm, sample_key.as_bytes(), sample_content.as_bytes(), encoding);
        Some(format!(
            "Verify: <signature> is the {algorithm} of {content} in {encoding}, \
             with the text of {key} as the key.\n\
             For the body {{}} it is {sample}. Respond to any other request with 401."
        ))
    }

    /// Describes the handshake and the response that an endpoint must give.
    pub fn handshake(self) -> String {
        let handshake = &self.account.platform.handshake;
        let Some(proof) = &handshake.proof else {
            return "This vendor has no handshake.".into();
        };
        let body = proof.request_body(&self.account.roots());
        let response = self.handshake_response(proof);
        let failure = if handshake.refuses() {
            "no event is sent"
        } else {
            "events are sent, but the run fails"
        };
        let own = Signing::of(self.account).header_patterns(Purpose::Handshake);
        let headers = if own == self.headers() {
            "the headers above".to_owned()
        } else {
            let lines: Vec<String> =
                own.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("only the headers {}", lines.join(", "))
        };
        let status = match either(&proof.success).as_str() {
            "any" => "any status".to_owned(),
            statuses => statuses.to_owned(),
        };
        format!(
            "Handshake: before the events, one POST with the body {body} and {headers}\n\
             Respond with {status} and {response}. If the handshake fails, {failure}."
        )
    }

    fn handshake_response(self, proof: &Proof) -> String {
        match (proof.echo(&self.account.roots()), &proof.echo_key) {
            (Some(_), Some(key)) => format!("the token, as text or as JSON under `{key}`"),
            (Some(_), None) => "the secret as text".to_owned(),
            (None, _) => "any body".to_owned(),
        }
    }

    /// Describes the responses to an event that pass: statuses that the vendor accepts.
    pub fn response(self) -> String {
        let passing = match either(&self.account.platform.policy.success).as_str() {
            // A vendor that accepts any status would hide every failure of the receiver.
            "any" => "2xx".to_owned(),
            statuses => statuses.to_owned(),
        };
        format!("Respond to an event with {passing}; any other status fails the run.")
    }

    /// Returns the account's options with their selected values.
    pub fn options(self) -> Vec<OptionChoice> {
        let choice = |option: &AccountOption| {
            let chosen = self.account.options.get(&option.name).and_then(Json::as_str);
            let chosen = chosen.unwrap_or_default();
            let others = option.values.iter().filter(|value| *value != chosen);
            OptionChoice {
                name: option.name.clone(),
                chosen: chosen.to_owned(),
                others: others.cloned().collect(),
                about: option.about.clone(),
            }
        };
        self.account.platform.account_template.options.iter().map(choice).collect()
    }
}

fn either(statuses: &StatusSet) -> String {
    statuses.to_string().replace(", ", " or ")
}
