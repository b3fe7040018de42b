//! The stable codes of problems, each with its explanation.

use std::fmt;

/// A problem's stable code, such as `E011`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "E{:03}", self.0)
    }
}

impl Code {
    /// The code that is written so, where there is one.
    pub fn parse(text: &str) -> Option<Self> {
        CODES.iter().map(|(code, _)| *code).find(|code| code.to_string().eq_ignore_ascii_case(text))
    }

    /// What the code means and what to do about it.
    pub fn explanation(self) -> &'static str {
        CODES.iter().find(|(code, _)| *code == self).map_or("", |(_, explanation)| explanation)
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal: $explanation:literal;)*) => {
        $(#[doc = $explanation] pub const $name: Code = Code($number);)*
        /// Every code with its explanation, in order.
        pub const CODES: &[(Code, &str)] = &[$(($name, $explanation)),*];
    };
}

codes! {
    FILE_UNREADABLE = 1: "A file could not be read: it is missing, not a regular file, larger than 256 KiB, or not UTF-8.";
    TOML_SYNTAX = 2: "The file is not TOML. The place shown is where reading it stopped making sense; a missing quote or bracket is often a line earlier.";
    JSON_SYNTAX = 3: "The file is not JSON. Templates are strict JSON: no comments, no trailing commas, keys in double quotes.";
    DUPLICATE_KEY = 4: "An object has the same key twice. One of them would be lost on the way to the receiver.";

    UNKNOWN_KEY = 10: "The table has a key that nothing reads. It is most likely mistyped; the help names the nearest key that is read.";
    MISSING_KEY = 11: "The table lacks a key that it cannot do without.";
    WRONG_TYPE = 12: "The value is of another type than the key takes, or outside what it can hold.";
    UNKNOWN_WORD = 13: "The text is not one of the words that the key takes.";
    WRONG_DURATION = 14: "A duration is written `250ms`, `2s` or `1m 30s`, a range of them `1s..3s`; from zero to thirty days.";
    TOO_MANY = 15: "The file goes beyond a limit. Limits keep a mistyped number from filling memory or a receiver's queue.";
    EMPTY = 16: "Something that needs at least one entry has none.";

    UNKNOWN_VENDOR = 20: "No vendor has this id. `standin vendors` lists them; `--templates DIR` adds your own.";
    UNKNOWN_REVISION = 21: "The vendor has no such revision. A revision is written behind the vendor's id: `vendor@revision`.";
    UNKNOWN_PERSON = 22: "Nobody of this name takes part. A participant is a name from `[cast.…]`, a role that exactly one participant has, or `assignee`.";
    AMBIGUOUS_PERSON = 23: "More than one cast member has this role, so the role alone does not say who is meant. Use the name.";
    RESERVED_NAME = 24: "The name has a meaning of its own and cannot be given to something else.";
    DUPLICATE_ID = 25: "Two steps have the same id, so a reference to it would not say which one is meant.";

    NO_ACT = 30: "A step holds exactly one act, such as `open`, `say` or `close`.";
    WRONG_ORDER = 31: "The act cannot happen at this point of the conversation: nothing happens before `open`, and after `close` only `reopen` and notes.";
    VENDOR_CANNOT = 32: "The vendor has no such act, and the scenario names no vendor that has it.";
    UNKNOWN_KIND = 33: "No vendor that plays the scenario knows this kind of message.";
    UNKNOWN_DATA = 34: "The kind of message has no such data on any vendor that plays the scenario.";
    NOTHING_SUBSCRIBED = 35: "The pattern matches none of the vendor's event types, so nothing would be sent for it.";
    NO_SUCH_STEP = 36: "No earlier step has this id.";
    UNKNOWN_STATUS = 37: "A set of statuses is written with three digits (`200`), a class (`2xx`) or `any`.";

    HOLE_SYNTAX = 50: "A hole is written `${path}`, `${path?}` or `${path | filter}`; `$$` writes a dollar sign.";
    UNKNOWN_PATH = 51: "Nothing of this name is known where the hole stands.";
    OPTIONAL_PATH = 52: "The value can be absent. Write `${path?}` to leave the key out then, or `or:` to put something in its place.";
    NOT_OPTIONAL = 53: "The value is always there, so `?` and `or:` would never do anything.";
    UNKNOWN_FILTER = 54: "No filter has this name.";
    WRONG_FILTER = 55: "The filter does not take a value of this type, or lacks its argument.";
    NOT_A_VALUE = 56: "The value cannot be written as it is: a time needs a filter that says how it is spelled, a table needs one of its parts.";
    TEMPLATE_KEY = 57: "A key that begins with `$` is one of the template's own: `$each`, `$do`, `$if`, `$is`, `$then`, `$else`, `$include`, `$with`, `$merge`, `$json`. `$$` in front writes such a key as it is.";
    INCLUDE = 58: "The included file is missing, includes itself, or is nested too deeply.";
    UNKNOWN_TABLE = 59: "The vendor has no `[words.…]` table of this name, or the table lacks a word that can occur.";
    MADE_VALUE = 60: "`${new.…}` makes ids and credentials. It stands only in `[account]`, `[secret]` and `[ids]`, in one of the forms listed.";
    OPTIONAL_IN_TEXT = 61: "`?` leaves out a whole value. Inside a longer text there is nothing to leave out; use `or:`.";

    UNCOVERED_ACT = 70: "For each act a vendor's folder says exactly one of: it sends an event, it is silent, it cannot. This act is said twice or not at all.";
    UNKNOWN_TEMPLATE = 71: "The vendor's folder has no such file.";
    UNKNOWN_EVENT = 72: "There is no such neutral event.";
    NO_SOURCE = 73: "Every section of a vendor's folder says in `[source]` where its facts come from.";
    WRONG_CHOICE = 74: "The option has no such value.";
    EXTENDS = 75: "The vendor extends another that is missing, or that extends it in turn.";
    VENDOR_FOLDER = 76: "The folder cannot be used as a vendor.";
    UNKNOWN_COUNTER = 77: "The vendor declares no counter of this name.";
    UNKNOWN_SAMPLE = 78: "`samples/index.toml` names a file that is not beside it, or an event that the vendor does not send.";
    WIRE_ORDER = 78: "`wire` lists every header of the vendor's requests once, in their order and case, and `Host` and `Content-Length`, which are written for it.";

    WRONG_URL = 80: "A receiver's address is an http or https URL without user name and password.";
    NO_RECEIVER = 81: "There is no address to send to: give `--to URL`, or an `[[endpoint]]` in the configuration.";
    SECRET_MISSING = 82: "The secret is named as `env:NAME` or `file:PATH`, and there is nothing there.";
    NOTHING_TO_PLAY = 83: "No scenario was found, or no vendor can play it.";
    UNKNOWN_SCENARIO = 84: "There is no such file, and no bundled scenario of this name.";
    FILE_EXISTS = 85: "A file of this name is there already, and what somebody wrote is never overwritten.";
    FORBIDDEN_ADDRESS = 86: "Loopback and private addresses are sent to as they are, public ones with `--allow-public`, and those that are link-local, multicast, reserved or of cloud metadata never.";
}
