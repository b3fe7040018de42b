//! The checked sections from which an account is generated: `[account]`, `[secret]`, `[brand]` and
//! `[option]`.

use serde_json::{Map, Value as Json};

use super::forms::VendorForm;
use crate::base::limits::MAX_OPTION_COMBINATIONS;
use crate::diag::{Problem, Problems, Spanned, code};
use crate::template::{CompileContext, Field, FieldType, TableType, TextRules, TextTemplate};

/// The values of an account before they are generated.
#[derive(Clone, Debug, Default)]
pub(super) struct AccountTemplate {
    pub(super) account: Vec<(String, AccountValue)>,
    pub(super) secret: Vec<(String, TextTemplate)>,
    pub(super) brand: Map<String, Json>,
    pub(super) options: Vec<AccountOption>,
}

/// A value of `[account]`.
#[derive(Clone, Debug)]
pub(super) enum AccountValue {
    /// A text that may generate parts of itself.
    Text(TextTemplate),
    /// Any other JSON value, used as it is.
    Data(Json),
}

/// A setting of the account for which the vendor's documentation specifies no value.
#[derive(Clone, Debug)]
pub(super) struct AccountOption {
    /// Name, as in `${option.NAME}`.
    pub(super) name: String,
    /// Allowed values, at least one. The first is the default.
    pub(super) values: Vec<String>,
    /// Effect of the option, for display.
    pub(super) about: String,
}

impl AccountTemplate {
    /// Checks the account's sections of a vendor file.
    pub(super) fn check(
        form: &VendorForm,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut template = Self { brand: form.brand.to_json(), ..Self::default() };
        for (key, node) in form.account.iter() {
            let value = match node.as_text() {
                Some(text) => {
                    let text = Spanned { value: text.to_owned(), span: node.span.clone() };
                    TextTemplate::check(&text, context, TextRules::GENERATED, problems)
                        .map(AccountValue::Text)
                }
                None => Some(AccountValue::Data(node.to_json())),
            };
            // An invalid value keeps its name: templates that use it must not be reported as well.
            let value = value.unwrap_or_else(|| AccountValue::Data("".into()));
            template.account.push((key.name.clone(), value));
        }
        for (key, text) in form.secret.iter() {
            let text = TextTemplate::check(text, context, TextRules::GENERATED, problems);
            template.secret.extend(text.map(|text| (key.name.clone(), text)));
        }
        template.check_options(form, problems);
        template
    }

    fn check_options(&mut self, form: &VendorForm, problems: &mut Problems) {
        let mut combinations: usize = 1;
        for (key, option) in form.option.iter() {
            // Rules are checked under every combination of options, so their number is limited.
            combinations = combinations.saturating_mul(option.values.len());
            if combinations > MAX_OPTION_COMBINATIONS {
                let message =
                    format!("the options have more than {MAX_OPTION_COMBINATIONS} combinations");
                let problem = Problem::at(&key.span, code::TOO_MANY, message);
                let help = "every combination is checked at load: remove options or values";
                problems.push(problem.help(help));
                break;
            }
            self.options.push(AccountOption {
                name: key.name.clone(),
                values: option.values.iter().map(|value| value.value.clone()).collect(),
                about: option.about.value.clone(),
            });
        }
    }

    /// Returns the type of `${account.…}`.
    pub(super) fn account_names(&self) -> TableType {
        let name = |(name, value): &(String, AccountValue)| {
            let field_type = match value {
                AccountValue::Text(text) => text.field_type().clone(),
                AccountValue::Data(json) => FieldType::of_json(json),
            };
            Field::always(name, field_type)
        };
        TableType::new("the account", self.account.iter().map(name).collect())
    }

    /// Returns every combination of option values.
    pub(super) fn option_combinations(&self) -> Vec<Map<String, Json>> {
        let mut combinations = vec![Map::new()];
        for option in &self.options {
            let with = |combination: &Map<String, Json>, value: &String| {
                let mut combination = combination.clone();
                combination.insert(option.name.clone(), value.clone().into());
                combination
            };
            let values = option.values.iter();
            combinations =
                values.flat_map(|value| combinations.iter().map(move |c| with(c, value))).collect();
        }
        combinations
    }
}
