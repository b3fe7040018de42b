//! Describes in words how a receiver verifies and responds to an account's requests.

use serde_json::{Map, Value as Json};

use super::account::Account;
use super::account_template::AccountOption;
use super::forms::Purpose;
use super::handshake::Proof;
use super::request::SignatureRule;
use super::request_facts::{RequestFacts, SENDER_ROOTS};
use super::signature::KeyEncoding;
use super::signing::Signing;
use crate::base::secret::Secret;
use crate::policy::StatusSet;
use crate::template::{CapturedTexts, Value};

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

/// Text that stands for each value of the sender in the example of a signature.
const EXAMPLE: &str = "123";

/// Text that stands for the body in what is signed.
const SIGNED_BODY: &str = "<body>";

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
        if let Some(text) = self.signatures() {
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
        if !self.account.platform.sends_secret {
            return "Verify: this vendor's events cannot be verified.".into();
        }
        "Verify: no header contains the secret; the options below say where it is sent.".into()
    }

    /// Names the means of verification in a few words, for a table.
    pub fn verified_by(self) -> String {
        let roots = self.account.roots();
        let rules = self.account.platform.requests.signatures.iter();
        let mut algorithms: Vec<String> = Vec::new();
        let mut signs_more = false;
        for (_, rule) in rules {
            signs_more |= !self.signs_body_only(rule);
            if let Ok((algorithm, _)) = rule.method(&roots)
                && !algorithms.contains(&algorithm.to_string())
            {
                algorithms.push(algorithm.to_string());
            }
        }
        match algorithms.as_slice() {
            [] if !self.account.platform.sends_secret => "nothing".into(),
            [] => "a token".into(),
            algorithms => {
                let more = if signs_more { " and more" } else { "" };
                format!("{} over the raw body{more}", algorithms.join(", "))
            }
        }
    }

    /// Returns whether the signed content is the body, without a time or an id.
    fn signs_body_only(self, rule: &SignatureRule) -> bool {
        const BODY: &str = "body";
        let mut described = CapturedTexts::default();
        rule.content.describe(SENDER_ROOTS, |path| format!("<{path}>"), &mut described);
        let roots = self.account.roots().with_value("body", BODY.into());
        let roots = roots.with_value("attempt", Value::Int(1));
        rule.content.render_captured(&roots, &described) == BODY
    }

    /// Describes the signatures that the headers contain.
    fn signatures(self) -> Option<String> {
        let headers = self.headers();
        let rules = &self.account.platform.requests.signatures;
        let shown = |name: &str| match rules.len() {
            1 => "<signature>".to_owned(),
            _ => format!("<signature.{name}>"),
        };
        let is_sent = |name: &str| headers.iter().any(|(_, value)| value.contains(&shown(name)));
        let lines: Vec<String> = rules
            .iter()
            .filter(|(name, _)| is_sent(name))
            .filter_map(|(name, rule)| self.signature(&shown(name), rule))
            .collect();
        (!lines.is_empty())
            .then(|| format!("Verify: {} Respond to any other request with 401.", lines.join("\n")))
    }

    fn signature(self, shown: &str, rule: &SignatureRule) -> Option<String> {
        let name = |name: &String| (name.clone(), Json::from(format!("`{name}`")));
        let names: Map<String, Json> = self.account.secrets.keys().map(name).collect();
        // The templates are rendered twice: with names to describe the rule, and with the real
        // values to compute the example.
        let mut described = CapturedTexts::default();
        rule.content.describe(SENDER_ROOTS, |path| format!("<{path}>"), &mut described);
        let roots = self
            .account
            .roots()
            .with("secret", &names)
            .with_value("body", SIGNED_BODY.into())
            .with_value("attempt", Value::Int(1));
        let (algorithm, encoding) = rule.method(&roots).ok()?;
        let key = rule.key.render(&roots);
        let content = match rule.content.render_captured(&roots, &described) {
            content if content == SIGNED_BODY => "the raw request body".to_owned(),
            content => format!("`{content}`, where {SIGNED_BODY} is the raw request body,"),
        };
        let sender_values = rule.content.first_missing(SENDER_ROOTS, &CapturedTexts::default());
        let mut example = CapturedTexts::default();
        rule.content.describe(SENDER_ROOTS, |_| EXAMPLE.to_owned(), &mut example);
        let sample = RequestFacts::received(Purpose::Event, "{}", &example);
        let sample = rule.sign(&sample, &sample.roots(&self.account.roots()));
        let key_bytes = match rule.key_encoding {
            KeyEncoding::Text => format!("the text of {key}"),
            encoding => format!("the {encoding}-decoded {key}"),
        };
        let prefix = self.key_prefix(rule);
        let without = prefix.map(|prefix| format!(", without its prefix `{prefix}`,"));
        let key_bytes = format!("{key_bytes}{}", without.unwrap_or_default());
        let other_values = sender_values
            .map(|_| format!(" and {EXAMPLE} for each other value in angle brackets"))
            .unwrap_or_default();
        Some(format!(
            "{shown} is the {algorithm} of {content} in {encoding}, with {key_bytes} as the key.\n\
             For the body {{}}{other_values} it is {sample}."
        ))
    }

    /// Returns the start of a secret that is not part of the key.
    fn key_prefix(self, rule: &SignatureRule) -> Option<&'a str> {
        let key = rule.key.render(&self.account.roots());
        let mut secrets = self.account.secrets.values().map(Secret::expose);
        let prefix = secrets.find_map(|secret| secret.strip_suffix(key.as_str()));
        prefix.filter(|prefix| !prefix.is_empty())
    }

    /// Describes the handshake and the response that an endpoint must give.
    pub fn handshake(self) -> String {
        let handshake = &self.account.platform.handshake;
        let Some(proof) = &handshake.proof else {
            return "This vendor has no handshake.".into();
        };
        let body = proof.request_body(&self.account.roots(), "<challenge>");
        let response = handshake_response(proof);
        let failure = if handshake.refuses() {
            "no event is sent"
        } else {
            "events are sent, but the run fails"
        };
        let own = Signing::of(self.account).header_patterns(Purpose::Handshake);
        let headers = if own == self.headers() {
            "the headers of an event".to_owned()
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

/// Describes the response body that passes the handshake.
fn handshake_response(proof: &Proof) -> String {
    let what = if proof.sends_challenge() { "the challenge" } else { "the token" };
    match (proof.has_echo(), &proof.echo_key) {
        (true, Some(key)) => format!("{what}, as text or as JSON under `{key}`"),
        (true, None) if proof.sends_challenge() => "the challenge as text".to_owned(),
        (true, None) => "the secret as text".to_owned(),
        (false, _) => "any body".to_owned(),
    }
}

fn either(statuses: &StatusSet) -> String {
    statuses.to_string().replace(", ", " or ")
}
