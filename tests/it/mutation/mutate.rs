//! Random changes of texts.

use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;

/// Pieces that mean something in TOML, JSON, templates, URLs or arguments.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "{",
    "}",
    "[",
    "]",
    "[[",
    "]]",
    "=",
    ",",
    ".",
    ":",
    "\n",
    "\r",
    " ",
    "\t",
    "#",
    "$",
    "${",
    "$${",
    "|",
    "\\",
    "\\u",
    "\\ud800",
    "\0",
    "\u{1b}",
    "\u{202e}",
    "é",
    "🙂",
    "-",
    "--",
    "0",
    "1e999",
    "99999999999999999999",
    "-9223372036854775808",
    "true",
    "null",
    "nan",
    "env:",
    "file:",
    "*",
    "/",
    "@",
    "%00",
    "step",
    "$if",
    "$each",
    "$include",
];

/// Changes a text in one to eight places. `other` is a text of the same kind to take parts from.
pub(super) fn mutate(text: &str, other: &str, rng: &mut ChaCha8Rng) -> String {
    let mut text = text.to_owned();
    for _ in 0..rng.random_range(1..=8) {
        change(&mut text, other, rng);
    }
    text
}

fn change(text: &mut String, other: &str, rng: &mut ChaCha8Rng) {
    let (from, to) = range(text, rng);
    match rng.random_range(0..8) {
        0 => text.replace_range(from..to, ""),
        1 | 2 => text.insert_str(from, PIECES[rng.random_range(0..PIECES.len())]),
        3 => text.replace_range(from..to, PIECES[rng.random_range(0..PIECES.len())]),
        4 => {
            let copy = text[from..to].to_owned();
            text.insert_str(place(text, rng), &copy);
        }
        5 => {
            let (begin, end) = range(other, rng);
            text.replace_range(from..to, &other[begin..end]);
        }
        6 => {
            let piece = PIECES[rng.random_range(0..PIECES.len())];
            text.insert_str(from, &piece.repeat(rng.random_range(2..200)));
        }
        // The end of the line, so that brackets and quotes stay open.
        _ => {
            let end = text[from..].find('\n').map_or(text.len(), |at| from + at);
            text.replace_range(from..end, "");
        }
    }
}

/// A range of at most sixty characters.
fn range(text: &str, rng: &mut ChaCha8Rng) -> (usize, usize) {
    let from = place(text, rng);
    let length = rng.random_range(0..60);
    let end = text[from..].char_indices().nth(length).map_or(text.len(), |(at, _)| from + at);
    (from, end)
}

fn place(text: &str, rng: &mut ChaCha8Rng) -> usize {
    let at = rng.random_range(0..=text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}
