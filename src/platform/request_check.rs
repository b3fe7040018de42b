//! Checks the sections about requests: `[[header]]`, `[signature]` and `[handshake]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::account_template::AccountTemplate;
use super::context::TemplateContext;
use super::delivery::statuses;
use super::forms::{
    HandshakeForm, HandshakeKind, HeaderForm, OnFailure, Purpose, SignatureForm, VendorForm,
};
use super::handshake::{Challenge, Handshake, Proof};
use super::request::{
    HeaderRule, OptionValues, RequestRules, SignatureRule, check_duplicate_headers,
};
use super::request_facts::SENDER_ROOTS;
use super::root_types::RootTypes;
use super::signature::{Algorithm, Encoding, KeyEncoding};
use crate::base::seed::SeedScope;
use crate::base::text::one_of;
use crate::config::{check_header_name, check_header_value};
use crate::diag::{Key, Problem, Problems, Spanned, SyntaxNode, code};
use crate::template::{
    CapturedTexts, CompileContext, JsonStyle, TableType, TextRules, TextTemplate, compile,
};

/// Parsed templates of a folder, by file name.
pub(super) type Templates = BTreeMap<String, Arc<SyntaxNode>>;

/// Checks the sections about requests.
pub(super) struct RequestChecker<'a> {
    pub(super) form: &'a VendorForm,
    pub(super) types: &'a RootTypes,
    pub(super) templates: &'a Templates,
    pub(super) account: &'a AccountTemplate,
    pub(super) problems: &'a mut Problems,
}

