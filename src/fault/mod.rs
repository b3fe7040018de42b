//! Faults: wanted misbehaviour, each under one name, with what a good receiver does about it.
//!
//! The one vocabulary of `fault` and `[faults]` in scenarios, of `run --chaos` and of
//! `listen --wrong`. Who carries a fault out is left to others: the vendor to what is in a
//! request, the run to when it leaves, delivery to how it is written, the receiver to its answers.

mod amount;
mod profile;

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::base::text::nearest;
use crate::diag::{Problem, Scalar, SyntaxNode, code};

pub use amount::FaultAmount;
pub use profile::{Chaos, ChaosProfile, PlannedFault};

crate::string_enum! {
    /// What of a delivery a fault is about; one delivery has at most one of each but `body`.
    pub enum FaultGroup {
        /// When it goes out, and how often.
        Order = "order",
        /// Its token or its signature.
        Token = "token",
        /// What its body holds and how that is spelled.
        Body = "body",
        /// How its first attempt is written.
        Wire = "wire",
        /// How a receiver answers: not for scenarios, but for `listen --wrong`.
        Receiver = "receiver",
    }
}

crate::string_enum! {
    /// What a good receiver does about a fault, the strongest last: it counts where faults meet.
    pub enum ExpectedReaction {
        /// It accepts the delivery as it does every other.
        Usual = "accepts it as usual",
        /// It may refuse, but does not break: anything but a 5xx, or no answer.
        NoCrash = "answers anything but 5xx",
        /// It does not let it in.
        Refusal = "refuses it with 4xx",
        /// Whatever it likes.
        Anything = "does what it likes",
    }
}

/// Declares every fault: its name, the amount that it has unless one is written, what it is about,
/// what a good receiver does, and what it is in a line. In this order they are done to a body: JSON
/// is edited before it is nested too deep for that, and spelled otherwise at last.
macro_rules! faults {
    ($($kind:ident = $word:literal $(: $amount:literal)?, $group:ident, $expects:ident, $about:literal;)*) => {
        crate::string_enum! {
            /// The faults by name.
            pub enum FaultKind { $(#[doc = $about] $kind = $word,)* }
        }

        impl FaultKind {
            /// What of a delivery it is about.
            pub fn group(self) -> FaultGroup {
                match self { $(Self::$kind => FaultGroup::$group,)* }
            }

            /// What a good receiver does about it.
            pub fn expects(self) -> ExpectedReaction {
                match self { $(Self::$kind => ExpectedReaction::$expects,)* }
            }

            /// What it is, in a line.
            pub fn about(self) -> &'static str {
                match self { $(Self::$kind => $about,)* }
            }

            /// The name with its usual amount.
            pub fn usual(self) -> &'static str {
                match self { $(Self::$kind => concat!($word $(, ":", $amount)?),)* }
            }
        }
    };
}

