//! Checks `[[credential]]` sections.

use super::credential::{CredentialPlace, CredentialProof, CredentialRule, JwtRule};
use super::credential_form::{CredentialForm, CredentialKind};
use super::token::TokenAlgorithm;
use crate::diag::{Problem, Problems, SourceSpan, Spanned, TableOf, code};
use crate::template::{CompileContext, TextRules, TextTemplate};

/// Checks a credential.
pub(super) fn check_credential(
    form: &CredentialForm,
    context: &CompileContext<'_>,
    problems: &mut Problems,
) -> Option<CredentialRule> {
    let before = problems.len();
    let mut checker = CredentialChecker { form, context, problems };
    checker.refuse_keys();
    let place = checker.place();
    let proof = checker.proof();
    let example = checker.texts(&form.example);
    if problems.len() > before {
        return None;
    }
    let scheme = match form.kind.value {
        CredentialKind::Bearer => Some("Bearer".to_owned()),
        CredentialKind::Basic => Some("Basic".to_owned()),
        _ => form.scheme.as_ref().map(|scheme| scheme.value.clone()),
    };
    Some(CredentialRule {
        name: form.name.value.clone(),
        place: place?,
        scheme,
        bare: form.bare.as_ref().is_some_and(|bare| bare.value),
        proof: proof?,
        life: form.life.as_ref().map(|life| life.value),
        example,
    })
}

struct CredentialChecker<'a> {
    form: &'a CredentialForm,
    context: &'a CompileContext<'a>,
    problems: &'a mut Problems,
}

impl CredentialChecker<'_> {
    /// Reports keys that the kind does not have, and required ones that are missing.
    fn refuse_keys(&mut self) {
        let form = self.form;
        let span = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.span.clone());
        let table =
            |table: &TableOf<Spanned<String>>| table.0.first().map(|(key, _)| key.span.clone());
        let given = [
            ("in", span(&form.place)),
            ("value", span(&form.value)),
            ("token", span(&form.token)),
            ("scheme", span(&form.scheme)),
            ("bare", form.bare.as_ref().map(|bare| bare.span.clone())),
            ("fields", table(&form.fields)),
            ("user", span(&form.user)),
            ("password", span(&form.password)),
            ("key", span(&form.key)),
            ("kid", span(&form.kid)),
            ("algorithm", form.algorithm.as_ref().map(|algorithm| algorithm.span.clone())),
            ("claims", table(&form.claims)),
            ("example", table(&form.example)),
            ("life", form.life.as_ref().map(|life| life.span.clone())),
        ];
        let (required, optional): (&[&str], &[&str]) = match form.kind.value {
            CredentialKind::Raw if form.value.is_some() => (&["in", "value"], &[]),
            CredentialKind::Raw => (&["in", "token"], &["life", "example"]),
            CredentialKind::Bearer if form.value.is_some() => (&["in", "value"], &["bare"]),
            CredentialKind::Bearer => (&["in", "token"], &["life", "example", "bare"]),
            CredentialKind::Basic => (&["in", "user", "password"], &[]),
            CredentialKind::Fields => (&["fields"], &[]),
            CredentialKind::Jwt => {
                (&["in", "key"], &["scheme", "kid", "algorithm", "claims", "life", "example"])
            }
            CredentialKind::Present => (&["in"], &["scheme"]),
        };
        let kind = form.kind.value;
        for (key, span) in &given {
            match span {
                Some(span) if !required.contains(key) && !optional.contains(key) => {
                    let message = format!("a credential of the kind `{kind}` has no `{key}`");
                    let problem = Problem::at(span, code::CONTRADICTION, message);
                    self.problems.push(problem.help(format!("remove `{key}`, or change `kind`")));
                }
                None if required.contains(key) => self.missing(key, &form.span),
                _ => {}
            }
        }
    }

    fn missing(&mut self, key: &str, span: &SourceSpan) {
        let message = format!("the key `{key}` is missing");
        let problem = Problem::at(span, code::MISSING_KEY, message);
        self.problems.push(problem.help(match key {
            "in" => "write where calls present it, such as `in = \"header:Authorization\"`",
            "token" => {
                "add the valid `value`, or the form of issued tokens: `token = \"${new.hex:64}\"`"
            }
            "key" => "write the secret that signs the tokens: `key = \"${secret.NAME}\"`",
            _ => "add the valid value",
        }));
    }

    fn proof(&mut self) -> Option<CredentialProof> {
        let form = self.form;
        match form.kind.value {
            CredentialKind::Raw | CredentialKind::Bearer => match (&form.value, &form.token) {
                (Some(value), _) => self.text(value).map(CredentialProof::Value),
                (None, Some(token)) => {
                    let rules = TextRules::GENERATED;
                    TextTemplate::check(token, self.context, rules, self.problems)
                        .map(CredentialProof::Issued)
                }
                (None, None) => None,
            },
            CredentialKind::Basic => {
                let user = self.text(form.user.as_ref()?);
                let password = self.text(form.password.as_ref()?);
                Some(CredentialProof::Basic { user: user?, password: password? })
            }
            CredentialKind::Fields => Some(CredentialProof::Fields(self.texts(&form.fields))),
            CredentialKind::Jwt => {
                let key = self.text(form.key.as_ref()?);
                let claims = self.texts(&form.claims);
                let kid = form.kid.as_ref().map(|kid| kid.value.clone());
                let algorithm = form.algorithm.as_ref().map(|algorithm| algorithm.value);
                let algorithm = algorithm.unwrap_or(TokenAlgorithm::Hs256);
                Some(CredentialProof::Jwt(JwtRule { algorithm, key: key?, kid, claims }))
            }
            CredentialKind::Present => Some(CredentialProof::Anything),
        }
    }

    fn text(&mut self, text: &Spanned<String>) -> Option<TextTemplate> {
        TextTemplate::check(text, self.context, TextRules::default(), self.problems)
    }

    fn texts(&mut self, table: &TableOf<Spanned<String>>) -> Vec<(String, TextTemplate)> {
        let mut texts = Vec::new();
        for (key, text) in table.iter() {
            texts.extend(self.text(text).map(|text| (key.name.clone(), text)));
        }
        texts
    }

    fn place(&mut self) -> Option<CredentialPlace> {
        let Some(text) = &self.form.place else { return Some(CredentialPlace::Parameters) };
        match text.split_once(':') {
            Some(("header", "*"))
                if self.form.kind.value == CredentialKind::Raw && self.form.value.is_some() =>
            {
                Some(CredentialPlace::AnyHeader)
            }
            Some(("header", "*")) => {
                let message = "`header:*` needs a credential of the kind `raw` with a `value`";
                let problem = Problem::at(&text.span, code::CONTRADICTION, message);
                self.problems.push(problem.help("only its value shows which header it is"));
                None
            }
            Some(("header", name)) if !name.is_empty() => {
                Some(CredentialPlace::Header(name.to_owned()))
            }
            Some(("query", name)) if !name.is_empty() => {
                Some(CredentialPlace::Query(name.to_owned()))
            }
            Some(("cookie", name)) if !name.is_empty() => {
                Some(CredentialPlace::Cookie(name.to_owned()))
            }
            Some(("path", name)) if !name.is_empty() => {
                Some(CredentialPlace::Path(name.to_owned()))
            }
            _ => {
                let message = format!("`{}` is not a place of a credential", text.value);
                let problem = Problem::at(&text.span, code::UNKNOWN_VALUE, message);
                self.problems.push(
                    problem.help("write `header:NAME`, `query:NAME`, `cookie:NAME` or `path:NAME`"),
                );
                None
            }
        }
    }
}
