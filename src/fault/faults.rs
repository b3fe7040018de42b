//! Faults of a delivery: parsing, and the check of a receiver's reaction.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::amount::FaultAmount;
use super::kind::{ExpectedReaction, FaultGroup, FaultKind};
use crate::base::text::nearest;
use crate::diag::{Problem, Scalar, SyntaxNode, code};

/// A fault with its amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fault {
    /// Kind of fault.
    pub kind: FaultKind,
    /// Amount, by default that of the kind.
    pub amount: FaultAmount,
    text: String,
}

impl Fault {
    /// Parses a fault, such as `reorder` or `delay:2s`.
    ///
    /// # Errors
    ///
    /// The error describes what is invalid.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, amount) = text.split_once(':').map_or((text, None), |(n, a)| (n, Some(a)));
        // Reports print the text as it is, so a line break in it would break their lines.
        if text.contains(char::is_control) {
            return Err("a fault must not contain control characters".into());
        }
        let kind = FaultKind::from_name(name).ok_or_else(|| format!("unknown fault `{name}`"))?;
        let text = if amount.is_some() { text } else { kind.with_default_amount() };
        let amount = FaultAmount::parse(kind, text.split_once(':').map(|(_, amount)| amount))?;
        Ok(Self { kind, amount, text: text.to_owned() })
    }

    /// Parses a fault of receivers, for `listen --wrong`.
    ///
    /// # Errors
    ///
    /// The error suggests a similar fault or lists all of them.
    pub fn parse_receiver_fault(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = fault_names(true).collect();
        match Self::parse(text) {
            Ok(fault) if fault.kind.group() == FaultGroup::Receiver => Ok(fault),
            Ok(_) => Err(format!(
                "`{text}` is not a fault of receivers; use one of `{}`",
                names.join("`, `")
            )),
            Err(error) => Err(match nearest(text, names.iter().copied()) {
                Some(name) => format!("{error}; did you mean `{name}`?"),
                None => format!("{error}; use one of `{}`", names.join("`, `")),
            }),
        }
    }
}

/// Splits a fault whose amount follows another sign than a colon, such as `delay=2s` and `delay(2s)`.
fn misspelt_amount(text: &str) -> Option<(FaultKind, &str)> {
    let (name, amount) = text.split_once(['=', '(', ' '])?;
    let kind = FaultKind::from_name(name.trim())?;
    let amount = amount.trim_matches([' ', '=', '(', ')']);
    (!amount.is_empty()).then_some((kind, amount))
}

/// Returns the faults of receivers, or all others, each with its default amount.
fn fault_names(of_receivers: bool) -> impl Iterator<Item = &'static str> {
    let is_listed = move |kind: &&FaultKind| (kind.group() == FaultGroup::Receiver) == of_receivers;
    FaultKind::ALL.iter().filter(is_listed).map(|kind| kind.with_default_amount())
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.text
    }
}

impl TryFrom<String> for Fault {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl Scalar for Fault {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        let problem = |message| Problem::at(&node.span, code::INVALID_FAULT, message);
        let name = text.split(':').next().unwrap_or_default();
        match Self::parse(&text) {
            Ok(fault) if fault.kind.group() == FaultGroup::Receiver => {
                let help = format!("start the receiver with `standin listen --wrong {text}`");
                Err(problem(format!("`{name}` is a fault of receivers")).help(help))
            }
            Ok(fault) => Ok(fault),
            Err(message) => Err(match FaultKind::from_name(name) {
                Some(kind) => {
                    problem(message).help(format!("for example: `{}`", kind.with_default_amount()))
                }
                None if let Some((kind, amount)) = misspelt_amount(&text) => problem(message)
                    .help(format!("write the amount after a colon: `{kind}:{amount}`")),
                None => {
                    let names = fault_names(false).filter_map(|name| name.split(':').next());
                    problem(message).suggest_or_list(name, names)
                }
            }),
        }
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": fault_names(false).collect::<Vec<_>>()})
    }
}

