//! Help for syntax errors of TOML files, from the text at the place of the error.
//!
//! The parser says what it expected. A beginner needs to know what to write instead.

use std::sync::Arc;

use crate::base::text::is_hidden;
use crate::diag::code;
use crate::diag::problem::Problem;
use crate::diag::source::Source;

/// Quotation marks that word processors and web pages put in place of straight ones.
const CURLY: &[char] = &['“', '”', '„', '‟', '«', '»', '‘', '’', '‚', '‛', '′', '″', '＂'];

/// Help for a key that no `=` follows.
const ASSIGNMENT: &str = "write `=` between a key and its value";

/// Returns a problem if the file is written in another format. Its syntax errors would only say that
/// each line is not TOML.
pub(super) fn other_format(source: &Arc<Source>) -> Option<Problem> {
    let text = source.text.trim_start();
    let is_json = text.starts_with('{')
        || text.starts_with('[') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let format = match () {
        () if is_json => "JSON",
        () if is_yaml(text) => "YAML",
        () => return None,
    };
    let start = source.text.len() - text.len();
    let first_line = text.lines().next().unwrap_or_default().len();
    let span = source.span(start..start + first_line);
    let problem = Problem::at(&span, code::TOML_SYNTAX, format!("expected TOML, found {format}"));
    Some(problem.help(format!(
        "convert the {format} to TOML: `key = \"value\"`, with a `[[step]]` line above each step; \
         `standin init` writes an example"
    )))
}

/// Returns whether the first line with content can only be YAML, and no line is an assignment. A
/// TOML file with a colon in place of one `=` is a TOML file with a typo.
fn is_yaml(text: &str) -> bool {
    let is_content = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let mut lines = text.lines().filter(is_content);
    let is_key = |c: char| c.is_alphanumeric() || "_- \"'".contains(c);
    let has_key = |line: &str| {
        let key = line.split_once(':');
        key.is_some_and(|(key, value)| {
            key.chars().all(is_key) && (value.is_empty() || value.starts_with(' '))
        })
    };
    let is_start = |line: &str| line.trim_end() == "---" || line.starts_with("%YAML");
    let begins = lines.next().is_some_and(|line| is_start(line) || has_key(line));
    begins && !lines.any(|line| line.contains(" = ") || line.starts_with("[["))
}

/// Returns the help for a syntax error at this place of a file, or `None`. The place is behind a
/// string without a closing quote if `is_open_string` is set.
pub(super) fn help_at(text: &str, at: usize, is_open_string: bool) -> Option<String> {
    let line_start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let before = &text[line_start..at];
    let rest = text[at..].lines().next().unwrap_or_default();
    curly_quotes(rest, before, is_open_string)
        .or_else(|| foreign_character(rest))
        .or_else(|| escape(before, rest))
        .or_else(|| inner_quote(before, rest))
        .or_else(|| key(before, rest))
        .or_else(|| value(before, rest))
}

fn curly_quotes(rest: &str, before: &str, is_open_string: bool) -> Option<String> {
    // A string that ends with a curly quote, apart from what can follow a string.
    let line = format!("{before}{rest}");
    let closes = line.trim_end_matches([' ', '\t', '}', ']', ',']).ends_with(CURLY);
    let is_curly = rest.starts_with(CURLY) || is_open_string && closes;
    is_curly.then(|| "replace the curly quotes with straight ones: `\"`".to_owned())
}

/// Returns help for an invisible character, a special space, or a sign of an East Asian keyboard.
fn foreign_character(rest: &str) -> Option<String> {
    let character = rest.chars().next()?;
    let code = u32::from(character);
    let is_space = character.is_whitespace() && !character.is_ascii();
    if is_space || is_hidden(character) && !character.is_ascii() {
        let instead = if is_space { ", or replace it with a space" } else { "" };
        return Some(format!("remove the invisible character U+{code:04X}{instead}"));
    }
    let plain = match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(code - 0xfee0)?,
        '、' => ',',
        '【' => '[',
        '】' => ']',
        _ => return None,
    };
    match plain {
        ':' => Some(format!("{ASSIGNMENT}, not `{character}`")),
        '=' | ',' | '[' | ']' | '{' | '}' | '#' | '.' => {
            Some(format!("replace `{character}` with `{plain}`"))
        }
        _ => None,
    }
}

