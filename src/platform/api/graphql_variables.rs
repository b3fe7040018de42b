//! Checks the variables of a GraphQL request against their declared types. The texts are those of
//! GraphQL.js, the reference implementation.

use async_graphql::parser::types::{
    BaseType, InputObjectType, OperationDefinition, Type, TypeKind,
};
use serde_json::{Map, Number, Value as Json};

use super::graphql_schema::SchemaFile;

/// Largest integer up to which all integers are exact in JavaScript: 2^53 - 1.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// Returns the mistakes of the variables that an operation declares. Others are ignored.
pub(super) fn check_variables(
    file: &SchemaFile,
    operation: &OperationDefinition,
    variables: &Map<String, Json>,
) -> Vec<String> {
    let mut mistakes = Vec::new();
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        let (name, declared) = (definition.name.node.as_str(), &definition.var_type.node);
        match variables.get(name) {
            None if declared.nullable || definition.default_value.is_some() => {}
            None => mistakes.push(format!(
                "Variable \"${name}\" of required type \"{declared}\" was not provided."
            )),
            Some(Json::Null) if !declared.nullable => mistakes.push(format!(
                "Variable \"${name}\" of non-null type \"{declared}\" must not be null."
            )),
            Some(value) => {
                let mut found = Vec::new();
                let place = InputPlace { file, path: name.to_owned() };
                place.check(value, declared, &mut found);
                mistakes.extend(found.into_iter().map(|mistake| {
                    let InputMistake { path, value, reason } = mistake;
                    let at = if path == name { String::new() } else { format!(" at \"{path}\"") };
                    format!("Variable \"${name}\" got invalid value {value}{at}; {reason}")
                }));
            }
        }
    }
    mistakes
}

/// Returns variables with numbers as JavaScript reads them: 1.0 is the integer 1.
pub(super) fn with_javascript_numbers(variables: &Map<String, Json>) -> Map<String, Json> {
    variables.iter().map(|(name, value)| (name.clone(), javascript_value(value))).collect()
}

fn javascript_value(value: &Json) -> Json {
    match value {
        Json::Number(number) => whole(number).map_or_else(|| value.clone(), Json::from),
        Json::Array(items) => items.iter().map(javascript_value).collect(),
        Json::Object(entries) => Json::Object(with_javascript_numbers(entries)),
        _ => value.clone(),
    }
}

/// Returns the integer that a number written with a fraction or an exponent is, if it is one.
fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
    // Larger ones are not exact, so that they stay as they are.
    let is_exact = float.abs() <= MAX_EXACT;
    is_exact.then(|| format!("{float:.0}").parse().ok()).flatten()
}

/// A mistake in the value of a variable.
struct InputMistake {
    path: String,
    value: String,
    reason: String,
}

/// A part of the value of a variable.
struct InputPlace<'a> {
    file: &'a SchemaFile,
    path: String,
}

