//! Text for the terminal: escaping of untrusted text, shell quoting, counts, lists, suggestions.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

/// Escapes control characters, bidirectional marks and zero-width characters. Untrusted text can
/// then not start a line, move the cursor, reorder its surroundings or imitate another text.
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

/// Shortens a text to a maximum number of characters and escapes it. `…` marks a shortened text.
pub fn excerpt(text: &str, characters: usize) -> String {
    escape(&shorten(text, characters))
}

/// Shortens a text to a maximum number of characters. `…` marks a shortened text.
pub fn shorten(text: &str, characters: usize) -> String {
    let mut kept: String = text.chars().take(characters).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// Returns the text of a web page without its markup, in one line. Another text stays as it is.
///
/// For display only: this is no HTML parser.
pub fn without_markup(text: &str) -> Cow<'_, str> {
    let start = text.trim_start();
    let is_page = ["<!doctype", "<html", "<head", "<body"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)));
    if !is_page {
        return text.into();
    }
    let mut plain = String::new();
    for part in start.split('<').skip(1) {
        let (tag, content) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split(|c: char| c.is_whitespace()).next().unwrap_or_default();
        let is_hidden = "style script".split(' ').any(|tag| name.eq_ignore_ascii_case(tag));
        if !is_hidden {
            plain += content;
            plain.push(' ');
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ").into()
}

/// Replaces anything that may be a password in a URL by stars: in each word with a colon before an
/// `@`, the part between the scheme and the `@`. Byte offsets stay the same.
pub fn mask(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    // Not a URL parser: the text may be any line of a file, or a URL that is not valid.
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

/// Describes the valid names of scenarios, participants and the like, for messages.
pub const NAME_RULE: &str = "1 to 64 lowercase letters, digits, `_` and `-`";

/// Returns the text in the notation of names: its words in lower case, with `_` between them.
pub fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// Returns true if a text is a valid name; see [`NAME_RULE`].
pub fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

/// Quotes a text for a POSIX shell.
pub fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Formats a text as one word of a POSIX shell, quoted only if necessary.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:/@+=,%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { shell_quote(text) }
}

/// Formats a number with its noun: `1 delivery`, `2 deliveries`.
pub fn count(number: impl TryInto<u64> + Copy + Display, singular: &str, plural: &str) -> String {
    let is_one = matches!(number.try_into(), Ok(1));
    format!("{number} {}", if is_one { singular } else { plural })
}

/// Formats alternatives, each in backticks: `a`, `a or b`, `a, b or c`.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "nothing".into(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// Returns the candidate most similar to a mistyped name, if one is similar enough. A name that
/// differs only in case counts as equal.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One typo in three characters. With more, suggestions for short names become arbitrary.
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let is_same = name.eq_ignore_ascii_case(candidate);
            (if is_same { 0 } else { strsim::damerau_levenshtein(name, candidate) }, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns the candidates that a mistyped or abbreviated name can mean, in alphabetical order.
pub fn similar<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let nearest = nearest(name, candidates.iter().copied());
    let is_typo = |other: &&str| {
        name.eq_ignore_ascii_case(other) || strsim::damerau_levenshtein(name, other) <= 2
    };
    let containing = containing(name, &candidates);
    match nearest {
        // A long name may be nearer to an unrelated one than to the one of which it is a part.
        Some(nearest) if containing.is_empty() || is_typo(&nearest) => vec![nearest],
        _ => containing,
    }
}

/// Returns the candidates that contain a name, ignoring case. Those that end with it after a dot
/// exclude the others.
fn containing<'a>(name: &str, candidates: &[&'a str]) -> Vec<&'a str> {
    // Shorter parts occur in unrelated names.
    if name.chars().count() < 3 {
        return Vec::new();
    }
    let name = name.to_lowercase();
    let names_that = |fits: &dyn Fn(String) -> bool| {
        let names = candidates.iter().copied().filter(|other| fits(other.to_lowercase()));
        names.collect::<BTreeSet<&str>>().into_iter().collect::<Vec<&str>>()
    };
    let whole = names_that(&|other| other.strip_suffix(&name).is_some_and(|r| r.ends_with('.')));
    if whole.is_empty() { names_that(&|other| other.contains(&name)) } else { whole }
}

/// Returns true for control characters, bidirectional marks and zero-width characters. The joiners
/// U+200C and U+200D are not included: several scripts and emoji need them.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        // Line and paragraph separators, and marks of direction
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        // Bidirectional embeddings, overrides and isolates
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character)
        // Soft hyphen, zero-width characters and invisible operators
        || matches!(character, '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{feff}')
        || ('\u{2060}'..='\u{2064}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_page_loses_its_markup_and_another_text_stays() {
        let page = "<!DOCTYPE html><html><head><style>p {}</style><title>500</title></head>\n\
                    <body><h1>Oops</h1>\n<p>no such\ttable</body></html>";
        assert_eq!(without_markup(page), "500 Oops no such table");
        for text in ["{\"a\": \"<html>\"}", "<b>5</b> < 6", "", "<", "<ht"] {
            assert_eq!(without_markup(text), text);
        }
    }

    #[test]
    fn untrusted_text_is_escaped() {
        assert_eq!(escape("a\r\n::error\u{1b}[31m\u{202e}"), "a\\r\\n::error\\u{1b}[31m\\u{202e}");
        assert_eq!(escape("te\u{200b}xt\u{feff}"), "te\\u{200b}xt\\u{feff}");
        assert_eq!(escape("👩\u{200d}🚀"), "👩\u{200d}🚀");
        assert_eq!(excerpt("å\n23456", 3), "å\\n2…");
        assert_eq!(excerpt("ab", 2), "ab");
    }

    #[test]
    fn passwords_in_urls_are_masked() {
        let url = "url = \"http://user:pa/ss@host:1/\" # ok";
        assert_eq!(mask(url), "url = \"http://**********@host:1/\" # ok");
        assert_eq!(mask("user:pw@host"), "*******@host");
        for plain in ["http://host:1/a b@c", "ada@example.test", "http://[::1]/", "é: @"] {
            assert_eq!(mask(plain), plain);
        }
    }

    #[test]
    fn shell_words_are_quoted_only_if_necessary() {
        let word = |text: &str| shell_word(text);
        assert_eq!(word("http://a:1/x?y=1&z"), "'http://a:1/x?y=1&z'");
        assert_eq!([word("a-b@2"), word(""), word("it's a")], ["a-b@2", "''", r"'it'\''s a'"]);
    }

    #[test]
    fn nearest_ignores_case_and_rejects_distant_names() {
        assert_eq!(nearest("mesage", ["message", "note"]), Some("message"));
        assert_eq!(nearest("xyz", ["message", "note"]), None);
        assert_eq!(nearest("NOTE", ["message", "note"]), Some("note"));
        let types = ["chat.message", "chat.user.message", "chat.close", "x.RichText", "x.Text"];
        assert_eq!(similar("user.message", types), ["chat.user.message"]);
        assert_eq!(similar("close", types), ["chat.close"]);
        assert_eq!(similar("text", types), ["x.Text"]);
        assert_eq!(similar("chat.mesage", types), ["chat.message"]);
        assert_eq!(similar("ch", types), [""; 0]);
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
