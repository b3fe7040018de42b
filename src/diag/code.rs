//! The stable codes of problems, each with its explanation and an example.

use std::fmt;

/// A problem's stable code, such as `E011`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// What a code means, and an example of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeExplanation {
    /// The code.
    pub code: Code,
    /// What it means and what to do about it.
    pub about: &'static str,
    /// Something that has the problem.
    pub wrong: &'static str,
    /// The same without it.
    pub right: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "E{:03}", self.0)
    }
}

impl Code {
    /// The code that is written so, where there is one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut codes = CODES.iter().map(|explained| explained.code);
        codes.find(|code| code.to_string().eq_ignore_ascii_case(text))
    }

    /// What the code means.
    pub fn explained(self) -> Option<&'static CodeExplanation> {
        CODES.iter().find(|explained| explained.code == self)
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal: $about:literal, $wrong:literal => $right:literal;)*) => {
        $(#[doc = $about] pub const $name: Code = Code($number);)*
        /// Every code with its explanation, in order.
        pub const CODES: &[CodeExplanation] = &[
            $(CodeExplanation { code: $name, about: $about, wrong: $wrong, right: $right }),*
        ];
    };
}

codes! {
    FILE_UNREADABLE = 1: "A file could not be read: it is missing, not a regular file, larger than 256 KiB, or not UTF-8. Its size is looked at before anything else, and a pipe or a device is never waited for.",
        "standin check recording.mp4" => "standin check story.toml";
    TOML_SYNTAX = 2: "The file is not TOML. The place shown is where reading it stopped making sense; a missing quote or bracket is often a line earlier. As long as there is such a problem, nothing else of the file is told: it would follow from this one.",
        "name = \"a lost order" => "name = \"a lost order\"";
    JSON_SYNTAX = 3: "The file is not JSON. Templates are strict JSON: no comments, no trailing commas, keys in double quotes.",
        "{ \"topic\": \"chat.close\", }" => "{ \"topic\": \"chat.close\" }";
    DUPLICATE_KEY = 4: "The same key is there twice in one table or object. One of the two would be lost.",
        "name = \"one\"\nname = \"two\"" => "name = \"one\"";

    UNKNOWN_KEY = 10: "The table has a key that nothing reads. It is most likely mistyped; the help names the nearest key that is read.",
        "open = { asignee = \"bot\" }" => "open = { assignee = \"bot\" }";
    MISSING_KEY = 11: "The table lacks a key that it cannot do without.",
        "say = { text = \"Hello!\" }" => "say = { by = \"visitor\", text = \"Hello!\" }";
    WRONG_TYPE = 12: "The value is of another type than the key takes, or outside what it can hold.",
        "rate = { score = \"5\" }" => "rate = { score = 5 }";
    UNKNOWN_WORD = 13: "The text is not one of the words that the key takes.",
        "role = \"agnet\"" => "role = \"agent\"";
    WRONG_DURATION = 14: "A duration is a number with a unit: `ms`, `s`, `m` or `h`, or several of them one behind the other. A range of two is written with dots between them. It lies from zero to thirty days.",
        "after = 5" => "after = \"5s\"       # or \"1m 30s\", or \"1s..3s\"";
    TOO_MANY = 15: "The file goes beyond a limit. Limits keep a mistyped number from filling memory or a receiver's queue.",
        "say = { by = \"visitor\", text = \"(5,000 characters)\" }" => "say = { by = \"visitor\", text = \"(4,096 at most)\" }";
    EMPTY = 16: "Something that needs at least one entry has none. A list that means \"all of them\" is left out instead.",
        "vendors = []" => "# no `vendors`: every vendor that can play it";

    UNKNOWN_VENDOR = 20: "No vendor has this id, or the scenario is not played there. `--templates DIR` adds vendors of your own.",
        "only = [\"acmee\"]" => "only = [\"acme\"]";
    UNKNOWN_REVISION = 21: "The vendor has no such revision. A revision is written behind the vendor's id: `vendor@revision`.",
        "vendors = [\"acme@2\"]" => "vendors = [\"acme@docs\"]";
    UNKNOWN_PERSON = 22: "Nobody of this name takes part. A participant is a name from `[cast.…]`, a role that exactly one participant has, or `assignee`.",
        "say = { by = \"grcae\", text = \"Hello!\" }" => "say = { by = \"grace\", text = \"Hello!\" }   # with [cast.grace]";
    AMBIGUOUS_PERSON = 23: "More than one cast member has this role, so the role alone does not say who is meant. Use the name.",
        "assign = { to = \"agent\" }   # with two agents" => "assign = { to = \"grace\" }";
    RESERVED_NAME = 24: "The name has a meaning of its own, or is not spelled as names are, and cannot be given to somebody.",
        "[cast.assignee]\nrole = \"agent\"" => "[cast.grace]\nrole = \"agent\"";
    DUPLICATE_ID = 25: "Two things have the same name, so a reference to it would not say which one is meant.",
        "id = \"question\"   # in two steps" => "id = \"question\"   # and `id = \"second-question\"`";

    NO_ACT = 30: "A step holds exactly one act, such as `open`, `say` or `close`.",
        "[[step]]\nafter = \"2s\"" => "[[step]]\nafter = \"2s\"\nclose = { by = \"bot\" }";
    WRONG_ORDER = 31: "The act cannot happen at this point of the conversation: nothing happens before `open`, and after `close` only `reopen` and notes.",
        "close, then say" => "close, then reopen, then say";
    VENDOR_CANNOT = 32: "The vendor has no such act, and the scenario names no vendor that has it.",
        "vendors = [\"acme\"]   # and a step that acme cannot play" => "vendors = [\"acme\", \"other\"]   # it is skipped at acme";
    UNKNOWN_KIND = 33: "No vendor that plays the scenario knows this kind of message or of entity.",
        "say = { by = \"bot\", kind = \"button\" }" => "say = { by = \"bot\", kind = \"buttons\" }";
    UNKNOWN_DATA = 34: "The kind of message or entity has no such data on any vendor that plays the scenario.",
        "say = { by = \"bot\", txt = \"Hello!\" }" => "say = { by = \"bot\", text = \"Hello!\" }";
    NOTHING_SUBSCRIBED = 35: "The pattern matches none of the vendor's event types, so nothing would be sent for it.",
        "subscribe = { acme = [\"mesage.*\"] }" => "subscribe = { acme = [\"message.*\"] }";
    NO_SUCH_STEP = 36: "No earlier step has this id, says something, or creates it.",
        "read = { by = \"grace\", upto = \"later\" }" => "read = { by = \"grace\", upto = \"question\" }";
    UNKNOWN_STATUS = 37: "A set of statuses is written with three digits (`200`), a class (`2xx`) or `any`.",
        "status = [\"20x\"]" => "status = [\"2xx\", \"410\"]";
    CONTRADICTION = 38: "Two keys that stand beside each other exclude each other.",
        "[step.for.acme]\nskip = \"no notes there\"\nsay = { by = \"bot\", text = \"…\" }" => "[step.for.acme]\nskip = \"no notes there\"";
    WRONG_FAULT = 39: "A fault is wanted misbehaviour of a delivery: one of a closed list of names, some with an amount behind a colon. One delivery has at most one that is about its order, one about its token or signature, and one about how it is written.",
        "fault = \"wrong_tokn\"" => "fault = \"wrong_token\"   # or [\"wrong_token\", \"slow_body\"], or \"delay:2s\"";

    HOLE_SYNTAX = 50: "A hole is written `${path}`, `${path?}` or `${path | filter}`; `$$` writes a dollar sign.",
        "text = \"Order ${fake.order_number\"" => "text = \"Order ${fake.order_number}\"";
    UNKNOWN_PATH = 51: "Nothing of this name is known where the hole stands.",
        "\"${conversation.idd}\"" => "\"${conversation.id}\"";
    OPTIONAL_PATH = 52: "The value can be absent. Write `${path?}` to leave the key out then, or `or:` to put something in its place.",
        "\"${visitor.email}\"" => "\"${visitor.email | or:null}\"";
    NOT_OPTIONAL = 53: "The value is always there, so `?` and `or:` would never do anything.",
        "\"${conversation.channel?}\"" => "\"${conversation.channel}\"";
    UNKNOWN_FILTER = 54: "No filter has this name.",
        "\"${visitor.name | uper}\"" => "\"${visitor.name | upper}\"";
    WRONG_FILTER = 55: "The filter does not take a value of this type, or lacks its argument.",
        "\"${visitor.name | cut}\"" => "\"${visitor.name | cut:20}\"";
    NOT_A_VALUE = 56: "The value cannot be written as it is: a time needs a filter that says how it is spelled, a table needs one of its parts.",
        "\"${event.at}\"" => "\"${event.at | iso_ms}\"";
    TEMPLATE_KEY = 57: "A key that begins with `$` is one of the template's own: `$each`, `$do`, `$if`, `$is`, `$then`, `$else`, `$include`, `$with`, `$merge`, `$json`. `$$` in front writes such a key as it is.",
        "{ \"$fi\": \"visitor.email\", \"$then\": 1 }" => "{ \"$if\": \"visitor.email\", \"$then\": 1 }";
    INCLUDE = 58: "The included file is missing, includes itself, or is nested too deeply.",
        "{ \"$include\": \"haed.json\" }" => "{ \"$include\": \"head.json\" }";
    UNKNOWN_TABLE = 59: "The vendor has no `[words.…]` table of this name, or the table lacks a word that can occur.",
        "\"${by.role | word:rolls}\"" => "\"${by.role | word:roles}\"   # with [words.roles]";
    MADE_VALUE = 60: "`${new.…}` makes ids and credentials. It stands only in `[account]`, `[secret]` and `[ids]`, or as the word `*` of a table, in one of the forms listed.",
        "token = \"${new.uuid}\"" => "token = \"${new.uuid4}\"";
    OPTIONAL_IN_TEXT = 61: "`?` leaves out a whole value. Inside a longer text there is nothing to leave out; use `or:`.",
        "\"mailto:${visitor.email?}\"" => "\"mailto:${visitor.email | or:\\\"\\\"}\"";

    UNCOVERED_ACT = 70: "For each act a vendor's folder says exactly one of: it sends an event, it is silent, it cannot. This act is said twice or not at all.",
        "# neither an [[event]] on typing.changed nor a reason" => "[silent]\n\"typing.changed\" = \"there is no webhook for it\"";
    UNKNOWN_TEMPLATE = 71: "The vendor's folder has no such file.",
        "template = \"mesage.json\"" => "template = \"message.json\"";
    UNKNOWN_EVENT = 72: "There is no such neutral event, or no vendor sends this type.",
        "on = \"mesage.sent\"" => "on = \"message.sent\"";
    NO_SOURCE = 73: "Every section of a vendor's folder says in `[source]` where its facts come from.",
        "[header]   # and nothing in [source]" => "[source]\nheader = { status = \"assumed\" }";
    WRONG_CHOICE = 74: "The option has no such value.",
        "option = { token_in = \"cookie\" }" => "option = { token_in = \"header\" }";
    EXTENDS = 75: "The vendor extends another that is missing, or that extends it in turn.",
        "extends = \"acmee\"" => "extends = \"acme\"";
    VENDOR_FOLDER = 76: "The folder cannot be used as a vendor, or holds none.",
        "--templates vendors/acme" => "--templates vendors";
    UNKNOWN_COUNTER = 77: "The vendor declares no counter of this name.",
        "counter = \"sequnce\"" => "counter = \"sequence\"   # with [counter.sequence]";
    UNKNOWN_SAMPLE = 78: "`samples/index.toml` names a file that is not beside it, or an event that the vendor does not send.",
        "[[sample]]\nfile = \"chat.clsoe.json\"" => "[[sample]]\nfile = \"chat.close.json\"";
    WIRE_ORDER = 79: "`wire` lists every header of the vendor's requests once, in their order and case, and `Host` and `Content-Length`, which are written for it.",
        "[delivery]\nwire = [\"Host\"]" => "[delivery]\nwire = [\"Host\", \"X-Signature\", \"Content-Length\"]";

    WRONG_URL = 80: "A receiver's address is an http or https URL without user name and password.",
        "url = \"localhost:3000\"" => "url = \"http://localhost:3000/\"";
    NO_RECEIVER = 81: "There is no address to send to: give `--to URL`, or an `[[endpoint]]` in the configuration.",
        "standin run handover --vendor acme" => "standin run handover --vendor acme --to http://localhost:3000/";
    SECRET_MISSING = 82: "The secret is named as `env:NAME` or `file:PATH`, and there is nothing there.",
        "secret = { token = \"env:ACME_TOKEN\" }   # which is not set" => "export ACME_TOKEN=…";
    NOTHING_TO_PLAY = 83: "No scenario was found, no vendor can play it, or it is not clear which one should.",
        "standin run handover --to http://localhost:3000/" => "standin run handover --vendor acme --to http://localhost:3000/";
    UNKNOWN_SCENARIO = 84: "There is no such file, and no bundled scenario of this name.",
        "standin run handovr" => "standin run handover";
    FILE_EXISTS = 85: "A file of this name is there already, and what somebody wrote is never overwritten.",
        "standin init acme story.toml   # which is there" => "standin init acme another.toml";
    FORBIDDEN_ADDRESS = 86: "Loopback and private addresses are sent to as they are, public ones with `--allow-public`, and those that are link-local, multicast, reserved or of cloud metadata never.",
        "--to http://93.184.216.34/" => "--to http://93.184.216.34/ --allow-public";
    WRONG_HEADER = 87: "A header's name is letters, digits and hyphens, its value what a header can hold; those that belong to the connection are not yours to set.",
        "headers = { \"X Env\" = \"ci\" }" => "headers = { \"X-Env\" = \"ci\" }";

    WRONG_POINTER = 90: "A JSON pointer leads to a value of a body and begins with a slash.",
        "event = [\"topic\"]" => "event = [\"/topic\"]";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert_eq!(Code::parse("e011"), Some(MISSING_KEY));
        assert_eq!(Code::parse("E999"), None);
    }

    #[test]
    fn each_is_explained_with_an_example() {
        for explained in CODES {
            assert!(explained.about.ends_with('.'), "{}", explained.code);
            assert_ne!(explained.wrong, explained.right, "{}", explained.code);
        }
    }
}