impl InputPlace<'_> {
    fn below(&self, path: String) -> Self {
        InputPlace { file: self.file, path }
    }

    fn mistake(&self, value: &Json, reason: String) -> InputMistake {
        InputMistake { path: self.path.clone(), value: inspect(value), reason }
    }

    fn check(&self, value: &Json, declared: &Type, mistakes: &mut Vec<InputMistake>) {
        if value.is_null() {
            if !declared.nullable {
                let reason = format!("Expected non-nullable type \"{declared}\" not to be null.");
                mistakes.push(self.mistake(value, reason));
            }
            return;
        }
        match (&declared.base, value) {
            (BaseType::List(inner), Json::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let place = self.below(format!("{}[{index}]", self.path));
                    place.check(item, inner, mistakes);
                }
            }
            // A single value stands for a list of it.
            (BaseType::List(inner), value) => self.check(value, inner, mistakes),
            (BaseType::Named(name), value) => self.check_named(value, name.as_str(), mistakes),
        }
    }

    fn check_named(&self, value: &Json, name: &str, mistakes: &mut Vec<InputMistake>) {
        let shown = inspect(value);
        let reason = match (name, value) {
            ("String" | "ID", Json::String(_))
            | ("Boolean", Json::Bool(_))
            | ("Float", Json::Number(_)) => return,
            ("ID", Json::Number(number)) if number.is_i64() => return,
            ("Int", Json::Number(number)) => match number.as_i64().map(i32::try_from) {
                Some(Ok(_)) => return,
                Some(Err(_)) => {
                    format!("Int cannot represent non 32-bit signed integer value: {shown}")
                }
                None => format!("Int cannot represent non-integer value: {shown}"),
            },
            ("String", _) => format!("String cannot represent a non string value: {shown}"),
            ("ID", _) => format!("ID cannot represent value: {shown}"),
            ("Boolean", _) => format!("Boolean cannot represent a non boolean value: {shown}"),
            ("Float", _) => format!("Float cannot represent non numeric value: {shown}"),
            ("Int", _) => format!("Int cannot represent non-integer value: {shown}"),
            (name, value) => match self.file.definition(name).map(|known| &known.kind) {
                Some(TypeKind::Enum(known)) => {
                    let text = value.as_str();
                    let mut values = known.values.iter();
                    if values.any(|known| Some(known.node.value.node.as_str()) == text) {
                        return;
                    }
                    format!("Value {shown} does not exist in \"{name}\" enum.")
                }
                Some(TypeKind::InputObject(input)) => {
                    return self.check_object(value, name, input, mistakes);
                }
                // A scalar of the vendor takes any value. Other types are refused by validation.
                _ => return,
            },
        };
        mistakes.push(self.mistake(value, reason));
    }

    fn check_object(
        &self,
        value: &Json,
        name: &str,
        input: &InputObjectType,
        mistakes: &mut Vec<InputMistake>,
    ) {
        let Json::Object(entries) = value else {
            let reason = format!("Expected type \"{name}\" to be an object.");
            return mistakes.push(self.mistake(value, reason));
        };
        for field in input.fields.iter().map(|field| &field.node) {
            let (own, declared) = (field.name.node.as_str(), &field.ty.node);
            match entries.get(own) {
                Some(item) => {
                    self.below(format!("{}.{own}", self.path)).check(item, declared, mistakes);
                }
                None if declared.nullable || field.default_value.is_some() => {}
                None => {
                    let reason = format!(
                        "Field \"{own}\" of required type \"{declared}\" was not provided."
                    );
                    mistakes.push(self.mistake(value, reason));
                }
            }
        }
        let is_known = |key: &str| input.fields.iter().any(|field| field.node.name.node == key);
        for key in entries.keys().filter(|key| !is_known(key)) {
            let reason = format!("Field \"{key}\" is not defined by type \"{name}\".");
            mistakes.push(self.mistake(value, reason));
        }
    }
}

/// Returns a value as GraphQL.js shows it.
fn inspect(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            format!("[{}]", items.iter().map(inspect).collect::<Vec<_>>().join(", "))
        }
        Json::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Json::Object(entries) => {
            let entry = |(name, value): (&String, &Json)| format!("{name}: {}", inspect(value));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_integers_however_they_are_written() {
        let read = |text: &str| {
            let variables: Map<String, Json> = serde_json::from_str(text).unwrap();
            Json::Object(with_javascript_numbers(&variables))
        };
        assert_eq!(
            read(r#"{"a": 1.0, "b": [2e3, {"c": -0.0}]}"#),
            json!({"a": 1, "b": [2000, {"c": 0}]})
        );
        let others = r#"{"a":1.5,"b":1e300,"c":7,"d":"1.0"}"#;
        assert_eq!(read(others).to_string(), r#"{"a":1.5,"b":1e+300,"c":7,"d":"1.0"}"#);
    }
}
