//! Open and closed: the state of a conversation and of each of its dialogs.

crate::string_enum! {
    /// State of a conversation or dialog that has been opened.
    pub enum ConversationState {
        /// Open: messages are accepted.
        Open = "open",
        /// Closed: it accepts notes, labels and ratings, and it can be reopened.
        Closed = "closed",
    }
}
