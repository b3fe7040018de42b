//! Our fake account at a vendor: ids, credentials and the options chosen.
//!
//! The same in every run: its values are drawn from the vendor's id, not from the seed, so that a
//! receiver is configured once. The configuration replaces what it wants.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::Platform;
use super::context::TemplateContext;
use super::forms::{OptionForm, VendorForm};
use crate::base::limits::MAX_CHOICES;
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::base::text::one_of;
use crate::config::{FILES_PORT, VendorSettings, files_url};
use crate::diag::form::wrong_type;
use crate::diag::{Key, Problem, Problems, Spanned, SyntaxNode, code};
use crate::template::{CompileContext, Field, FieldType, TableType, TextRules, TextTemplate};

/// What a vendor's file says about the account: how each value is made, before it is made.
#[derive(Clone, Debug, Default)]
pub(super) struct AccountTemplate {
    account: Vec<(String, AccountValue)>,
    secret: Vec<(String, TextTemplate)>,
    brand: Map<String, Json>,
    option: Vec<(String, OptionForm)>,
}

#[derive(Clone, Debug)]
enum AccountValue {
    Line(TextTemplate),
    Data(Json),
}

/// Our fake account at a vendor.
#[derive(Clone, Debug)]
pub struct Account {
    /// The vendor.
    pub platform: Arc<Platform>,
    /// The account's ids, by name.
    pub values: Map<String, Json>,
    /// The options chosen, by name.
    pub options: Map<String, Json>,
    /// The address below which built-in files can be fetched.
    pub files: String,
    /// The credentials, by name.
    pub secrets: BTreeMap<String, Secret>,
    /// What a label of the vendor is called and where it lives, by name.
    pub brand: Map<String, Json>,
    template_secrets: TemplateSecrets,
}

/// The credentials as templates take them.
#[derive(Clone, Default)]
struct TemplateSecrets(Map<String, Json>);

impl fmt::Debug for TemplateSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl AccountTemplate {
    /// Checks the fixed values of a vendor's file.
    pub(super) fn check(
        form: &VendorForm,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut fixed = Self::default();
        for (key, node) in form.account.iter() {
            let given = match node.as_text() {
                Some(text) => {
                    let text = Spanned { value: text.to_owned(), span: node.span.clone() };
                    TextTemplate::check(&text, context, TextRules::MADE, problems)
                        .map(AccountValue::Line)
                }
                None => Some(AccountValue::Data(node.to_json())),
            };
            // One that is wrong keeps its name, so that what names it is not told as well.
            let given = given.unwrap_or_else(|| AccountValue::Data("".into()));
            fixed.account.push((key.name.clone(), given));
        }
        for (key, text) in form.secret.iter() {
            let line = TextTemplate::check(text, context, TextRules::MADE, problems);
            fixed.secret.extend(line.map(|line| (key.name.clone(), line)));
        }
        let mut choices: usize = 1;
        for (key, option) in form.option.iter() {
            choices = choices.saturating_mul(option.values.len());
            if choices > MAX_CHOICES {
                let message = format!("more than {MAX_CHOICES} ways to choose among the options");
                let problem = Problem::at(&key.span, code::TOO_MANY, message);
                problems.push(problem.help("each of them is tried: leave out what nobody chooses"));
                break;
            }
            fixed.option.push((key.name.clone(), option.clone()));
        }
        fixed.brand = form.brand.to_json();
        fixed
    }

    /// The names of the account's values.
    pub(super) fn account_names(&self) -> TableType {
        let name = |(name, given): &(String, AccountValue)| {
            let field_type = match given {
                AccountValue::Line(line) => line.field_type().clone(),
                AccountValue::Data(json) => FieldType::of_json(json),
            };
            Field::always(name, field_type)
        };
        TableType::new("the account", self.account.iter().map(name).collect())
    }

    /// Every combination of options that a user can choose.
    pub(super) fn every_choice(&self) -> Vec<Map<String, Json>> {
        let mut choices = vec![Map::new()];
        for (name, option) in &self.option {
            let with = |choice: &Map<String, Json>, value: &Spanned<String>| {
                let mut choice = choice.clone();
                choice.insert(name.clone(), value.value.clone().into());
                choice
            };
            let values = option.values.iter();
            choices =
                values.flat_map(|value| choices.iter().map(move |c| with(c, value))).collect();
        }
        choices
    }

    /// The options with their values and what they change.
    pub(super) fn options(&self) -> &[(String, OptionForm)] {
        &self.option
    }
}