impl RequestChecker<'_> {
    /// Checks the headers and signatures.
    pub(super) fn rules(&mut self) -> Option<RequestRules> {
        let mut rules = RequestRules::default();
        for header in &self.form.header {
            rules.headers.extend(self.header(header));
        }
        check_duplicate_headers(self.form, &rules, self.account, self.problems);
        let mut is_complete = true;
        for (key, signature) in self.form.signature.iter() {
            match self.signature(signature) {
                Some(rule) => rules.signatures.push((key.name.clone(), rule)),
                None => is_complete = false,
            }
        }
        // A header that is missing because of a problem would cause others.
        if rules.headers.len() == self.form.header.len() {
            for (key, signature) in self.form.signature.iter() {
                self.check_captured(key, signature, &rules);
            }
        }
        let no_texts = CapturedTexts::default();
        let uses_event = |text: &TextTemplate| text.first_missing(&["event"], &no_texts).is_some();
        rules.uses_event = rules.headers.iter().any(|rule| uses_event(&rule.value))
            || rules.signatures.iter().any(|(_, rule)| uses_event(&rule.content));
        is_complete.then_some(rules)
    }

    fn has_handshake(&self) -> bool {
        self.form.handshake.kind.value != HandshakeKind::None
    }

    fn text(&mut self, text: &Spanned<String>, names: TableType) -> Option<TextTemplate> {
        let context = CompileContext::without_files(names, &self.types.words);
        TextTemplate::check(text, &context, TextRules::default(), self.problems)
    }

    fn header(&mut self, form: &HeaderForm) -> Option<HeaderRule> {
        let when = OptionValues::check(&form.when, &self.form.option, self.problems);
        if let Err(message) = check_header_name(&form.name) {
            self.problems.push(Problem::at(&form.name.span, code::INVALID_HEADER, message));
        }
        if let Err(problem) = check_header_value(&form.value, &form.value.span) {
            self.problems.push(problem);
        }
        let only = form.only.as_ref().map(|only| only.value);
        let has_event = only == Some(Purpose::Event) || !self.has_handshake();
        let names = self.types.of_header(has_event, self.form.signature.names());
        let value = self.text(&form.value, names)?;
        Some(HeaderRule { name: form.name.value.clone(), value, only, when })
    }

    fn signature(&mut self, form: &SignatureForm) -> Option<SignatureRule> {
        let names = self.types.of_signed(!self.has_handshake());
        let texts = [&form.algorithm, &form.key, &form.content, &form.encoding];
        let [algorithm, key, content, encoding] = texts.map(|text| self.text(text, names.clone()));
        // Options can select the algorithm and encoding, so every combination must give valid ones.
        for options in self.account.combinations_in(&[&form.algorithm, &form.encoding]) {
            let roots = TemplateContext::default().with("option", &options);
            let words = [
                (&form.algorithm, &algorithm, Algorithm::NAMES),
                (&form.encoding, &encoding, Encoding::NAMES),
            ];
            let words = words
                .into_iter()
                .filter_map(|(at, line, known)| Some((at, line.as_ref()?.render(&roots), known)));
            for (at, word, known) in
                words.filter(|(_, word, known)| !known.contains(&word.as_str()))
            {
                let message = format!("`{word}` is not {}", one_of(known.iter().copied()));
                let problem = Problem::at(&at.span, code::UNKNOWN_VALUE, message);
                self.problems.push(problem.suggest(&word, known.iter().copied()));
            }
        }
        let key_encoding = form.key_encoding.as_ref().map_or(KeyEncoding::Text, |by| by.value);
        let rule = SignatureRule {
            algorithm: algorithm?,
            key: key?,
            key_encoding,
            content: content?,
            encoding: encoding?,
        };
        self.check_key(form, &rule);
        Some(rule)
    }

    /// Checks that the generated secrets give a key that can be decoded.
    fn check_key(&mut self, form: &SignatureForm, rule: &SignatureRule) {
        // The bytes of a text are always a key.
        if rule.key_encoding == KeyEncoding::Text {
            return;
        }
        let scope = SeedScope::fixed(&self.form.id).within("secret");
        for options in self.account.option_combinations() {
            let roots = TemplateContext::default()
                .with("option", &options)
                .with("brand", &self.account.brand);
            let secrets = self.account.secret.iter();
            let secrets: Map<String, Json> = secrets
                .map(|(name, text)| (name.clone(), text.text(&roots, &scope, name).into()))
                .collect();
            if !rule.has_valid_key(&roots.with("secret", &secrets)) {
                let message = format!("the key is not valid {}", rule.key_encoding);
                let help = "generate the secret in this encoding, such as `${new.hex:64}` for \
                            `hex` or `${new.alnum:32}` for `base64`; `| after:PREFIX` removes a \
                            prefix";
                let problem = Problem::at(&form.key.span, code::INVALID_KEY, message);
                self.problems.push(problem.help(help));
                return;
            }
        }
    }

    /// Checks that a receiver can read the sender's values in signed content from a header: it
    /// could not compute the signature without them.
    fn check_captured(&mut self, key: &Key, form: &SignatureForm, rules: &RequestRules) {
        let Some((_, rule)) = rules.signatures.iter().find(|(name, _)| *name == key.name) else {
            return;
        };
        let missing = |sent: &mut dyn Iterator<Item = &HeaderRule>| {
            let mut known = CapturedTexts::default();
            sent.for_each(|header| {
                header.value.describe(SENDER_ROOTS, str::to_owned, &mut known);
            });
            rule.content.first_missing(SENDER_ROOTS, &known)
        };
        let found = match missing(&mut rules.headers.iter()) {
            Some(path) => Some((path, String::new())),
            None => self.account.option_combinations().find_map(|options| {
                let sent = || {
                    let headers = self.form.header.iter().zip(&rules.headers);
                    headers.filter(|(_, header)| header.when.hold(&options))
                };
                // Without a header that has it, the signature is not sent.
                let uses = format!("signature.{}", key.name);
                let is_sent = sent().any(|(form, _)| form.value.contains(&uses));
                let path = is_sent.then(|| missing(&mut sent().map(|(_, header)| header)));
                let path = path.flatten()?;
                let options = options.iter().map(|(name, value)| format!("{name} = {value}"));
                let options = options.collect::<Vec<_>>().join(", ");
                Some((path, format!(" under `{options}`")))
            }),
        };
        if let Some((path, under)) = found {
            let message = format!("the signed content has `{path}`, but no header has it{under}");
            let problem = Problem::at(&form.content.span, code::UNVERIFIABLE, message);
            let help = format!("add a `[[header]]` with the value `${{{path}}}`");
            self.problems.push(problem.help(help));
        }
    }

    /// Checks the handshake.
    pub(super) fn handshake(&mut self, style: JsonStyle) -> Option<Handshake> {
        let form = &self.form.handshake;
        let on_failure = form.on_failure.as_ref().map_or(OnFailure::Refuse, |on| on.value);
        let proof = match form.kind.value {
            HandshakeKind::None => None,
            HandshakeKind::Ping => Some(self.proof(form, None, style)?),
            HandshakeKind::Echo => {
                let Some(echo) = &form.echo else {
                    let message = "a handshake of kind `echo` requires `echo`";
                    let problem = Problem::at(&form.span, code::MISSING_KEY, message);
                    let help = "`echo` is the required response, such as `\"${secret.token}\"`";
                    self.problems.push(problem.help(help));
                    return None;
                };
                let echo = self.text(echo, self.types.of_handshake(form.challenge.is_some()))?;
                Some(self.proof(form, Some(echo), style)?)
            }
        };
        Some(Handshake { proof, on_failure })
    }

    fn proof(
        &mut self,
        form: &HandshakeForm,
        echo: Option<TextTemplate>,
        style: JsonStyle,
    ) -> Option<Proof> {
        let Some(body) = &form.body else {
            let problem =
                Problem::at(&form.span, code::MISSING_KEY, "the handshake requires a `body`");
            self.problems.push(problem.help("`body` is the body of the request, such as `{}`"));
            return None;
        };
        let success: &[Spanned<String>] =
            if form.success.is_empty() { &self.form.delivery.success } else { &form.success };
        let challenge = match &form.challenge {
            Some(challenge) => Some(self.challenge(challenge, body)?),
            None => None,
        };
        let templates = self.templates;
        let files = |name: &str| templates.get(name).cloned();
        let root = self.types.of_handshake(challenge.is_some());
        let context = CompileContext { root, words: &self.types.words, files: &files, reads: None };
        Some(Proof {
            success: statuses(success, self.problems)?,
            body: compile(body, &context, style, self.problems)?,
            challenge,
            echo,
            echo_key: form.echo_key.as_ref().map(|key| key.value.clone()),
        })
    }

    fn challenge(&mut self, form: &Spanned<String>, body: &SyntaxNode) -> Option<Challenge> {
        let context = CompileContext::without_files(self.types.base.clone(), &self.types.words);
        let text = TextTemplate::check(form, &context, TextRules::GENERATED, self.problems)?;
        // A receiver, the bundled one included, finds the challenge at its place in the body.
        let Some(pointer) = pointer_to_challenge(&body.to_json()) else {
            let message = "the `body` of the handshake does not contain the challenge";
            let problem = Problem::at(&form.span, code::MISSING_KEY, message);
            let help = "add a key with the value `${challenge}`, such as \
                        `body = { challenge = \"${challenge}\" }`";
            self.problems.push(problem.help(help));
            return None;
        };
        Some(Challenge { text, pointer })
    }
}

/// Returns the JSON pointer to the value `${challenge}` in a template.
fn pointer_to_challenge(body: &Json) -> Option<String> {
    match body {
        Json::String(text) if text == "${challenge}" => Some(String::new()),
        Json::Object(table) => table.iter().find_map(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            Some(format!("/{key}{}", pointer_to_challenge(value)?))
        }),
        _ => None,
    }
}