/// The faults of one delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Returns true if there are no faults.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if there is a fault of this kind.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.iter().any(|fault| fault.kind == kind)
    }

    /// Returns the first fault of this group.
    pub fn of(&self, group: FaultGroup) -> Option<&Fault> {
        self.0.iter().find(|fault| fault.kind.group() == group)
    }

    /// Returns the faults that apply to an attempt, counted from 1.
    #[must_use]
    pub fn for_attempt(&self, attempt: u32) -> Self {
        // Wire faults apply to the first attempt only, so that a retry can succeed.
        let applies = |fault: &&Fault| attempt == 1 || fault.kind.group() != FaultGroup::Wire;
        Self(self.0.iter().filter(applies).cloned().collect())
    }

    /// Returns true if the delivery is independent of the order within its conversation: it does
    /// not wait for others, and others do not wait for it.
    pub fn is_unordered(&self) -> bool {
        self.0.iter().any(|fault| match fault.kind {
            FaultKind::Duplicate => fault.amount != FaultAmount::Unspecified,
            kind => matches!(kind, FaultKind::Delay | FaultKind::Hold),
        })
    }

    /// Returns the wall-clock delay of a duplicate after the original delivery.
    pub fn duplicate_delay(&self) -> Option<Duration> {
        let duplicate = self.0.iter().find(|fault| fault.kind == FaultKind::Duplicate)?;
        duplicate.amount.time().map(SignedDuration::unsigned_abs)
    }

    /// Returns the expected reaction to the last of this number of attempts.
    ///
    /// If several faults apply, the last of their reactions in the order of [`ExpectedReaction`]
    /// counts.
    pub fn expected_reaction(&self, attempts: u32) -> ExpectedReaction {
        let applied = self.for_attempt(attempts);
        let reactions = applied.0.iter().map(|fault| fault.kind.expected_reaction());
        reactions.max().unwrap_or(ExpectedReaction::Usual)
    }

    /// Returns whether the last of this number of attempts must be accepted like one without faults.
    pub fn expect_acceptance(&self, attempts: u32) -> bool {
        self.expected_reaction(attempts) == ExpectedReaction::Usual
    }

    /// Checks the response of a receiver; `status` is `None` if there was no response.
    ///
    /// Returns `None` if the delivery must be checked like one without faults.
    pub fn judge(&self, status: Option<u16>, attempts: u32) -> Option<bool> {
        match self.expected_reaction(attempts) {
            ExpectedReaction::Usual => None,
            ExpectedReaction::NoCrash => Some(status.is_some_and(|status| status < 500)),
            ExpectedReaction::Refusal => Some(matches!(status, Some(400 | 401 | 403 | 422))),
            ExpectedReaction::Anything => Some(true),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<&str> = self.0.iter().map(|fault| fault.text.as_str()).collect();
        formatter.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_fault_displays_its_source_or_default_amount() {
        for kind in FaultKind::ALL {
            let fault = Fault::parse(kind.as_str()).unwrap();
            assert_eq!(
                (fault.kind, fault.to_string().as_str()),
                (*kind, kind.with_default_amount())
            );
            assert_eq!(Fault::parse(kind.with_default_amount()), Ok(fault));
        }
        for text in ["duplicate:5ms", "length:-1", "huge:16MiB", "huge:100", "deep:1", "status:404"]
        {
            assert_eq!(Fault::parse(text).unwrap().to_string(), text);
        }
        for invalid in [
            "",
            "nothing",
            "reorder:2",
            "delay:",
            "delay:x",
            "hold:1",
            "hold:x",
            "length:2",
            "length:1",
            "huge:17MiB",
            "huge:0",
            "huge:1TB",
            "deep:0",
            "deep:1000000",
            "status:42",
            "delay:2s\n",
        ] {
            assert!(Fault::parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn the_last_reaction_takes_precedence_and_wire_faults_apply_once() {
        let faults = |all: &[&str]| Faults(all.iter().map(|f| Fault::parse(f).unwrap()).collect());
        assert_eq!(
            faults(&["wrong_token", "deep"]).expected_reaction(1),
            ExpectedReaction::Refusal
        );
        assert_eq!(faults(&["body_cut"]).judge(None, 1), Some(true));
        assert_eq!(faults(&["body_cut"]).judge(Some(500), 2), None);
        assert_eq!(faults(&["wrong_token"]).judge(Some(200), 1), Some(false));
        assert_eq!(faults(&["wrong_token"]).judge(Some(401), 3), Some(true));
        assert_eq!(faults(&["deep"]).judge(Some(500), 1), Some(false));
        assert_eq!(faults(&["deep"]).judge(None, 1), Some(false));
    }
}
