//! Problems: errors in user input, with location and help.

use std::collections::BTreeSet;

use crate::base::text::{one_of, similar};
use crate::diag::code::{self, Code};
use crate::diag::source::SourceSpan;

/// An error in a file or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, which `standin check --explain` explains.
    pub code: Code,
    /// Message: what was expected and what was found. Lowercase, without a period.
    pub message: String,
    /// Location; absent for a problem of the whole run.
    pub span: Option<SourceSpan>,
    /// A related location, with the label for it.
    pub also: Option<(SourceSpan, String)>,
    /// How to fix the problem.
    pub help: Option<String>,
}

impl Problem {
    /// Creates a problem with a location.
    pub fn at(span: &SourceSpan, code: Code, message: impl Into<String>) -> Self {
        Self { span: Some(span.clone()), ..Self::anywhere(code, message) }
    }

    /// Creates a problem without a location.
    pub fn anywhere(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), span: None, also: None, help: None }
    }

    /// Sets the help text.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets a related location and its label.
    #[must_use]
    pub fn also(mut self, span: &SourceSpan, label: impl Into<String>) -> Self {
        self.also = Some((span.clone(), label.into()));
        self
    }

    /// Suggests the most similar valid name, or those of which the name is a part. Changes
    /// nothing if no name is similar, or too many are.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        let similar = similar(name, valid);
        match similar.len() {
            1..=MAX_SUGGESTIONS => self.help(format!("did you mean {}?", one_of(similar))),
            _ => self,
        }
    }

    /// Suggests the most similar valid name, or lists all valid names if none is similar.
    #[must_use]
    pub fn suggest_or_list<'a>(self, name: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        // Callers collect names from several vendors, which share many of them.
        let mut seen = BTreeSet::new();
        let valid: Vec<&str> = valid.into_iter().filter(|name| seen.insert(*name)).collect();
        let problem = self.suggest(name, valid.iter().copied());
        if problem.help.is_some() || valid.is_empty() {
            return problem;
        }
        problem.help(format!("expected {}", one_of(valid)))
    }
}

/// Maximum number of names that a suggestion lists.
const MAX_SUGGESTIONS: usize = 5;

/// Returns the problem of more than `limit` things, such as `keys in a table`.
pub(super) fn too_many(span: &SourceSpan, limit: usize, what: &str) -> Problem {
    let problem = Problem::at(span, code::TOO_MANY, format!("more than {limit} {what}"));
    problem.help("the rest was not read")
}

/// Problems that a check found, in the order of their discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds a problem, unless it has the help and the line of the last one. Several syntax errors in
    /// one key or string have one cause.
    pub(super) fn push_cause(&mut self, problem: Problem) {
        let place = |problem: &Problem| {
            let line = problem.span.as_ref().map(|span| span.line_column().0)?;
            Some((line, problem.help.clone()?))
        };
        let is_new = place(&problem).is_none_or(|new| self.0.last().and_then(place) != Some(new));
        if is_new {
            self.push(problem);
        }
    }

    /// Adds a problem, unless another one is on its line.
    pub(super) fn push_on_new_line(&mut self, problem: Problem) {
        let line = |problem: &Problem| problem.span.as_ref().map(|span| span.line_column().0);
        let new = line(&problem);
        if self.0.iter().all(|known| line(known) != new) {
            self.push(problem);
        }
    }

    /// Adds all problems of another list.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Adds the problems of another list that this one does not have yet.
    pub fn extend_new(&mut self, others: Self) {
        for problem in others.0 {
            if !self.0.contains(&problem) {
                self.0.push(problem);
            }
        }
    }

    /// Returns the value of a result, or adds its problems.
    pub fn note<T>(&mut self, result: Result<T, impl Into<Self>>) -> Option<T> {
        result.map_err(|others| self.extend(others.into())).ok()
    }

    /// Explains that an unknown key belongs to the top of its file, if it is one of
    /// `top_keys` and starts a line below the header of a table.
    // In TOML such a line belongs to the table above it, which surprises users of other formats.
    #[must_use]
    pub fn pointing_to_top(mut self, top_keys: &[&str]) -> Self {
        for problem in self.0.iter_mut().filter(|problem| problem.code == code::UNKNOWN_KEY) {
            let Some(span) = &problem.span else { continue };
            let key = span.text();
            let before = span.source.text.get(..span.range.start).unwrap_or_default();
            let is_alone = before.trim_end_matches([' ', '\t']).ends_with('\n');
            let is_suggested =
                problem.help.as_ref().is_some_and(|help| help.starts_with("did you mean"));
            if is_alone && !is_suggested && top_keys.contains(&key) {
                problem.help = Some(format!(
                    "`{key}` belongs to the whole file: move it above the first line in brackets"
                ));
            }
        }
        self
    }

    /// Sets the help of the problems for which there is a better one.
    #[must_use]
    pub fn helped(mut self, help: impl Fn(&Problem) -> Option<String>) -> Self {
        for problem in &mut self.0 {
            problem.help = help(problem).or_else(|| problem.help.take());
        }
        self
    }

    /// Adds the place where a file is used to the problems in it with these codes: names exist in
    /// one place and not in another. A name that is mistyped is wrong in each.
    #[must_use]
    pub fn used_at(mut self, place: &SourceSpan, label: &str, codes: &[Code]) -> Self {
        for problem in self.0.iter_mut().filter(|problem| codes.contains(&problem.code)) {
            let is_elsewhere =
                problem.span.as_ref().is_some_and(|span| span.source != place.source);
            let is_typo =
                problem.help.as_ref().is_some_and(|help| help.starts_with("did you mean"));
            if is_elsewhere && !is_typo && problem.also.is_none() {
                problem.also = Some((place.clone(), label.to_owned()));
            }
        }
        self
    }

    /// Sets the location of all problems that have none.
    #[must_use]
    pub fn with_default_span(mut self, span: &SourceSpan) -> Self {
        for problem in &mut self.0 {
            problem.span.get_or_insert_with(|| span.clone());
        }
        self
    }

    /// Returns the problems in the order of their discovery.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Returns the problems in the order of their discovery, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Problem> {
        self.0.iter_mut()
    }

    /// Returns true if there are no problems.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of problems.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if a file could not be parsed completely. Missing keys are meaningless then.
    pub fn broke_parsing(&self) -> bool {
        let codes = [code::TOML_SYNTAX, code::JSON_SYNTAX, code::TOO_MANY];
        self.0.iter().any(|problem| codes.contains(&problem.code))
    }

    /// Returns the problems sorted by file and position, without duplicates.
    pub fn sorted(mut self) -> Vec<Problem> {
        fn key(problem: &Problem) -> (Option<(&str, usize)>, Code, &str) {
            let span = problem.span.as_ref();
            let span = span.map(|span| (span.source.name.as_str(), span.range.start));
            (span, problem.code, &problem.message)
        }
        self.0.sort_by(|one, other| key(one).cmp(&key(other)));
        // A step that is checked for several vendors gives the same problem several times. So does
        // a template for several events, with other names in its help.
        self.0.dedup_by(|one, other| {
            (&one.code, &one.message, &one.span) == (&other.code, &other.message, &other.span)
        });
        // A value has one type: of two problems with it, the first says more.
        self.0.dedup_by(|one, other| {
            (one.code, other.code) == (code::INVALID_TYPE, code::INVALID_TYPE)
                && one.span.is_some()
                && one.span == other.span
        });
        self.0
    }

    /// Returns the value if there are no problems, else the problems.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
