//! Subscriptions: patterns that select a vendor's event types.

use crate::diag::{Problem, Problems, Spanned, code};

/// An ordered list of patterns. The last one that matches an event type decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription(Vec<Pattern>);

/// A pattern. `*` matches any characters; the prefix `!` excludes what matches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    excludes: bool,
    text: String,
}

impl Subscription {
    /// Parses patterns of a file. Reports each that matches none of the event types.
    pub fn check(
        patterns: &[Spanned<String>],
        event_types: &[&str],
        problems: &mut Problems,
    ) -> Self {
        let parse = |pattern: &Spanned<String>| {
            let parsed = Pattern::check(pattern, event_types).map_err(Problems::from);
            problems.note(parsed.map_err(|problem| problem.with_default_span(&pattern.span)))
        };
        Self(patterns.iter().filter_map(parse).collect())
    }

    /// Parses patterns that have no location in a file, such as those of the command line.
    pub fn check_plain(patterns: &[String], event_types: &[&str]) -> Result<Self, Problem> {
        let parsed = patterns.iter().map(|pattern| Pattern::check(pattern, event_types));
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Creates a subscription from patterns that a program gives. One that matches no event type has
    /// no effect.
    pub fn of(patterns: &[String]) -> Self {
        let pattern = |text: &String| {
            let bare = text.strip_prefix('!');
            Pattern { excludes: bare.is_some(), text: bare.unwrap_or(text).to_owned() }
        };
        Self(patterns.iter().map(pattern).collect())
    }

    /// Returns the patterns, from which [`Subscription::of`] creates the same subscription.
    pub fn patterns(&self) -> Vec<String> {
        let sign = |pattern: &Pattern| if pattern.excludes { "!" } else { "" };
        self.0.iter().map(|pattern| format!("{}{}", sign(pattern), pattern.text)).collect()
    }

    /// Returns a subscription to exactly one event type.
    pub fn to(event_type: &str) -> Self {
        Self(vec![Pattern { excludes: false, text: event_type.to_owned() }])
    }

    /// Resolves these patterns against a default. If the first pattern excludes types, the list is
    /// appended to the default; if not, it replaces the default.
    #[must_use]
    pub(super) fn over(self, default: &Self) -> Self {
        // Taken literally, a list such as `["!a"]` would select nothing.
        if self.0.first().is_some_and(|first| first.excludes) {
            return Self(default.0.iter().cloned().chain(self.0).collect());
        }
        self
    }

    /// Returns true if the subscription includes a type with these names.
    pub(super) fn covers<'a>(&self, names: &(impl Iterator<Item = &'a str> + Clone)) -> bool {
        let matches = |pattern: &&Pattern| names.clone().any(|name| pattern.matches(name));
        self.0.iter().rfind(matches).is_some_and(|pattern| !pattern.excludes)
    }
}

impl Pattern {
    fn check(text: &str, event_types: &[&str]) -> Result<Self, Problem> {
        // No event type contains spaces. In `a, !b` they only separate the patterns.
        let text = text.trim();
        let bare = text.strip_prefix('!');
        let pattern =
            Self { excludes: bare.is_some(), text: bare.unwrap_or(text).trim().to_owned() };
        if pattern.text.is_empty() {
            return Err(pattern.empty());
        }
        // A pattern without a match is most likely misspelled.
        if event_types.iter().any(|event_type| pattern.matches(event_type)) {
            return Ok(pattern);
        }
        let message = format!("`{}` matches none of the vendor's event types", pattern.text);
        let problem = Problem::anywhere(code::NOTHING_SUBSCRIBED, message);
        let is_matched = |text: &str| {
            let part = Self { excludes: false, text: text.trim_start_matches('!').to_owned() };
            event_types.iter().any(|event_type| part.matches(event_type))
        };
        let is_separator = |c: char| c.is_whitespace() || ";|+&".contains(c);
        let mut parts = pattern.text.split(is_separator).filter(|part| !part.is_empty());
        if pattern.text.contains(is_separator) && parts.all(is_matched) {
            return Err(problem.help("separate event types with commas"));
        }
        let excluded = ["-", "^", "!", "not "].iter().find_map(|sign| text.strip_prefix(sign));
        if let Some(excluded) = excluded.map(|rest| rest.trim_start_matches('!').trim())
            && is_matched(excluded)
        {
            return Err(problem.help(format!("exclude an event type with one `!`: `!{excluded}`")));
        }
        // The suggestion is a whole pattern: without the `!`, it would select what was excluded.
        let sign = if pattern.excludes { "!" } else { "" };
        let valid: Vec<String> = event_types.iter().map(|name| format!("{sign}{name}")).collect();
        let intended = format!("{sign}{}", pattern.text);
        Err(problem.suggest_or_list(&intended, valid.iter().map(String::as_str)))
    }

    /// Returns the problem with a pattern without text, such as the one after the last comma.
    fn empty(&self) -> Problem {
        let (message, help) = if self.excludes {
            ("`!` excludes no event type", "write the event type after it, as in `!*.update`")
        } else {
            ("a pattern is empty", "remove the comma, or write an event type; `*` selects all")
        };
        Problem::anywhere(code::NOTHING_SUBSCRIBED, message).help(help)
    }

    fn matches(&self, event_type: &str) -> bool {
        let mut parts = self.text.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = event_type.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        // Without `*`, the pattern is a plain name.
        let Some(last) = parts.pop() else { return rest.is_empty() };
        // The first match of each part is enough: a later one would leave less text for the rest.
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(patterns: &[&str], event_type: &str) -> bool {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        Subscription::check_plain(&patterns, &["chat.create", "chat.message", "chat.user.message"])
            .unwrap()
            .covers(&[event_type].into_iter())
    }

    #[test]
    fn last_matching_pattern_decides() {
        assert!(covers(&["chat.*"], "chat.create"));
        assert!(!covers(&["chat.*", "!chat.message"], "chat.message"));
        assert!(covers(&["chat.*", "!chat.*", "chat.create"], "chat.create"));
        assert!(covers(&["*.message"], "chat.user.message"));
        assert!(!covers(&["chat.*.message"], "chat.message"));
        assert!(covers(&["*"], "chat.message"));
        assert!(!covers(&["chat.message"], "chat.user.message"));
    }

    #[test]
    fn patterns_that_start_with_an_exclusion_extend_the_default() {
        let parse = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            Subscription::check_plain(&patterns, &["a", "b"]).unwrap()
        };
        let sent =
            |patterns: &Subscription| ["a", "b"].map(|name| patterns.covers(&[name].into_iter()));
        assert_eq!(sent(&parse(&["!b"]).over(&parse(&["*"]))), [true, false]);
        assert_eq!(sent(&parse(&["b"]).over(&parse(&["*"]))), [false, true]);
    }

    #[test]
    fn empty_pattern_is_named() {
        let problem = |text: &str| {
            let patterns = ["chat.create".to_owned(), text.to_owned()];
            Subscription::check_plain(&patterns, &["chat.create"]).unwrap_err()
        };
        for text in ["", " "] {
            assert_eq!(problem(text).message, "a pattern is empty");
        }
        assert_eq!(problem("! ").message, "`!` excludes no event type");
    }

    #[test]
    fn pattern_without_match_suggests_the_nearest_event_type() {
        let patterns = ["chat.crate".to_owned()];
        let problem = Subscription::check_plain(&patterns, &["chat.create"]).unwrap_err();
        assert_eq!(problem.help.as_deref(), Some("did you mean `chat.create`?"));
    }
}
