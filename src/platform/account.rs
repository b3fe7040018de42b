//! The emulated account at a vendor: ids, credentials and options.
//!
//! The generated values depend on the vendor's id and the account's name only, not on the seed of a run,
//! so that a receiver has to be configured once. The configuration file can replace those of the test
//! account.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::account_name::AccountName;
use super::account_template::{AccountOption, AccountValue};
use super::context::TemplateContext;
use super::definition::Platform;
use super::ids::{self, IdOwner};
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::base::text::one_of;
use crate::config::{FILES_PORT, VendorSettings, files_url, invalid_secret};
use crate::conversation::{Conversation, GeneratedIds, Member, Person};
use crate::diag::scalar::unexpected_type;
use crate::diag::{Key, Problem, Problems, Spanned, SyntaxNode, code};
use crate::policy::Policy;
use crate::template::FieldType;

/// The emulated customer account at a vendor.
#[derive(Clone, Debug)]
pub struct Account {
    /// The vendor's platform.
    pub platform: Arc<Platform>,
    /// Name of the account; `None` for the test account.
    pub name: Option<AccountName>,
    /// Ids and other values of the account, by name.
    pub values: Map<String, Json>,
    /// Selected options, by name.
    pub options: Map<String, Json>,
    /// Base URL of the built-in sample files.
    pub files: String,
    /// Credentials, by name.
    pub secrets: BTreeMap<String, Secret>,
    /// Names and addresses of the label under which the platform is sold, by name.
    pub brand: Map<String, Json>,
    template_secrets: TemplateSecrets,
}

/// The credentials in the form that templates render; `Debug` hides them.
#[derive(Clone, Default)]
struct TemplateSecrets(Map<String, Json>);

impl fmt::Debug for TemplateSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Account {
    /// Returns the test account of a vendor, which is the same in every run.
    pub fn test(platform: &Arc<Platform>) -> Self {
        Self::named(platform, None)
    }

    /// Returns the account of a vendor with this name. Each name has separate ids and secrets.
    fn named(platform: &Arc<Platform>, name: Option<&AccountName>) -> Self {
        let template = &platform.account_template;
        let seeds = fixed_seeds(platform, name);
        // The first value is the default; the configuration can select another.
        let option = |option: &AccountOption| {
            let default = option.values.first().map_or(Json::Null, |value| value.clone().into());
            (option.name.clone(), default)
        };
        let mut account = Self {
            platform: Arc::clone(platform),
            name: name.cloned(),
            values: Map::new(),
            options: template.options.iter().map(option).collect(),
            files: files_url(FILES_PORT),
            secrets: BTreeMap::new(),
            brand: template.brand.clone(),
            template_secrets: TemplateSecrets::default(),
        };
        let scope = seeds.within("account");
        for (name, value) in &template.account {
            let value = match value {
                AccountValue::Text(text) => text.value(&account.roots(), &scope, name),
                AccountValue::Data(json) => json.clone(),
            };
            account.values.insert(name.clone(), value);
        }
        let scope = seeds.within("secret");
        for (name, text) in &template.secret {
            let value = text.text(&account.roots(), &scope, name);
            account.set_secret(name, Secret::public(value));
        }
        account
    }

    /// Returns an account with the settings of the configuration file. Its ids and credentials belong to
    /// the test account, its options to every account. Reports names that the vendor does not have,
    /// values of the wrong type and secrets that cannot be resolved.
    pub fn configured(
        platform: &Arc<Platform>,
        name: Option<&AccountName>,
        settings: Option<&VendorSettings>,
        problems: &mut Problems,
    ) -> Self {
        let mut account = Self::named(platform, name);
        let Some(settings) = settings else { return account };
        for (key, value) in settings.option.iter() {
            account.select_option(key, value, problems);
        }
        if name.is_some() {
            return account;
        }
        for (key, node) in settings.account.iter() {
            account.replace_value(key, node, problems);
        }
        for (key, reference) in settings.secret.iter() {
            if !account.secrets.contains_key(&key.name) {
                let known: Vec<&str> = account.secrets.keys().map(String::as_str).collect();
                problems.push(unknown(key, "secret", &known));
                continue;
            }
            match reference.resolve() {
                Ok(secret) => account.set_secret(&key.name, secret),
                Err(error) => problems.push(invalid_secret(&error, &reference.span)),
            }
        }
        account.check_keys(settings, problems);
        account
    }

