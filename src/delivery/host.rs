//! The interface between a driver and what it drives: the conversations of an account.

use jiff::Timestamp;

use super::{AwaitedExpectation, ConversationKey, Delivery};
use crate::record::{ExpectationResult, RecordKind, RecordScope};

/// Owns conversations. The driver calls it when one of them is due, and carries out its commands.
pub trait Host: Send + 'static {
    /// A message that the driver passes on.
    type Message: Send + 'static;

    /// The run time for which a conversation waits has come.
    fn due(&mut self, conversation: ConversationKey, now: Timestamp) -> Vec<HostCommand>;

    /// A message has arrived.
    fn receive(&mut self, message: Self::Message, times: &mut dyn RunTimes) -> Vec<HostCommand>;

    /// A record about a delivery of the host is appended, at this run time of its conversation.
    fn recorded(
        &mut self,
        delivery: &Delivery,
        kind: &RecordKind,
        now: Timestamp,
    ) -> Vec<HostCommand>;

    /// The expectation that a conversation waited for has a result, at this run time.
    fn expected(
        &mut self,
        conversation: ConversationKey,
        result: ExpectationResult,
        now: Timestamp,
    ) -> Vec<HostCommand>;

    /// A run was cancelled: its conversations are never due again.
    fn cancelled(&mut self, run: u32);

    /// Every delivery of a conversation has settled, after [`HostCommand::End`].
    fn ended(&mut self, conversation: ConversationKey) -> Vec<HostCommand>;
}

/// The run times of conversations.
pub trait RunTimes {
    /// Returns the current run time of a conversation; `None` if no such run has joined.
    fn now(&mut self, conversation: ConversationKey) -> Option<Timestamp>;

    /// Returns the current run time of a run with a real clock; `None` with virtual clocks.
    fn passing(&mut self, run: u32) -> Option<Timestamp>;
}

/// What a host wants done. Commands are carried out in order.
#[derive(Debug)]
pub enum HostCommand {
    /// Append a record to the log of this run.
    Record(u32, RecordScope, Box<RecordKind>),
    /// Deliver a payload.
    Submit(Box<Delivery>),
    /// Report the conversation as due at this run time.
    WaitUntil(ConversationKey, Timestamp),
    /// Wait for an expectation, and report its result. The clock of the conversation stands still.
    Expect(Box<AwaitedExpectation>),
    /// Report the conversation as ended once all its deliveries have settled.
    End(ConversationKey),
    /// Drop the clock of a conversation in which nothing happens any more.
    Forget(ConversationKey),
}

/// A host without conversations, for deliveries that are submitted directly.
#[derive(Clone, Copy, Debug)]
pub struct NoHost;

impl Host for NoHost {
    type Message = std::convert::Infallible;

    fn due(&mut self, _: ConversationKey, _: Timestamp) -> Vec<HostCommand> {
        Vec::new()
    }

    fn receive(&mut self, message: Self::Message, _: &mut dyn RunTimes) -> Vec<HostCommand> {
        match message {}
    }

    fn recorded(&mut self, _: &Delivery, _: &RecordKind, _: Timestamp) -> Vec<HostCommand> {
        Vec::new()
    }

    fn expected(
        &mut self,
        _: ConversationKey,
        _: ExpectationResult,
        _: Timestamp,
    ) -> Vec<HostCommand> {
        Vec::new()
    }

    fn cancelled(&mut self, _: u32) {}

    fn ended(&mut self, _: ConversationKey) -> Vec<HostCommand> {
        Vec::new()
    }
}
