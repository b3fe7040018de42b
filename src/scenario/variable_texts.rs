//! Texts that may use variables and no other placeholders, such as the names of the cast.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::literal::refuse_placeholders;
use crate::base::limits::{MAX_TEXT, MAX_TEXT_PLACEHOLDERS};
use crate::diag::{Problems, Spanned};
use crate::template::{
    CompileContext, Field, FieldType, Object, TableType, TextRules, TextTemplate, Value,
};

/// Rules for texts of a scenario, which are shorter than payload templates.
// `${new.…}` creates ids, which only payload templates may do.
pub(super) const RULES: TextRules = TextRules {
    allow_generated: false,
    max_bytes: Some(MAX_TEXT),
    max_placeholders: Some(MAX_TEXT_PLACEHOLDERS),
};

/// The types of variables.
pub(super) fn variables_type(variables: &Map<String, Json>) -> TableType {
    let field = |(name, value): (&String, &Json)| Field::always(name, FieldType::of_json(value));
    TableType::new("the variables", variables.iter().map(field).collect())
}

/// The root of paths in texts that may only use variables.
pub(super) struct VariablesRoot<'a>(pub(super) &'a Map<String, Json>);

impl Object for VariablesRoot<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        if name == "vars" { Value::Object(self.0) } else { Value::Absent }
    }
}

/// Returns a text with the values of its variables. Reports other placeholders.
pub(super) fn with_variables(
    text: &Spanned<String>,
    variables: &Map<String, Json>,
    problems: &mut Problems,
) -> String {
    if !text.value.contains("${vars.") {
        refuse_placeholders(text, problems);
        return text.value.clone();
    }
    let names = TableType::new("the variables", Vec::new())
        .always("vars", FieldType::table(variables_type(variables)));
    let words = BTreeMap::new();
    let context = CompileContext::without_files(names, &words);
    let compiled = TextTemplate::check(text, &context, RULES, problems);
    compiled.map(|compiled| compiled.render(&VariablesRoot(variables))).unwrap_or_default()
}