impl Account {
    /// The fixed test account of a vendor.
    pub fn test(vendor: &Arc<Platform>) -> Self {
        let fixed = &vendor.account_template;
        let seeds = SeedScope::fixed(&vendor.id);
        let option = |(name, option): &(String, OptionForm)| {
            (
                name.clone(),
                option.values.first().map_or(Json::Null, |value| value.value.clone().into()),
            )
        };
        let mut account = Self {
            platform: Arc::clone(vendor),
            values: Map::new(),
            options: fixed.option.iter().map(option).collect(),
            files: files_url(FILES_PORT),
            secrets: BTreeMap::new(),
            brand: fixed.brand.clone(),
            template_secrets: TemplateSecrets::default(),
        };
        let scope = seeds.within("account");
        for (name, given) in &fixed.account {
            let value = match given {
                AccountValue::Line(line) => line.value(&account.roots(), (&scope, name)),
                AccountValue::Data(json) => json.clone(),
            };
            account.values.insert(name.clone(), value);
        }
        let scope = seeds.within("secret");
        for (name, line) in &fixed.secret {
            let value = line.text(&account.roots(), (&scope, name));
            account.set_secret(name, Secret::public(value));
        }
        account
    }

    /// The account as the configuration wants it. Names that the vendor does not have are
    /// problems, and so are secrets that are not there.
    pub fn configured(
        vendor: &Arc<Platform>,
        settings: Option<&VendorSettings>,
        problems: &mut Problems,
    ) -> Self {
        let mut account = Self::test(vendor);
        let Some(settings) = settings else { return account };
        for (key, node) in settings.account.iter() {
            account.replace(key, node, problems);
        }
        for (key, reference) in settings.secret.iter() {
            if !account.secrets.contains_key(&key.name) {
                let known: Vec<&str> = account.secrets.keys().map(String::as_str).collect();
                problems.push(unknown(key, "secret", &known));
                continue;
            }
            match reference.resolve() {
                Ok(secret) => account.set_secret(&key.name, secret),
                Err(message) => {
                    problems.push(Problem::at(&reference.span, code::SECRET_MISSING, message));
                }
            }
        }
        for (key, value) in settings.option.iter() {
            account.choose(key, value, problems);
        }
        account
    }

    fn replace(&mut self, key: &Key, node: &SyntaxNode, problems: &mut Problems) {
        let Some(value) = self.values.get_mut(&key.name) else {
            let known: Vec<&str> = self.values.keys().map(String::as_str).collect();
            return problems.push(unknown(key, "account value", &known));
        };
        let given = node.to_json();
        if FieldType::of_json(&given) == FieldType::of_json(value) {
            *value = given;
        } else {
            let expected = FieldType::of_json(value).about();
            let problem = wrong_type(node, expected);
            problems.push(problem.help(format!("the vendor's own is `{value}`")));
        }
    }

    fn choose(&mut self, key: &Key, value: &Spanned<String>, problems: &mut Problems) {
        let options = self.platform.account_template.options();
        let Some((_, option)) = options.iter().find(|(name, _)| *name == key.name) else {
            let known: Vec<&str> = options.iter().map(|(name, _)| name.as_str()).collect();
            return problems.push(unknown(key, "option", &known));
        };
        if option.values.iter().any(|known| known.value == value.value) {
            self.options.insert(key.name.clone(), value.value.clone().into());
        } else {
            let known: Vec<&str> = option.values.iter().map(|known| known.as_str()).collect();
            let message = format!("`{}` is not {}", value.value, one_of(known.iter().copied()));
            let problem = Problem::at(&value.span, code::WRONG_CHOICE, message);
            problems.push(problem.near(value, known));
        }
    }

    /// The account of somebody else: the same in all but its credentials.
    pub(super) fn foreign(&self) -> Self {
        let (mut other, fixed) = (self.clone(), &self.platform.account_template);
        let scope = SeedScope::fixed(&format!("{} foreign", self.platform.id)).within("secret");
        for (name, line) in &fixed.secret {
            let mut value = line.text(&self.roots(), (&scope, name));
            if self.secrets.get(name).is_some_and(|own| own.expose() == value) {
                value.push('x');
            }
            other.set_secret(name, Secret::public(value));
        }
        other
    }

    fn set_secret(&mut self, name: &str, secret: Secret) {
        self.template_secrets.0.insert(name.to_owned(), secret.expose().into());
        self.secrets.insert(name.to_owned(), secret);
    }

    /// The secrets, each with the reference that stands in its place.
    pub fn secret_references(&self) -> impl Iterator<Item = (String, &Secret)> {
        self.secrets.iter().map(|(name, secret)| (format!("${{secret.{name}}}"), secret))
    }

    /// What paths can begin at, whatever the conversation.
    pub fn roots(&self) -> TemplateContext<'_> {
        TemplateContext::default()
            .with("account", &self.values)
            .with("brand", &self.brand)
            .with("option", &self.options)
            .with("secret", &self.template_secrets.0)
    }
}

fn unknown(key: &Key, what: &str, known: &[&str]) -> Problem {
    let message = format!("the vendor has no {what} `{}`", key.name);
    Problem::at(&key.span, code::UNKNOWN_KEY, message).known(&key.name, known.iter().copied())
}