    /// Reports configured secrets that give a key in an invalid encoding.
    fn check_keys(&self, settings: &VendorSettings, problems: &mut Problems) {
        let roots = self.roots();
        let rules = self.platform.requests.signatures.iter();
        for (_, rule) in rules.filter(|(_, rule)| !rule.has_valid_key(&roots)) {
            let key = rule.key.render(&roots);
            let is_in_key = |name: &Key| {
                let secret = self.secrets.get(&name.name).map(Secret::expose);
                secret.is_some_and(|secret| secret.contains(&key) || key.contains(secret))
            };
            let mut configured = settings.secret.iter();
            let Some((name, reference)) = configured.find(|(name, _)| is_in_key(name)) else {
                continue;
            };
            let message = format!("the secret `{}` is not valid {}", name.name, rule.key_encoding);
            let problem = Problem::at(&reference.span, code::INVALID_KEY, message);
            problems.push(problem.help("copy the secret as the vendor shows it, prefix included"));
        }
    }

    fn replace_value(&mut self, key: &Key, node: &SyntaxNode, problems: &mut Problems) {
        let Some(value) = self.values.get_mut(&key.name) else {
            let known: Vec<&str> = self.values.keys().map(String::as_str).collect();
            return problems.push(unknown(key, "account value", &known));
        };
        let replacement = node.to_json();
        // Templates were compiled against the type of the generated value.
        if FieldType::of_json(&replacement) == FieldType::of_json(value) {
            *value = replacement;
        } else {
            let expected = FieldType::of_json(value).about();
            let problem = unexpected_type(node, expected);
            problems.push(problem.help(format!("the generated value is `{value}`")));
        }
    }

    fn select_option(&mut self, key: &Key, value: &Spanned<String>, problems: &mut Problems) {
        let options = &self.platform.account_template.options;
        let Some(option) = options.iter().find(|option| option.name == key.name) else {
            let known: Vec<&str> = options.iter().map(|option| option.name.as_str()).collect();
            return problems.push(unknown(key, "option", &known));
        };
        if option.values.contains(&value.value) {
            self.options.insert(key.name.clone(), value.value.clone().into());
        } else {
            let known: Vec<&str> = option.values.iter().map(String::as_str).collect();
            let message = format!("`{}` is not {}", value.value, one_of(known.iter().copied()));
            let problem = Problem::at(&value.span, code::INVALID_CHOICE, message);
            problems.push(problem.suggest(value, known));
        }
    }

    /// Returns the scope of all values of a run at the account. Runs at accounts with different names have
    /// no values in common, even with the same seed.
    pub fn run_seeds(&self, seed: u64) -> SeedScope {
        let seeds = SeedScope::of_run(seed);
        match &self.name {
            Some(name) => seeds.within("account").within(name.as_str()),
            None => seeds,
        }
    }

    /// Returns the scope of values of the account that do not depend on a run.
    pub fn fixed_seeds(&self) -> SeedScope {
        fixed_seeds(&self.platform, self.name.as_ref())
    }

    /// Returns another customer's account: equal except that every secret differs.
    pub(super) fn foreign(&self) -> Self {
        let (mut other, template) = (self.clone(), &self.platform.account_template);
        let scope = SeedScope::fixed(&format!("{} foreign", self.platform.id)).within("secret");
        for (name, text) in &template.secret {
            let mut value = text.text(&self.roots(), &scope, name);
            // A secret that generates nothing, or one set in the configuration, could be equal.
            if self.secrets.get(name).is_some_and(|secret| secret.expose() == value) {
                value.push('x');
            }
            other.set_secret(name, Secret::public(value));
        }
        other
    }

