//! Words that names, documentation and messages avoid, each with its replacement.

use std::fs;

use super::tokens::{TokenKind, tokens};
use super::{SourceFile, assert_empty, sources};
use crate::support::{entries, path};

/// Phrases to avoid, and the usual term to use instead.
const AVOID: &[(&str, &str)] = &[
    ("told", "reported, printed"),
    ("wanted", "requested, expected"),
    ("misfit", "type mismatch"),
    ("anew", "again"),
    ("whence", "where … comes from"),
    ("thereby", "split the sentence"),
    ("whoever", "the person or program that is meant"),
    ("in silence", "silently"),
    ("is none", "is not valid, does not exist"),
    ("nothing but", "only"),
    ("go on with", "resume, continue"),
    ("goes on with", "resumes, continues"),
    ("gone on with", "resumed, continued"),
    ("lead nowhere", "do not work, are not served"),
    ("leads nowhere", "does not work, is not served"),
    ("leave out", "skip, omit"),
    ("leaves out", "skips, omits"),
    ("left out", "skipped, omitted, missing"),
    ("drawn from", "generated from, chosen from"),
    ("of its own", "separate, its own …"),
    ("of ours", "our …, standin's …"),
    ("of theirs", "their …"),
    ("tell it", "report it"),
    ("tells it", "reports it"),
    ("tell the", "report the"),
    ("tells the", "reports the"),
    ("tell what", "report what"),
    ("tells what", "reports what"),
];

/// Phrases that stay, because they are content or a fixed value: file, phrase, reason.
const ALLOWED: &[(&str, &str, &str)] = &[];

/// Splits text into lower-case words with their lines, counted from `line`.
fn words(text: &str, line: usize) -> Vec<(String, usize)> {
    let mut words = Vec::new();
    for (line, text) in (line..).zip(text.lines()) {
        let split = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
        let split = split.filter(|word| !word.is_empty());
        words.extend(split.map(|word| (word.to_lowercase(), line)));
    }
    words
}

/// The avoided phrases in a text, as `line: phrase (instead: …)`.
fn avoided(file: &str, text: &str, line: usize) -> Vec<String> {
    let words = words(text, line);
    let mut found = Vec::new();
    for (phrase, instead) in AVOID {
        let parts: Vec<&str> = phrase.split(' ').collect();
        let allowed = ALLOWED.iter().any(|(allowed, word, _)| *allowed == file && word == phrase);
        let hits = words
            .windows(parts.len())
            .filter(|window| window.iter().zip(&parts).all(|((word, _), part)| word == part));
        let hits = hits.filter(|_| !allowed);
        found.extend(hits.map(|hit| format!("{file}:{}: {phrase}: use {instead}", hit[0].1)));
    }
    found
}

/// Replaces what stands between backticks: names, commands and old terms are quoted there.
fn without_code(text: &str) -> String {
    let mut quoted = false;
    let keep = |c: char| {
        quoted ^= c == '`';
        if quoted && c != '\n' { '.' } else { c }
    };
    // An odd backtick would hide the rest of the text.
    if text.matches('`').count() % 2 == 1 {
        text.to_owned()
    } else {
        text.chars().map(keep).collect()
    }
}

/// `told_until` and `ToldUntil` as `told until`.
fn name_as_words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            words.push(' ');
        }
        words.push(if c == '_' { ' ' } else { c });
    }
    words
}

/// The avoided phrases in comments, string literals and names of a source file.
fn in_source(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens(source) {
        let text = match token.kind {
            TokenKind::Sign => continue,
            // `Option::is_none` is the standard library's name.
            TokenKind::Word if token.text.starts_with("is_none") => continue,
            TokenKind::Word => name_as_words(&token.text),
            TokenKind::Comment => without_code(&token.text),
            // A `\n` in a literal ends a word, and a line continuation does not end a phrase.
            TokenKind::Text => {
                // serde takes the name of the standard library as a text.
                without_code(&token.text.replace("\\n", " ").replace("Option::is_none", ""))
            }
        };
        found.extend(avoided(file, &text, token.line));
    }
    found
}

/// The avoided phrases in a Markdown document. In code blocks, only comments are prose.
fn in_document(file: &str, document: &str) -> Vec<String> {
    let (mut fenced, mut indented, mut after_blank) = (false, false, true);
    let mut prose = String::new();
    for line in document.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        // Directly after text, an indented line continues a list item.
        indented = line.starts_with("    ") && (indented || after_blank);
        after_blank = line.trim().is_empty();
        if fenced || indented {
            prose += line.split_once("# ").map_or("", |(_, comment)| comment);
        } else if !fence {
            prose += line;
        }
        prose += "\n";
    }
    avoided(file, &without_code(&prose), 1)
}

#[test]
fn source_files_use_standard_words() {
    let found = |file: &SourceFile| in_source(&file.name, &file.code);
    assert_empty(&sources().iter().flat_map(found).collect::<Vec<_>>());
}

#[test]
fn documents_use_standard_words() {
    let mut documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .map(str::to_owned)
        .to_vec();
    for file in entries("docs") {
        if file.extension().is_some_and(|extension| extension == "md") {
            documents.push(format!("docs/{}", file.file_name().unwrap().display()));
        }
    }
    documents.sort();
    let found = |file: &String| in_document(file, &fs::read_to_string(path(file)).unwrap());
    assert_empty(&documents.iter().flat_map(found).collect::<Vec<_>>());
}

#[test]
fn avoided_words_are_found_in_comments_strings_and_names() {
    let found = |source: &str| in_source("a.rs", source);
    let told = "a.rs:1: told: use reported, printed";
    assert_eq!(found("/// Every request is told."), [told]);
    assert_eq!(found("let told_until = 1;"), [told]);
    assert_eq!(found("struct ActTold;"), [told]);
    assert_eq!(found("bail!(\"was Told, twice\")"), [told]);
    assert_eq!(found("// a vendor is left\n// out here").len(), 1, "across the lines of a comment");
    assert_eq!(found("x(\"the key was \\\n   left out\")").len(), 1, "across a continuation");
    let legitimate = "// `told` is now `summary`; untold\nlet untold = \"unwanted\"; // left outer";
    assert_eq!(found(legitimate), [""; 0]);
}

#[test]
fn avoided_words_are_found_in_documents() {
    let found = |document: &str| in_document("a.md", document);
    assert_eq!(found("# A\n\nIt was told.\n"), ["a.md:3: told: use reported, printed"]);
    assert_eq!(found("A step is left\nout.\n").len(), 1);
    assert_eq!(found("```toml\ntext = \"I was told\"\n```\n"), [""; 0]);
    assert_eq!(found("```toml\na = 1 # left out\n```\n").len(), 1);
    assert_eq!(found("- `told` is `summary`\n"), [""; 0]);
    assert_eq!(found("Code:\n\n    told\n    wanted\n"), [""; 0]);
    assert_eq!(found("1. An item that\n    was told.\n").len(), 1, "in a list");
}