/// Returns help for an invalid escape in a string with double quotes. The error is behind the
/// backslash, or behind the letter of a code such as `\u`.
fn escape(before: &str, rest: &str) -> Option<String> {
    let code = before.trim_end_matches(|c: char| c.is_ascii_hexdigit());
    let has_code = ["\\u", "\\U", "\\x"].iter().any(|start| code.ends_with(start));
    if !has_code && !before.ends_with('\\') {
        return None;
    }
    if let Some(help) = has_code.then(|| surrogate(code, &before[code.len()..], rest)).flatten() {
        return Some(help);
    }
    // The examples have no value of the file, which may be a secret.
    Some(
        "a backslash in double quotes starts an escape: write it twice (`\\\\`), or put the string \
         in single quotes, such as `'C:\\files'`"
            .to_owned(),
    )
}

/// Returns help for half of a surrogate pair, as JSON and JavaScript write characters beyond U+FFFF.
fn surrogate(before: &str, digits: &str, rest: &str) -> Option<String> {
    let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let following = format!("{digits}{rest}");
    let half = unit(&following).filter(|unit| (0xd800..=0xdfff).contains(unit))?;
    let next = following.get(4..).and_then(|rest| unit(rest.strip_prefix("\\u")?));
    let earlier = before.len().checked_sub("\\uD83D\\u".len()).and_then(|at| before.get(at..));
    let earlier = earlier.and_then(|pair| unit(pair.strip_prefix("\\u")?));
    let pairs = [[Some(half), next], [earlier, Some(half)]];
    let decoded = pairs.iter().find_map(|pair| {
        let [Some(high), Some(low)] = *pair else { return None };
        char::decode_utf16([high, low]).next()?.ok()
    });
    Some(match decoded {
        Some(character) => {
            let code = u32::from(character);
            format!("write the character itself, `{character}`, or its code `\\U{code:08X}`")
        }
        None => "this is half of a character: write the character itself, or its code as `\\U` \
                 with eight digits"
            .to_owned(),
    })
}

/// Returns help for a string that ends too early, because it contains the quote that it is put in.
fn inner_quote(before: &str, rest: &str) -> Option<String> {
    // Behind the end of a string comes a space, a bracket or a comma.
    if !before.contains('=') || !rest.starts_with(char::is_alphanumeric) {
        return None;
    }
    let help = match before.chars().next_back()? {
        '\'' => "a string in single quotes cannot contain `'`: put it in double quotes",
        '"' => "write a double quote in a string as `\\\"`, or put the string in single quotes",
        _ => return None,
    };
    Some(help.to_owned())
}