    /// Returns the account with other values of some secrets.
    #[must_use]
    pub fn with_secrets(&self, secrets: &[(String, Secret)]) -> Self {
        let mut account = self.clone();
        secrets.iter().for_each(|(name, secret)| account.set_secret(name, secret.clone()));
        account
    }

    fn set_secret(&mut self, name: &str, secret: Secret) {
        self.template_secrets.0.insert(name.to_owned(), secret.expose().into());
        self.secrets.insert(name.to_owned(), secret);
    }

    /// Returns each secret with the reference that replaces it in records: `${secret.NAME}`.
    pub fn secret_references(&self) -> impl Iterator<Item = (String, &Secret)> {
        self.secrets.iter().map(|(name, secret)| (format!("${{secret.{name}}}"), secret))
    }

    /// Returns true if the text contains one of the account's secrets.
    pub(super) fn contains_secret(&self, text: &str) -> bool {
        self.secrets.values().any(|secret| text.contains(secret.expose()))
    }

    /// Returns the delivery policy for events of this type under the selected options.
    pub fn policy(&self, event_type: &str) -> Policy {
        let base = &self.platform.policy;
        let mut rules = self.platform.retries.iter();
        match rules.find(|rule| rule.applies(event_type, &self.options)) {
            Some(rule) => rule.policy(base, &self.roots()),
            None => base.clone(),
        }
    }

    /// Generates the ids that the vendor assigns to a participant with this member's role.
    pub fn admit(&self, mut member: Member, seeds: &SeedScope) -> Member {
        let roots = self.roots();
        // The ids of a role may use those of every person, so the latter are generated first.
        for owner in [IdOwner::Person, ids::of_role(member.role)] {
            let mut person = Person::new(Arc::new(member.clone()), Map::new());
            self.platform.ids.generate(
                owner,
                &mut person,
                |person| &mut Arc::make_mut(&mut person.member).ids,
                &roots,
                &seeds.within(&member.name),
            );
            member.ids.clone_from(&person.member.ids);
        }
        member
    }

    /// Generates the ids of a call. `number` counts the calls of the account.
    pub fn call_ids(&self, number: u64, received_at: Timestamp) -> GeneratedIds {
        let seeds = self.fixed_seeds().within("call").within(&received_at.to_string());
        let seeds = seeds.within(&number.to_string());
        self.platform.ids.generate_detached(IdOwner::Call, &self.roots(), &seeds)
    }

    /// Returns the template roots that do not depend on a conversation: `account`, `brand`,
    /// `option` and `secret`.
    pub fn roots(&self) -> TemplateContext<'_> {
        TemplateContext::default()
            .with("account", &self.values)
            .with("brand", &self.brand)
            .with("option", &self.options)
            .with("secret", &self.template_secrets.0)
    }

    /// Returns [`Account::roots`] with `conversation` and, if there is one, `visitor`.
    pub fn conversation_roots<'a>(&'a self, conversation: &'a Conversation) -> TemplateContext<'a> {
        let roots = self.roots().with("conversation", conversation);
        match conversation.visitor() {
            Some(visitor) => roots.with("visitor", visitor),
            None => roots,
        }
    }
}

fn fixed_seeds(platform: &Platform, name: Option<&AccountName>) -> SeedScope {
    match name {
        Some(name) => SeedScope::fixed(&format!("{} account {}", platform.id, name.as_str())),
        None => SeedScope::fixed(&platform.id),
    }
}

fn unknown(key: &Key, what: &str, known: &[&str]) -> Problem {
    let message = format!("the vendor has no {what} `{}`", key.name);
    Problem::at(&key.span, code::UNKNOWN_KEY, message)
        .suggest_or_list(&key.name, known.iter().copied())
}