faults! {
    Duplicate = "duplicate", Order, Usual, "It comes once more behind itself; with an amount such as `duplicate:5ms` so much later, whatever became of the first.";
    Retry = "retry", Order, Usual, "It is tried again under the same id, although it was accepted.";
    Reorder = "reorder", Order, Usual, "It goes out behind the delivery that follows it.";
    Delay = "delay": "2s", Order, Usual, "It goes out so much later in run time, and others pass.";
    Hold = "hold": "3", Order, Usual, "It is held until there are so many, and then they go out all at once.";
    Drop = "drop", Order, Anything, "It is not sent at all.";
    Straggler = "straggler", Order, NoCrash, "It goes out seconds after everything else of its conversation, the end included.";
    Stale = "stale", Order, NoCrash, "The first delivery of the conversation comes once more behind it.";
    NoToken = "no_token", Token, Refusal, "Its token or its signature is missing.";
    WrongToken = "wrong_token", Token, Refusal, "Its token or its signature has one wrong character.";
    TruncatedToken = "truncated_token", Token, Refusal, "Its token or its signature is cut in half.";
    ForeignToken = "foreign_token", Token, Refusal, "It has the token of another account, or is signed with its secret.";
    ReSerialised = "re_serialised", Token, Refusal, "It is signed over the same JSON in another spelling, not over the bytes that are sent.";
    UnknownType = "unknown_type", Body, NoCrash, "It is of an event type that nobody knows.";
    MissingField = "missing_field", Body, NoCrash, "It lacks one of its fields, drawn from the seed.";
    Huge = "huge": "1MiB", Body, NoCrash, "It has a text of so many bytes.";
    ExtraField = "extra_field", Body, Usual, "It has one more field than is documented.";
    Deep = "deep": "200", Body, NoCrash, "It has a field of lists nested so deep.";
    Escaping = "escaping", Body, Usual, "In its texts, all but letters and digits are written as `\\u…`, which means the same.";
    Charset = "charset", Body, Usual, "It says that it is in another charset, and has only characters that are the same in both.";
    BodyCut = "body_cut", Wire, Anything, "Half of its body comes, and then the end.";
    Length = "length": "+1", Wire, Anything, "Its content length is one more than its body has; `length:-1` is one less.";
    SlowBody = "slow_body", Wire, Usual, "Its body comes in small pieces with waits between them.";
    Reset = "reset", Wire, Anything, "Half of its body comes, and then the connection is reset.";
    Chunked = "chunked", Wire, Usual, "Its body comes in chunks, without a content length.";
    Status = "status": "500", Receiver, Anything, "Everything is answered with this status.";
    Slow = "slow": "2s", Receiver, Anything, "Everything is answered so late.";
    Token = "token", Receiver, Anything, "A handshake is answered with another token.";
}

/// A fault as it is wanted: which, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fault {
    /// Which.
    pub kind: FaultKind,
    /// How much.
    pub amount: FaultAmount,
    text: String,
}

impl Fault {
    /// Reads a fault as it is written: `reorder`, `delay:2s`. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, amount) = text.split_once(':').map_or((text, None), |(n, a)| (n, Some(a)));
        if text.contains(char::is_control) {
            return Err("a fault is written in one line".into());
        }
        let kind = FaultKind::of_word(name).ok_or_else(|| format!("there is no fault `{name}`"))?;
        let text = if amount.is_some() { text } else { kind.usual() };
        let amount = FaultAmount::parse(kind, text.split_once(':').map(|(_, amount)| amount))?;
        Ok(Self { kind, amount, text: text.to_owned() })
    }

    /// Reads a fault of receivers, for `listen --wrong`.
    pub fn of_receiver(text: &str) -> Result<Self, String> {
        let known: Vec<&str> = usual(true).collect();
        match Self::parse(text) {
            Ok(fault) if fault.kind.group() == FaultGroup::Receiver => Ok(fault),
            Ok(_) => {
                Err(format!("`{text}` is no fault of receivers, such as `{}`", known.join("`, `")))
            }
            Err(error) => Err(match nearest(text, known.iter().copied()) {
                Some(near) => format!("{error}; did you mean `{near}`?"),
                None => format!("{error}; a receiver's are `{}`", known.join("`, `")),
            }),
        }
    }
}

/// The faults of receivers, or all others, each with its usual amount.
fn usual(of_receivers: bool) -> impl Iterator<Item = &'static str> {
    let is_wanted = move |kind: &&FaultKind| (kind.group() == FaultGroup::Receiver) == of_receivers;
    FaultKind::ALL.iter().filter(is_wanted).map(|kind| kind.usual())
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
        let problem = |message| Problem::at(&node.span, code::WRONG_FAULT, message);
        let name = text.split(':').next().unwrap_or_default();
        match Self::parse(&text) {
            Ok(fault) if fault.kind.group() == FaultGroup::Receiver => {
                let help = format!("`standin listen --wrong {text}` answers so");
                Err(problem(format!("`{name}` is a fault of receivers")).help(help))
            }
            Ok(fault) => Ok(fault),
            Err(message) => Err(match FaultKind::of_word(name) {
                Some(kind) => problem(message).help(format!("write `{}`", kind.usual())),
                None => {
                    let names = usual(false).filter_map(|usual| usual.split(':').next());
                    problem(message).known(name, names)
                }
            }),
        }
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": usual(false).collect::<Vec<_>>()})
    }
}

