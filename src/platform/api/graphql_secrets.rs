//! Finds the credentials in a GraphQL request that cannot be executed.
//!
//! Its operation is not known, nor which of its arguments are secrets. It may not even be parsed.

use serde_json::Value as Json;

use crate::base::redact::is_credential_key;

/// What begins and ends a string of several lines.
pub(super) const BLOCK_QUOTE: &str = "\"\"\"";

/// Returns the values of arguments whose names say that they are credentials.
pub fn argument_secrets(body: &Json) -> Vec<String> {
    let (query, variables) = (body["query"].as_str().unwrap_or_default(), &body["variables"]);
    let mut found = Vec::new();
    let mut rest = query;
    while let Some((before, after)) = rest.split_once(':') {
        let name = before.trim_end().rsplit(|char| !is_name(char)).next().unwrap_or_default();
        if is_credential_key(name) {
            found.extend(given_text(after.trim_start(), variables));
        }
        rest = after;
    }
    found
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// Returns the text that a query begins with, or that of the variable, as it is written.
fn given_text(query: &str, variables: &Json) -> Option<String> {
    if let Some(name) = query.strip_prefix('$') {
        let name = name.split(|char| !is_name(char)).next()?;
        return variables[name].as_str().map(str::to_owned);
    }
    string_at_start(query).map(str::to_owned)
}

/// Returns the content of the string that a query begins with, as it is written.
pub(super) fn string_at_start(query: &str) -> Option<&str> {
    if let Some(block) = query.strip_prefix(BLOCK_QUOTE) {
        return block.split(BLOCK_QUOTE).next();
    }
    let text = query.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = text.find(|char| {
        let is_end = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_end
    });
    Some(&text[..end.unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_variables_are_found_by_the_names_of_arguments() {
        let query = r#"mutation($p: String) { a: login(email: "é: x", password: $p) {
            b(appToken : "in\"line", c: "d", secret: """block""", password: "not ended"#;
        let body = json!({"query": query, "variables": {"p": "of a variable"}});
        let expected = ["of a variable", "in\\\"line", "block", "not ended"];
        assert_eq!(argument_secrets(&body), expected);
        assert!(argument_secrets(&json!([])).is_empty());
    }
}
