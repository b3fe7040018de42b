//! What an endpoint is sent: patterns over a vendor's event types.

use crate::diag::{Problem, Problems, Spanned, code};

/// Patterns in order; the last one that fits an event type decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription(Vec<Pattern>);

/// A pattern: `*` stands for any characters, `!` in front takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    takes_away: bool,
    text: String,
}

impl Subscription {
    /// Reads patterns, and checks that each fits at least one of the event types.
    pub fn check(
        patterns: &[Spanned<String>],
        event_types: &[&str],
        problems: &mut Problems,
    ) -> Self {
        let read = |pattern: &Spanned<String>| {
            let read = Pattern::check(pattern, event_types).map_err(Problems::from);
            problems.note(read.map_err(|problem| problem.placed(&pattern.span)))
        };
        Self(patterns.iter().filter_map(read).collect())
    }

    /// The same for patterns that stand in no file, as on the command line.
    pub fn check_plain(patterns: &[String], event_types: &[&str]) -> Result<Self, Problem> {
        let read = patterns.iter().map(|pattern| Pattern::check(pattern, event_types));
        read.collect::<Result<_, _>>().map(Self)
    }

    /// To this type and no other.
    pub fn to(event_type: &str) -> Self {
        Self(vec![Pattern { takes_away: false, text: event_type.to_owned() }])
    }

    /// These patterns over a default: where they begin by taking away, they take from it.
    #[must_use]
    pub(super) fn over(self, default: &Self) -> Self {
        if self.0.first().is_some_and(|first| first.takes_away) {
            return Self(default.0.iter().cloned().chain(self.0).collect());
        }
        self
    }

    /// Whether events of a type that has these names are sent.
    pub(super) fn covers<'a>(&self, names: &(impl Iterator<Item = &'a str> + Clone)) -> bool {
        let fits = |pattern: &&Pattern| names.clone().any(|name| pattern.fits(name));
        self.0.iter().rfind(fits).is_some_and(|pattern| !pattern.takes_away)
    }
}

impl Pattern {
    fn check(text: &str, event_types: &[&str]) -> Result<Self, Problem> {
        let bare = text.strip_prefix('!');
        let pattern = Self { takes_away: bare.is_some(), text: bare.unwrap_or(text).to_owned() };
        if event_types.iter().any(|event_type| pattern.fits(event_type)) {
            return Ok(pattern);
        }
        let message = format!("`{}` fits none of the vendor's event types", pattern.text);
        let problem = Problem::anywhere(code::NOTHING_SUBSCRIBED, message);
        Err(problem.known(text.trim_start_matches('!'), event_types.iter().copied()))
    }

    fn fits(&self, event_type: &str) -> bool {
        let mut parts = self.text.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = event_type.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
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
    fn the_last_pattern_that_fits_decides() {
        assert!(covers(&["chat.*"], "chat.create"));
        assert!(!covers(&["chat.*", "!chat.message"], "chat.message"));
        assert!(covers(&["chat.*", "!chat.*", "chat.create"], "chat.create"));
        assert!(covers(&["*.message"], "chat.user.message"));
        assert!(!covers(&["chat.*.message"], "chat.message"));
        assert!(covers(&["*"], "chat.message"));
        assert!(!covers(&["chat.message"], "chat.user.message"));
    }

    #[test]
    fn patterns_that_only_take_away_take_from_the_default() {
        let read = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            Subscription::check_plain(&patterns, &["a", "b"]).unwrap()
        };
        let sent =
            |patterns: &Subscription| ["a", "b"].map(|name| patterns.covers(&[name].into_iter()));
        assert_eq!(sent(&read(&["!b"]).over(&read(&["*"]))), [true, false]);
        assert_eq!(sent(&read(&["b"]).over(&read(&["*"]))), [false, true]);
    }

    #[test]
    fn a_pattern_that_fits_nothing_is_a_problem() {
        let patterns = ["chat.crate".to_owned()];
        let problem = Subscription::check_plain(&patterns, &["chat.create"]).unwrap_err();
        assert_eq!(problem.help.as_deref(), Some("did you mean `chat.create`?"));
    }
}
