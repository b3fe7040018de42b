//! Text for people: what others wrote is escaped before it reaches a terminal, and counts read well.

use std::fmt::{Display, Write as _};

/// Escapes control characters, direction marks and what has no width, so that the text can neither
/// begin a line, move a cursor, reorder what stands beside it nor look like another.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            _ if is_hidden(character) => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Escapes a text and shortens it to so many characters.
pub fn excerpt(text: &str, characters: usize) -> String {
    let mut kept: String = text.chars().take(characters).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    escape(&kept)
}

/// Hides whatever may be a password in an address, and keeps every byte in its place: of each word
/// with a colon before an `@`, what stands before the `@` and behind the scheme.
pub fn mask(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    let mut masked = String::with_capacity(text.len());
    for word in text.split_inclusive(is_end) {
        let at = word.rfind('@').filter(|at| word[..*at].contains(':'));
        let from = word.find("://").map_or(0, |scheme| scheme + "://".len());
        match at.filter(|at| from < *at) {
            Some(at) => {
                masked += &word[..from];
                masked.extend(std::iter::repeat_n('*', at - from));
                masked += &word[at..];
            }
            None => masked += word,
        }
    }
    masked
}

/// What a name that others refer to by may be.
pub const A_NAME: &str = "up to 64 lower-case letters, digits, `_` and `-`";

/// Whether a text is [`A_NAME`].
pub fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

/// A text in a shell's quotes.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A text as one word of a shell: in quotes where it needs them.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:/@+=,%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

/// `1 delivery`, `2 deliveries`.
pub fn count(number: impl TryInto<u64> + Copy + Display, one: &str, many: &str) -> String {
    let is_one = matches!(number.try_into(), Ok(1));
    format!("{number} {}", if is_one { one } else { many })
}

/// `a`, `a or b`, `a, b or c`, each in backticks.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "nothing".into(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// The known name that a mistyped one most likely means; its case says nothing.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| {
            let is_same = wrong.eq_ignore_ascii_case(name);
            (if is_same { 0 } else { strsim::damerau_levenshtein(wrong, name) }, name)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Whether a character acts on what is around it, or cannot be seen. What joins letters and pictures
/// (U+200C and U+200D) is part of how people write.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character)
        || matches!(character, '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{feff}')
        || ('\u{2060}'..='\u{2064}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_stays_on_its_line() {
        assert_eq!(escape("a\r\n::error\u{1b}[31m\u{202e}"), "a\\r\\n::error\\u{1b}[31m\\u{202e}");
        assert_eq!(escape("te\u{200b}xt\u{feff}"), "te\\u{200b}xt\\u{feff}");
        assert_eq!(escape("👩\u{200d}🚀"), "👩\u{200d}🚀");
        assert_eq!(excerpt("å\n23456", 3), "å\\n2…");
        assert_eq!(excerpt("ab", 2), "ab");
    }

    #[test]
    fn passwords_in_addresses_are_hidden() {
        let url = "url = \"http://user:pa/ss@host:1/\" # ok";
        assert_eq!(mask(url), "url = \"http://**********@host:1/\" # ok");
        assert_eq!(mask("user:pw@host"), "*******@host");
        for plain in ["http://host:1/a b@c", "ada@example.test", "http://[::1]/", "é: @"] {
            assert_eq!(mask(plain), plain);
        }
    }

    #[test]
    fn a_word_of_a_shell_is_one_word() {
        let word = |text: &str| shell_word(text);
        assert_eq!(word("http://a:1/x?y=1&z"), "'http://a:1/x?y=1&z'");
        assert_eq!([word("a-b@2"), word(""), word("it's a")], ["a-b@2", "''", r"'it'\''s a'"]);
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("mesage", ["message", "note"]), Some("message"));
        assert_eq!(nearest("xyz", ["message", "note"]), None);
        assert_eq!(nearest("NOTE", ["message", "note"]), Some("note"));
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
