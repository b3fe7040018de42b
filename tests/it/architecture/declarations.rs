//! Rules about declarations: type names are unique in the crate, parameters are few and named.

use std::collections::BTreeMap;

use super::tokens::{Token, TokenKind, closing, code};
use super::{SourceFile, assert_empty, sources};

/// Most parameters of a function, `self` included; `clippy.toml` has the same number.
const MAX_PARAMETERS: usize = 6;

/// Each type that a file declares, with its line; `form!` and `string_enum!` contain declarations.
fn types(source: &str) -> Vec<(String, usize)> {
    let tokens = code(source);
    let mut found = Vec::new();
    for (index, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        let is_name = name.kind == TokenKind::Word && name.text.starts_with(char::is_uppercase);
        let declares = match keyword.text.as_str() {
            "struct" | "enum" | "trait" => keyword.kind == TokenKind::Word,
            "type" => keyword.kind == TokenKind::Word && is_alias(&tokens[..index]),
            _ => false,
        };
        if is_name && declares {
            found.push((name.text.clone(), name.line));
        }
    }
    found
}

/// Whether a `type` after these tokens is an alias, and not an associated type in a block.
fn is_alias(before: &[Token]) -> bool {
    let signs = |sign: &str| before.iter().filter(|token| token.is_sign(sign)).count();
    signs("{") == signs("}")
}

/// Each type name that is declared more than once, with its places.
fn duplicates<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, source) in files {
        for (name, line) in types(source) {
            places.entry(name).or_default().push(format!("{file}:{line}"));
        }
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    twice.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

/// The parameters of each function, as tokens: name, line, parameters.
fn functions(source: &str) -> Vec<(String, usize, Vec<Vec<Token>>)> {
    let tokens = code(source);
    let mut found = Vec::new();
    for (index, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        // The type of a function pointer, `fn(…)`, has no name.
        if !keyword.is_word("fn") || name.kind != TokenKind::Word {
            continue;
        }
        let Some(open) = parameter_list(&tokens, index + 2) else { continue };
        let list = &tokens[open + 1..closing(&tokens, open)];
        found.push((name.text.clone(), name.line, split(list)));
    }
    found
}

/// Index of the parenthesis that opens a parameter list, behind the generic parameters.
fn parameter_list(tokens: &[Token], from: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for index in from..tokens.len() {
        let token = &tokens[index];
        if token.is_sign("<") {
            depth += 1;
        } else if token.is_sign(">") && !tokens[index - 1].is_sign("-") {
            depth -= 1;
        } else if token.is_sign("(") && depth == 0 {
            return Some(index);
        } else if token.is_sign("{") || token.is_sign(";") {
            return None;
        }
    }
    None
}

/// Splits a parameter list at its commas, not at those inside brackets.
fn split(list: &[Token]) -> Vec<Vec<Token>> {
    let mut parameters = vec![Vec::new()];
    let mut depth = 0_i32;
    for (index, token) in list.iter().enumerate() {
        if token.kind == TokenKind::Sign {
            match token.text.as_str() {
                "(" | "[" | "{" | "<" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                ">" if index > 0 && !list[index - 1].is_sign("-") => depth -= 1,
                "," if depth == 0 => {
                    parameters.push(Vec::new());
                    continue;
                }
                _ => {}
            }
        }
        parameters.last_mut().unwrap().push(token.clone());
    }
    parameters.retain(|parameter| !parameter.is_empty());
    parameters
}

/// Each function with too many parameters, or with a tuple pattern as a parameter.
fn bad_parameters(file: &str, source: &str) -> Vec<String> {
    let mut bad = Vec::new();
    for (name, line, parameters) in functions(source) {
        let is_tuple = |parameter: &Vec<Token>| {
            let pattern = parameter.iter().find(|token| !token.is_sign("&"));
            pattern.is_some_and(|token| token.is_sign("("))
        };
        if parameters.len() > MAX_PARAMETERS {
            bad.push(format!("{file}:{line}: {name} takes {} parameters", parameters.len()));
        }
        if parameters.iter().any(is_tuple) {
            bad.push(format!("{file}:{line}: {name} takes a tuple apart; name its parameters"));
        }
    }
    bad
}

#[test]
fn type_names_are_unique() {
    let files = sources();
    let files = files.iter().map(|file| (file.name.as_str(), file.code.as_str()));
    assert_empty(&duplicates(files));
}

#[test]
fn parameters_are_few_and_named() {
    let bad = |file: &SourceFile| bad_parameters(&file.name, &file.code);
    assert_empty(&sources().iter().flat_map(bad).collect::<Vec<_>>());
}

#[test]
fn duplicate_type_names_are_found() {
    let first = "form! {\n    pub struct Part {}\n}\nimpl Iterator for Run { type Item = u8; }";
    let second = "// struct Run\ntype Part = u8;\nimpl Iterator for Stop { type Item = u8; }";
    let found = duplicates([("a.rs", first), ("b.rs", second)]);
    assert_eq!(found, ["Part: a.rs:2, b.rs:2"]);
    let declared = "string_enum! { pub enum Part {} }\ntrait Part {}";
    assert_eq!(duplicates([("a.rs", declared)]), ["Part: a.rs:1, a.rs:2"]);
}

#[test]
fn bad_parameters_are_found() {
    let bad = |source: &str| bad_parameters("a.rs", source).len();
    assert_eq!(bad("fn f((a, b): (u8, u8)) {}"), 1);
    assert_eq!(bad("fn f(a: u8, &(b, c): &(u8, u8)) {}"), 1);
    assert_eq!(bad("fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {}"), 1);
    assert_eq!(bad("fn f(&self, a: Map<u8, u8>, b: (u8, u8), c: u8, d: u8, e: u8,) {}"), 0);
    assert_eq!(bad("fn f<F: Fn(u8, u8) -> u8>(f: F, g: fn((u8, u8))) { g(|(a, b)| a) }"), 0);
}
