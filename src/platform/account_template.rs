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

    /// Returns every combination of option values, one at a time: all of them need megabytes.
    pub(super) fn option_combinations(&self) -> impl Iterator<Item = Map<String, Json>> + '_ {
        let number = self.options.iter().map(|option| option.values.len()).product();
        let named = vec![true; self.options.len()];
        (0..number).map(move |number| self.option_combination(number, &named))
    }

    /// Returns every combination of the options that one of the texts names, with a value for each of the
    /// others. Templates that are made of the texts give no other results.
    pub(super) fn combinations_in<'a>(
        &'a self,
        texts: &[&str],
    ) -> impl Iterator<Item = Map<String, Json>> + use<'a> {
        // A vendor with seven options has thousands of combinations, and most texts name one option.
        let is_named =
            |option: &AccountOption| texts.iter().any(|text| text.contains(&option.name));
        let named: Vec<bool> = self.options.iter().map(is_named).collect();
        let varied = self.options.iter().zip(&named).filter(|(_, is_named)| **is_named);
        let number: usize = varied.map(|(option, _)| option.values.len()).product();
        (0..number).map(move |number| self.option_combination(number, &named))
    }

    /// Returns a combination of the options that are `varied`, with the first value of each of the others.
    /// The first varied option is the last digit of the number.
    fn option_combination(&self, number: usize, varied: &[bool]) -> Map<String, Json> {
        let mut rest = number;
        let options = self.options.iter().zip(varied).map(|(option, is_varied)| {
            let AccountOption { name, values, .. } = option;
            let digit = if *is_varied { rest % values.len() } else { 0 };
            if *is_varied {
                rest /= values.len();
            }
            (name.clone(), values[digit].clone().into())
        });
        options.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, values: &[&str]) -> AccountOption {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        AccountOption { name: name.to_owned(), values, about: String::new() }
    }

    #[test]
    fn each_combination_of_options_is_returned_once() {
        let options = vec![option("a", &["1", "2"]), option("b", &["x", "y", "z"])];
        let template = AccountTemplate { options, ..AccountTemplate::default() };
        let text = |options: Map<String, Json>| format!("{}{}", options["a"], options["b"]);
        let all: Vec<String> =
            template.option_combinations().map(|all| text(all).replace('"', "")).collect();
        assert_eq!(all, ["1x", "2x", "1y", "2y", "1z", "2z"]);
        let some = |texts: &[&str]| -> Vec<String> {
            template.combinations_in(texts).map(|all| text(all).replace('"', "")).collect()
        };
        assert_eq!(some(&["${option.b}"]), ["1x", "1y", "1z"]);
        assert_eq!(some(&["none"]), ["1x"]);
        assert_eq!(some(&["option.a", "option.b"]), all);
        assert_eq!(AccountTemplate::default().option_combinations().count(), 1);
    }
}