/// The faults of one delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this one is among them.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.iter().any(|fault| fault.kind == kind)
    }

    /// The first about this.
    pub fn of(&self, group: FaultGroup) -> Option<&Fault> {
        self.0.iter().find(|fault| fault.kind.group() == group)
    }

    /// Those that act on the attempt of this number: the wire fails only once.
    #[must_use]
    pub fn on(&self, attempt: u32) -> Self {
        let actions = |fault: &&Fault| attempt == 1 || fault.kind.group() != FaultGroup::Wire;
        Self(self.0.iter().filter(actions).cloned().collect())
    }

    /// Whether the delivery waits for none of its conversation, and none waits for it.
    pub fn is_aside(&self) -> bool {
        self.0.iter().any(|fault| match fault.kind {
            FaultKind::Duplicate => fault.amount != FaultAmount::Usual,
            kind => matches!(kind, FaultKind::Delay | FaultKind::Hold),
        })
    }

    /// How long after the delivery that it doubles a delivery goes out, by the clock on the wall.
    pub fn lag(&self) -> Option<Duration> {
        let duplicate = self.0.iter().find(|fault| fault.kind == FaultKind::Duplicate)?;
        duplicate.amount.time().map(SignedDuration::unsigned_abs)
    }

    /// What a good receiver does about them, where the last of so many attempts counts.
    pub fn expects(&self, attempts: u32) -> ExpectedReaction {
        let acting = self.on(attempts);
        acting.0.iter().map(|fault| fault.kind.expects()).max().unwrap_or(ExpectedReaction::Usual)
    }

    /// Whether a receiver does right to answer so; nothing where that is as without faults.
    pub fn judge(&self, status: Option<u16>, attempts: u32) -> Option<bool> {
        match self.expects(attempts) {
            ExpectedReaction::Usual => None,
            ExpectedReaction::NoCrash => Some(status.is_some_and(|status| status < 500)),
            ExpectedReaction::Refusal => {
                Some(status.is_some_and(|status| (400..500).contains(&status)))
            }
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
    fn every_fault_is_read_as_it_is_written() {
        for kind in FaultKind::ALL {
            let fault = Fault::parse(kind.word()).unwrap();
            assert_eq!((fault.kind, fault.to_string().as_str()), (*kind, kind.usual()));
            assert_eq!(Fault::parse(kind.usual()), Ok(fault));
        }
        for text in ["duplicate:5ms", "length:-1", "huge:16MiB", "huge:100", "deep:1", "status:404"]
        {
            assert_eq!(Fault::parse(text).unwrap().to_string(), text);
        }
        for wrong in [
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
            assert!(Fault::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_strongest_expectation_counts_and_the_wire_fails_once() {
        let faults = |all: &[&str]| Faults(all.iter().map(|f| Fault::parse(f).unwrap()).collect());
        assert_eq!(faults(&["wrong_token", "deep"]).expects(1), ExpectedReaction::Refusal);
        assert_eq!(faults(&["body_cut"]).judge(None, 1), Some(true));
        assert_eq!(faults(&["body_cut"]).judge(Some(500), 2), None);
        assert_eq!(faults(&["wrong_token"]).judge(Some(200), 1), Some(false));
        assert_eq!(faults(&["wrong_token"]).judge(Some(401), 3), Some(true));
        assert_eq!(faults(&["deep"]).judge(Some(500), 1), Some(false));
        assert_eq!(faults(&["deep"]).judge(None, 1), Some(false));
    }
}
