//! What of a configuration's text is never shown: credentials and the values of headers.
//!
//! It is found by looking at characters, since a file that cannot be parsed is shown too. Rather too
//! much is hidden than too little.

use std::ops::Range;

use crate::base::text::nearest;

/// Keys whose values are nobody's business, and those that are mistyped for them.
const PRIVATE: &[&str] = &["secret", "headers"];

/// The stretches of the text that are never shown, in order.
pub(super) fn hidden(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut in_section = false;
    let mut at = 0;
    while at < text.len() {
        let line = text[at..].split_inclusive('\n').next().unwrap_or_default();
        if begins_section(line) {
            in_section = is_private(line);
        } else if in_section || names_private_key(line) {
            let mut statement = TomlStatement { text, at, lists: Vec::new(), value: false };
            statement.hide(&mut hidden);
            at = statement.at;
            continue;
        }
        at += line.len();
    }
    hidden
}

fn is_private(name: &str) -> bool {
    let parts = name.split(['.', '[', ']', '"', '\'', ' ']);
    parts.into_iter().any(|part| nearest(part, PRIVATE.iter().copied()).is_some())
}

/// Whether there is such a key in front of one of the line's equals signs.
fn names_private_key(line: &str) -> bool {
    line.match_indices('=').any(|(at, _)| {
        let key = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let is_inside = |c: char| c.is_alphanumeric() || "_-.".contains(c);
        is_private(key.rsplit(|c| !is_inside(c)).next().unwrap_or_default())
    })
}

fn begins_section(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// A key with its value, over several lines where brackets are open.
struct TomlStatement<'a> {
    text: &'a str,
    at: usize,
    /// The open brackets: whether each holds a list.
    lists: Vec<bool>,
    /// Whether what comes next is a value rather than a key.
    value: bool,
}

impl TomlStatement<'_> {
    /// Hides every value in it, but for references.
    fn hide(&mut self, hidden: &mut Vec<Range<usize>>) {
        while let Some(next) = self.text[self.at..].chars().next() {
            let token = self.token(next);
            let text = &self.text[token.clone()];
            let is_reference = text.starts_with("env:") || text.starts_with("file:");
            let is_hidden = next == '#' || (self.value && !"={}[],".contains(next));
            if is_hidden && !is_reference && !text.trim().is_empty() {
                hidden.push(token);
            }
            match next {
                '\n' if self.lists.is_empty() || begins_section(&self.text[self.at..]) => return,
                '=' => self.value = true,
                '{' | '[' => {
                    self.lists.push(next == '[');
                    self.value = next == '[';
                }
                '}' | ']' => {
                    self.lists.pop();
                    self.value = true;
                }
                ',' => self.value = self.lists.last().is_some_and(|is_list| *is_list),
                _ => {}
            }
        }
    }

    /// Goes past the next token. Gives what it holds, without quotes.
    fn token(&mut self, first: char) -> Range<usize> {
        let rest = &self.text[self.at..];
        let from = self.at;
        let until = |end: &dyn Fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
        let (inside, length) = match first {
            '#' => (0..until(&|c| c == '\n'), until(&|c| c == '\n')),
            '"' | '\'' => quoted(rest, first),
            c if c.is_whitespace() || "={}[],".contains(c) => (0..0, c.len_utf8()),
            _ if self.value => {
                let end = until(&|c| c.is_whitespace() || ",}]\"'".contains(c));
                (0..end, end)
            }
            _ => {
                let end = until(&|c| c.is_whitespace() || "={}[],\"'".contains(c));
                (0..end, end)
            }
        };
        self.at = from + length;
        from + inside.start..from + inside.end
    }
}

/// What stands between quotes, and how long it is with them. A text that does not end goes on to the
/// end of its line, or of the file where it began with three quotes.
fn quoted(rest: &str, quote: char) -> (Range<usize>, usize) {
    let triple = quote.to_string().repeat(3);
    let is_triple = rest.starts_with(&triple);
    let open = if is_triple { 3 } else { 1 };
    let mut escaped = false;
    for (at, c) in rest[open..].char_indices() {
        let at = open + at;
        let ends = if is_triple { rest[at..].starts_with(&triple) } else { c == quote };
        match c {
            '\n' if !is_triple => return (open..at, at),
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if ends => return (open..at, at + open),
            _ => {}
        }
    }
    (open..rest.len(), rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;

    fn check(text: &str, shown: &str) {
        let source = Source::new("c.toml", text).hiding(hidden(text));
        assert_eq!(source.shown(0..text.len()), shown);
    }

    #[test]
    fn values_of_credentials_and_headers_are_hidden() {
        check(
            "secret = { token = \"abc\", t = 'env:X' }\n",
            "secret = { token = \"***\", t = 'env:X' }\n",
        );
        check("secret.token = abc==\nseed = 5\n", "secret.token = *****\nseed = 5\n");
        check("secret.token = \"a b\nseed = 5\n", "secret.token = \"***\nseed = 5\n");
        check(
            "[v.x.secret] # hm\na = \"q\\\"r\"\n[v.y]\nb = \"c\"\n",
            "[v.x.secret] # hm\na = \"****\"\n[v.y]\nb = \"c\"\n",
        );
        check(
            "headers = {\n  \"X-A\" = \"abc\",\n}\nseed = 5\n",
            "headers = {\n  \"X-A\" = \"***\",\n}\nseed = 5\n",
        );
        check("secret.a = '''x\ny''' # old: z\n", "secret.a = '''***''' ********\n");
        check("option = { token_in = \"header\" }\n", "option = { token_in = \"header\" }\n");
        check("\"header\" = { a = \"b\" }\n", "\"header\" = { a = \"*\" }\n");
        check("secret = { a = \"b\"\n[v]\nc = 1\n", "secret = { a = \"*\"\n[v]\nc = 1\n");
    }
}
