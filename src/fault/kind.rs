//! Kinds of faults: names, descriptions and the reactions that are expected from a receiver.

crate::string_enum! {
    /// Aspect of a delivery that a fault changes. A delivery has at most one fault of each group
    /// except `body`.
    pub enum FaultGroup {
        /// Time and number of times of sending.
        Order = "order",
        /// Token or signature.
        Token = "token",
        /// Content and encoding of the body.
        Body = "body",
        /// Bytes on the wire of the first attempt.
        Wire = "wire",
        /// Response of a receiver: for `listen --wrong`, not for scenarios.
        Receiver = "receiver",
    }
}

crate::string_enum! {
    /// Reaction to a fault that is expected from a correct receiver. If a delivery has several
    /// faults, the last of their reactions in this order counts.
    pub enum ExpectedReaction {
        /// Accepts the delivery like one without faults.
        Usual = "accepts it as usual",
        /// Sends any response except 5xx.
        NoCrash = "responds with anything but 5xx",
        /// Rejects the token or signature. Another 4xx, such as 404, does not show that it was checked.
        Refusal = "rejects it with 400, 401, 403 or 422",
        /// Any reaction passes, even a missing response. The request must reach the receiver.
        Anything = "may do anything",
    }
}

/// Declares the faults: name, default amount, group, expected reaction and description.
// The order is the order of application to a body. Faults that edit parsed JSON come first; `deep`
// follows, because the result is too deep to parse again; `escaping` changes the final text.
macro_rules! faults {
    ($(
        $kind:ident = $word:literal $(: $amount:literal)?, $group:ident, $expects:ident,
        $about:literal;
    )*) => {
        crate::string_enum! {
            /// Name of a fault.
            pub enum FaultKind { $(#[doc = $about] $kind = $word,)* }
        }

        impl FaultKind {
            /// Returns the aspect of a delivery that the fault changes.
            pub fn group(self) -> FaultGroup {
                match self { $(Self::$kind => FaultGroup::$group,)* }
            }

            /// Returns the reaction that is expected from a correct receiver.
            pub fn expected_reaction(self) -> ExpectedReaction {
                match self { $(Self::$kind => ExpectedReaction::$expects,)* }
            }

            /// Returns a description in one sentence.
            pub fn description(self) -> &'static str {
                match self { $(Self::$kind => $about,)* }
            }

            /// Returns the name with the default amount.
            pub fn with_default_amount(self) -> &'static str {
                match self { $(Self::$kind => concat!($word $(, ":", $amount)?),)* }
            }
        }
    };
}

faults! {
    Duplicate = "duplicate", Order, Usual,
        "The delivery is sent twice, the second time after the first has ended. With an amount \
         such as `duplicate:5ms`, the second is sent this long after the first, without waiting \
         for its result.";
    Retry = "retry", Order, Usual,
        "The delivery is retried under the same id although it was accepted.";
    Reorder = "reorder", Order, Usual, "The delivery is sent after the one that follows it.";
    Delay = "delay": "2s", Order, Usual,
        "The delivery is sent after a delay in run time; later deliveries do not wait for it.";
    Hold = "hold": "3", Order, Usual,
        "The delivery is held until this number of deliveries is held, then all of them are \
         sent at once.";
    Drop = "drop", Order, Anything, "The delivery is not sent.";
    Straggler = "straggler", Order, NoCrash,
        "The delivery is sent seconds after all others of its conversation, including the one \
         that closes it.";
    Stale = "stale", Order, NoCrash,
        "The first delivery of the conversation is sent again after this one.";
    NoToken = "no_token", Token, Refusal, "The token or signature is missing.";
    WrongToken = "wrong_token", Token, Refusal, "The token or signature has one changed character.";
    TruncatedToken = "truncated_token", Token, Refusal, "The token or signature is cut in half.";
    ForeignToken = "foreign_token", Token, Refusal,
        "The delivery has the token of another account, or is signed with its secret.";
    ReSerialised = "re_serialised", Token, Refusal,
        "The body is sent in another JSON style, with the signature of the usual style, so that \
         the signature does not match the bytes.";
    UnknownType = "unknown_type", Body, NoCrash, "The event type is unknown.";
    MissingField = "missing_field", Body, NoCrash, "One field is missing, chosen by the seed.";
    Huge = "huge": "1MiB", Body, NoCrash, "One text has this size in bytes.";
    ExtraField = "extra_field", Body, Usual, "The body has an undocumented field.";
    Deep = "deep": "200", Body, NoCrash, "The body has a field with lists nested to this depth.";
    Escaping = "escaping", Body, Usual,
        "All characters of texts except letters and digits are escaped as `\\u…`, which is \
         equivalent JSON.";
    Charset = "charset", Body, Usual,
        "The content type names another charset; the body has only characters that are the same \
         in both.";
    BodyCut = "body_cut", Wire, Anything, "The connection is closed after half of the body.";
    Length = "length": "+1", Wire, Anything,
        "The content length is one more than the size of the body; `length:-1` is one less.";
    SlowBody = "slow_body", Wire, Usual,
        "The body is sent in small pieces with pauses between them.";
    Reset = "reset", Wire, Anything, "The connection is reset after half of the body.";
    Chunked = "chunked", Wire, Usual, "The body is sent in chunks, without a content length.";
    Status = "status": "500", Receiver, Anything, "Every response has this status.";
    Slow = "slow": "2s", Receiver, Anything, "Every response is delayed.";
    Token = "token", Receiver, Anything, "The response to a handshake has another token.";
}
