//! A small lexer for Rust: identifiers, signs, string literals and comments, with their lines.
//!
//! The checks need comments and macro bodies, which a parser of items does not keep.

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// An identifier, a keyword or a number.
    Word,
    /// A single character of punctuation; `::` is one token.
    Sign,
    /// The content of a string literal.
    Text,
    /// The text of a comment; adjacent line comments are one token.
    Comment,
}

/// A token of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) text: String,
    /// Line of its first character, counted from 1.
    pub(super) line: usize,
}

impl Token {
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == TokenKind::Sign && self.text == sign
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text == word
    }
}

/// Splits Rust source into tokens.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, line: 1, tokens: Vec::new() };
    while lexer.step() {}
    lexer.tokens
}

/// The tokens that the compiler sees: everything except comments.
pub(super) fn code(source: &str) -> Vec<Token> {
    tokens(source).into_iter().filter(|token| token.kind != TokenKind::Comment).collect()
}

/// Index of the bracket that closes the one at `open`, or the last index.
pub(super) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.kind == TokenKind::Sign {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return index;
            }
        }
    }
    tokens.len() - 1
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Reads one token or skips one whitespace character. Returns whether any input was left.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.comment();
        } else if let Some(hashes) = raw_string(self.rest) {
            self.raw_string(hashes);
        } else if first == '"' || self.rest.starts_with("b\"") || self.rest.starts_with("c\"") {
            self.string();
        } else if first == '\'' {
            self.quote();
        } else if first.is_alphanumeric() || first == '_' {
            let is_end = |c: char| !c.is_alphanumeric() && c != '_';
            let end = self.rest.find(is_end).unwrap_or(self.rest.len());
            self.push(TokenKind::Word, 0, end, end);
        } else if self.rest.starts_with("::") {
            self.push(TokenKind::Sign, 0, 2, 2);
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            let length = first.len_utf8();
            self.push(TokenKind::Sign, 0, length, length);
        }
        true
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }

    /// Adds the text between two offsets as a token and skips `length` bytes.
    fn push(&mut self, kind: TokenKind, start: usize, end: usize, length: usize) {
        let text = self.rest[start..end].to_owned();
        self.tokens.push(Token { kind, text, line: self.line });
        self.skip(length);
    }

    fn comment(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let text = self.rest[..end].trim_start_matches(['/', '!']).to_owned();
        let line = self.line;
        self.skip(end);
        // A phrase may continue on the next line, so that lines of one comment are checked together.
        if let Some(last) = self.tokens.last_mut() {
            let next = last.line + last.text.matches('\n').count() + 1;
            if last.kind == TokenKind::Comment && next == line {
                last.text += &format!("\n{text}");
                return;
            }
        }
        self.tokens.push(Token { kind: TokenKind::Comment, text, line });
    }

    fn raw_string(&mut self, hashes: usize) {
        let start = self.rest.find('"').map_or(0, |quote| quote + 1);
        let close = format!("\"{}", "#".repeat(hashes));
        let end = self.rest[start..].find(&close).map_or(self.rest.len(), |end| start + end);
        self.push(TokenKind::Text, start, end, (end + close.len()).min(self.rest.len()));
    }

    fn string(&mut self) {
        let start = self.rest.find('"').map_or(0, |quote| quote + 1);
        let mut escaped = false;
        let end = self.rest[start..].find(|c: char| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        let end = end.map_or(self.rest.len(), |end| start + end);
        self.push(TokenKind::Text, start, end, (end + 1).min(self.rest.len()));
    }

    /// Skips a character literal, or the quote of a lifetime.
    fn quote(&mut self) {
        let mut chars = self.rest.char_indices().skip(1);
        let length = match chars.next() {
            // The character after the backslash may be a quote.
            Some((_, '\\')) => self.rest[3..].find('\'').map_or(1, |end| 3 + end + 1),
            Some(_) => match chars.next() {
                Some((end, '\'')) => end + 1,
                _ => 1,
            },
            None => 1,
        };
        self.skip(length);
    }
}

/// Number of `#` signs of a raw string literal that starts here.
fn raw_string(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let quote = rest.find(|c| c != '#')?;
    rest[quote..].starts_with('"').then_some(quote)
}

#[test]
fn comments_strings_and_code_are_distinguished() {
    let source = "// one\n// two\nlet a = \"x // \\\" y\"; /// doc\nfn b<'a>(c: &'a str) -> char { '\"' }\nr#\"raw \"quoted\" \"#";
    let of = |kind: TokenKind| -> Vec<(String, usize)> {
        let found = tokens(source).into_iter().filter(|token| token.kind == kind);
        found.map(|token| (token.text, token.line)).collect()
    };
    assert_eq!(of(TokenKind::Comment), [(" one\n two".into(), 1), (" doc".into(), 3)]);
    assert_eq!(of(TokenKind::Text), [("x // \\\" y".into(), 3), ("raw \"quoted\" ".into(), 5)]);
    let words: Vec<String> = of(TokenKind::Word).into_iter().map(|(word, _)| word).collect();
    assert_eq!(words, ["let", "a", "fn", "b", "a", "c", "a", "str", "char"]);
}
