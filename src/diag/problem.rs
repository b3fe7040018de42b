//! One problem of a file, and all of them.

use std::collections::BTreeSet;

use crate::base::text::{nearest, one_of};
use crate::diag::code::{self, Code};
use crate::diag::source::SourceSpan;

/// Something wrong with a file: what, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its stable code.
    pub code: Code,
    /// What was found and what was expected: lower case, no full stop.
    pub message: String,
    /// Where; absent for what concerns the whole run.
    pub span: Option<SourceSpan>,
    /// Another place that has to do with it, and what stands under its marked characters.
    pub also: Option<(SourceSpan, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub fn at(span: &SourceSpan, code: Code, message: impl Into<String>) -> Self {
        Self { span: Some(span.clone()), ..Self::anywhere(code, message) }
    }

    /// A problem without a place of its own.
    pub fn anywhere(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), span: None, also: None, help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, span: &SourceSpan, label: impl Into<String>) -> Self {
        self.also = Some((span.clone(), label.into()));
        self
    }

    /// Adds the nearest name as help, where one is near.
    #[must_use]
    pub fn near<'a>(self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(wrong, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Adds the help for a name that is not known: the nearest one, or all of them.
    #[must_use]
    pub fn known<'a>(self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let mut named = BTreeSet::new();
        let known: Vec<&str> = known.into_iter().filter(|name| named.insert(*name)).collect();
        let problem = self.near(wrong, known.iter().copied());
        if problem.help.is_some() || known.is_empty() {
            return problem;
        }
        problem.help(format!("known: {}", one_of(known)))
    }
}

/// The problem with more than so many of something.
pub(super) fn too_many(span: &SourceSpan, limit: usize, what: &str) -> Problem {
    let problem = Problem::at(span, code::TOO_MANY, format!("more than {limit} {what}"));
    problem.help("what comes behind them was not read")
}

/// The problems of one check, in the order they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds those of another check.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// What another check gives; its problems are added where it found some.
    pub fn note<T>(&mut self, checked: Result<T, impl Into<Self>>) -> Option<T> {
        checked.map_err(|others| self.extend(others.into())).ok()
    }

    /// The same, where those without a place of their own get this one.
    #[must_use]
    pub fn placed(mut self, span: &SourceSpan) -> Self {
        for problem in &mut self.0 {
            problem.span.get_or_insert_with(|| span.clone());
        }
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a file could not be parsed as a whole, so that what is missing from it means nothing.
    pub fn broke_parsing(&self) -> bool {
        let codes = [code::TOML_SYNTAX, code::JSON_SYNTAX, code::TOO_MANY];
        self.0.iter().any(|problem| codes.contains(&problem.code))
    }

    /// All of them by file and place; the same problem is told once.
    pub fn sorted(mut self) -> Vec<Problem> {
        fn key(problem: &Problem) -> (Option<(&str, usize)>, Code, &str) {
            let span = problem.span.as_ref();
            let span = span.map(|span| (span.source.name.as_str(), span.range.start));
            (span, problem.code, &problem.message)
        }
        self.0.sort_by(|one, other| key(one).cmp(&key(other)));
        self.0.dedup();
        self.0
    }

    /// The value where there is one and no problem, else the problems.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
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