/// Returns help for an error in the key of an assignment.
fn key(before: &str, rest: &str) -> Option<String> {
    let line = format!("{before}{rest}");
    if ["//", "/*", ";"].iter().any(|start| line.trim_start().starts_with(start)) {
        return Some("start a comment with `#`".to_owned());
    }
    let is_header = line.trim_start().starts_with('[');
    let before = key_start(before)?;
    let line = format!("{before}{rest}");
    let is_colon = rest.starts_with(':') || before.trim_end().ends_with([':', '：']);
    if is_colon && is_quoted(before) {
        return Some(format!("{ASSIGNMENT}, not `:`"));
    }
    // Behind a `=`, the error is not in a key.
    if before.contains(['=', '"', '\'']) {
        return None;
    }
    if is_colon {
        return Some(format!("{ASSIGNMENT}, not `:`"));
    }
    if !is_header && before.trim_end().ends_with('.') && !rest.starts_with('.') {
        return Some("write a name on both sides of a dot in a key".to_owned());
    }
    let is_key_part = |c: char| !c.is_whitespace() && !"=.[]{}\"',#:".contains(c);
    let is_second_word = before.trim() != "" && (before.ends_with([' ', '\t']) || rest.is_empty());
    // A header is not closed: the brackets are what matters.
    if is_header && (is_second_word || !rest.starts_with(is_key_part)) {
        return None;
    }
    if is_second_word {
        let is_value = rest.starts_with(['{', '[', '"', '\'']);
        let help = if rest.contains('=') && !is_value {
            "put a key that contains spaces in quotes"
        } else {
            ASSIGNMENT
        };
        return Some(help.to_owned());
    }
    // The key of which the invalid character is a part.
    let name_start = before
        .rfind(|c| !is_key_part(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let name_end = before.len() + rest.find(|c| !is_key_part(c)).unwrap_or(rest.len());
    let name = &line[name_start..name_end];
    (!name.is_empty()).then(|| format!("put the key in quotes: `\"{name}\"`"))
}

/// Returns true for a key in quotes.
fn is_quoted(key: &str) -> bool {
    let key = key.trim().trim_end_matches(':').trim_end();
    let quote = key.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    quote.is_some_and(|quote| {
        key.len() > 1 && key.matches(quote).count() == 2 && key.ends_with(quote)
    })
}

/// Returns the beginning of a key, without what is before it on its line: the bracket of a header, or
/// other keys of an inline table. `None` in a list.
fn key_start(before: &str) -> Option<&str> {
    let mut open = Vec::new();
    for (at, c) in before.char_indices() {
        match c {
            '{' | '[' => open.push(at),
            '}' | ']' => drop(open.pop()),
            _ => {}
        }
    }
    let Some(bracket) = open.last() else { return Some(before) };
    let is_header = before[..*bracket].trim_matches(['[', ' ', '\t']).is_empty();
    let inside = &before[bracket + 1..];
    let is_table = before[*bracket..].starts_with('{');
    let last = inside.rsplit(',').next().filter(|_| is_table);
    last.or_else(|| is_header.then_some(inside))
}

/// Returns help for an error in or behind a value.
fn value(before: &str, rest: &str) -> Option<String> {
    if before.trim_end().ends_with('=') {
        let word = rest.split([' ', '\t', ',', ']', '}', ';', '#']).next().unwrap_or_default();
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
        // A single word gets more precise help.
        return match rest.trim() {
            "" => Some("write a value after the `=`".to_owned()),
            _ if rest.starts_with(['=', '>']) => {
                Some("write a single `=` between a key and its value".to_owned())
            }
            // Many languages permit such a zero; some read the number as octal.
            _ if word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_digit()) => Some(format!(
                "remove the zero at the start of the number, or put a string in quotes: `\"{word}\"`"
            )),
            _ if let Some(prefix) = string_prefix(rest) => {
                Some(format!("remove the `{prefix}` before the quote: strings have no prefix"))
            }
            // A value is missing before the bracket.
            _ if is_word || rest.starts_with([']', '}']) => None,
            _ => Some("put a string in quotes: `key = \"value\"`".to_owned()),
        };
    }
    if before.contains('=') && (rest.starts_with("//") || rest.starts_with("/*")) {
        return Some("start a comment with `#`".to_owned());
    }
    if before.contains('=') && rest.trim_end() == ";" {
        return Some("remove the `;`: a line of TOML needs no character at its end".to_owned());
    }
    if before.trim_end().ends_with(['"', '\'']) && rest.starts_with('+') {
        return Some("write one string: TOML has no operators".to_owned());
    }
    if before.contains('=') && !before.contains(['{', '[']) && rest.starts_with([',', ';']) {
        return Some("remove it: write each key of a table on a separate line".to_owned());
    }
    None
}

/// Returns the letters that other languages permit before the quote of a string.
fn string_prefix(rest: &str) -> Option<&str> {
    let end = rest.find(|c: char| !c.is_ascii_alphabetic())?;
    let is_prefix = (1..=2).contains(&end) && rest[end..].starts_with(['"', '\'']);
    is_prefix.then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_other_letters_is_quoted_wherever_it_is() {
        for (text, key) in [
            ("försäkring = 1", "försäkring"),
            ("set = { variables = { försäkring = 1 } }", "försäkring"),
            ("set = { plan = 1, åsa = 2 }", "åsa"),
            ("[cast.åsa]", "åsa"),
            ("[[ö]]", "ö"),
            ("a/b = 1", "a/b"),
        ] {
            let at = text.find(|c: char| !c.is_ascii() || c == '/').unwrap();
            let help = help_at(text, at, false);
            assert_eq!(help, Some(format!("put the key in quotes: `\"{key}\"`")), "{text}");
        }
        assert_eq!(help_at("tags = [ö]", 8, false), None);
        assert_eq!(help_at("x = ö", 4, false), None);
    }

    #[test]
    fn other_formats_are_recognized_and_toml_is_not() {
        for (text, format) in [
            ("{\"name\": 1}", "JSON"),
            ("\n[1, {\"a\": 2}]\n", "JSON"),
            ("---\nname: x\n", "YAML"),
            ("# a\nname: x\nsteps:\n  - open: {}\n", "YAML"),
            ("steps:\n  - open\n", "YAML"),
        ] {
            let problem = other_format(&Source::new("a", text)).unwrap();
            assert!(problem.message.ends_with(format), "{text}");
        }
        for text in ["", "[a]\n", "[[step]]\n", "name: \"x\"\n[[step]]\nopen = {}\n", "a = 'b: c'"]
        {
            assert_eq!(other_format(&Source::new("a", text)), None, "{text}");
        }
    }
}
