//! Stable problem codes, each with an explanation and an example for `--explain`.

use std::fmt;

/// Stable code of a problem, such as `E011`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// Explanation of a code, with an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeExplanation {
    /// The code.
    pub code: Code,
    /// What the code means and how to fix the problem.
    pub about: &'static str,
    /// An example with the problem.
    pub invalid: &'static str,
    /// The corrected example.
    pub valid: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "E{:03}", self.0)
    }
}

impl Code {
    /// Parses a code such as `E011`, ignoring case.
    pub fn parse(text: &str) -> Option<Self> {
        let mut codes = CODES.iter().map(|explained| explained.code);
        codes.find(|code| code.to_string().eq_ignore_ascii_case(text))
    }

    /// Returns the explanation of the code.
    pub fn explanation(self) -> Option<&'static CodeExplanation> {
        CODES.iter().find(|explained| explained.code == self)
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal: $about:literal, $invalid:literal => $valid:literal;)*) => {
        $(#[doc = $about] pub const $name: Code = Code($number);)*
        /// All codes with their explanations, in ascending order.
        pub const CODES: &[CodeExplanation] = &[
            $(CodeExplanation { code: $name, about: $about, invalid: $invalid, valid: $valid }),*
        ];
    };
}

// Numbers are stable and never reused, because users search for them. Each group starts at a
// multiple of ten, which leaves room for more.
codes! {
    FILE_UNREADABLE = 1: "A file could not be read. It is missing, not a regular file, larger than 256 KiB, or not UTF-8. Pipes and devices are not supported.",
        "standin check recording.mp4" => "standin check story.toml";
    TOML_SYNTAX = 2: "The file is not valid TOML. The location shown is where the parser failed. The cause, such as a missing quote or bracket, is often on the line before. Other problems of the file are reported only after its syntax errors are fixed, because they may be consequences.",
        "name = \"a lost order" => "name = \"a lost order\"";
    JSON_SYNTAX = 3: "The file is not valid JSON. Templates are strict JSON: no comments, no trailing commas, keys in double quotes.",
        "{ \"topic\": \"chat.close\", }" => "{ \"topic\": \"chat.close\" }";
    DUPLICATE_KEY = 4: "A table or object contains the same key twice. One of the two values would be ignored.",
        "name = \"one\"\nname = \"two\"" => "name = \"one\"";

    UNKNOWN_KEY = 10: "The table contains an unknown key, most likely a typo. The help names the most similar valid key.",
        "open = { asignee = \"bot\" }" => "open = { assignee = \"bot\" }";
    MISSING_KEY = 11: "A required key is missing from the table.",
        "say = { text = \"Hello!\" }" => "say = { by = \"visitor\", text = \"Hello!\" }";
    INVALID_TYPE = 12: "The value has another type than the key requires, or is out of range.",
        "rate = { score = \"5\" }" => "rate = { score = 5 }";
    UNKNOWN_VALUE = 13: "The string is not one of the values that the key accepts.",
        "role = \"agnet\"" => "role = \"agent\"";
    INVALID_DURATION = 14: "The duration is invalid. Write a number with a unit (`ms`, `s`, `m` or `h`), or several of them in a row. Write a range with two dots between its ends. A duration must be between 0 and 30 days.",
        "after = 5" => "after = \"5s\"       # or \"1m 30s\", or \"1s..3s\"";
    TOO_MANY = 15: "The file exceeds a limit. Limits prevent a mistyped number from exhausting memory or flooding a receiver.",
        "say = { by = \"visitor\", text = \"(20,000 characters)\" }" => "say = { by = \"visitor\", text = \"(16,384 bytes at most)\" }";
    EMPTY = 16: "A list that needs at least one entry is empty. To select everything, remove the key.",
        "vendors = []" => "# no `vendors`: all vendors that can run it";
    OUT_OF_RANGE = 17: "The value is outside what the vendor allows: a number out of range, a date or time that does not exist, a file of another type, or a choice that was not offered.",
        "say = { by = \"visitor\", kind = \"rating\", score = 7 }" => "say = { by = \"visitor\", kind = \"rating\", score = 5 }";

    UNKNOWN_VENDOR = 20: "No vendor has this id, or the scenario does not run at that vendor. To add vendors, use `--templates DIR`.",
        "only = [\"acmee\"]" => "only = [\"acme\"]";
    UNKNOWN_REVISION = 21: "The vendor has no such revision. A revision follows the vendor's id: `vendor@revision`.",
        "vendors = [\"acme@2\"]" => "vendors = [\"acme@docs\"]";
    UNKNOWN_PARTICIPANT = 22: "The conversation has no participant with this name. Use a name from `[cast.…]`, a role that exactly one participant has, or `assignee`.",
        "say = { by = \"grcae\", text = \"Hello!\" }" => "say = { by = \"grace\", text = \"Hello!\" }   # with [cast.grace]";
    AMBIGUOUS_PARTICIPANT = 23: "Several cast members have this role, so the role does not identify one of them. Use the name.",
        "assign = { to = \"agent\" }   # with two agents" => "assign = { to = \"grace\" }";
    RESERVED_NAME = 24: "The name is reserved or does not follow the rules for names, so a cast member cannot have it.",
        "[cast.assignee]\nrole = \"agent\"" => "[cast.grace]\nrole = \"agent\"";
    DUPLICATE_ID = 25: "The same name is used twice, so a reference to it would be ambiguous.",
        "id = \"question\"   # in two steps" => "id = \"question\"   # and `id = \"second-question\"`";

    NO_ACTION = 30: "A step must contain exactly one action, such as `open`, `say` or `close`.",
        "[[step]]\nafter = \"2s\"" => "[[step]]\nafter = \"2s\"\nclose = { by = \"bot\" }";
    INVALID_ORDER = 31: "The action is not possible at this point of the conversation. The first action must be `open`; after `close` only `reopen` and notes are possible, and in a survey messages with `in = \"survey\"`.",
        "close, then say" => "close, then reopen, then say";
    VENDOR_CANNOT = 32: "The vendor does not support this action, and the scenario lists no other vendor that does.",
        "vendors = [\"acme\"]   # and a step that acme does not support" => "vendors = [\"acme\", \"other\"]   # the step is skipped at acme";
    UNKNOWN_KIND = 33: "No vendor of the scenario has this kind of message or entity.",
        "say = { by = \"bot\", kind = \"button\" }" => "say = { by = \"bot\", kind = \"buttons\" }";
    UNKNOWN_DATA = 34: "No vendor of the scenario has this field for this kind of message or entity.",
        "say = { by = \"bot\", txt = \"Hello!\" }" => "say = { by = \"bot\", text = \"Hello!\" }";
    NOTHING_SUBSCRIBED = 35: "The pattern matches none of the vendor's event types, so no event would be sent for it.",
        "subscribe = { acme = [\"mesage.*\"] }" => "subscribe = { acme = [\"message.*\"] }";
    NO_SUCH_STEP = 36: "No earlier step has this id, sends a message with it, or creates an entity with it.",
        "read = { by = \"grace\", upto = \"later\" }" => "read = { by = \"grace\", upto = \"question\" }";
    UNKNOWN_STATUS = 37: "Write a status as three digits (`200`), a class (`2xx`) or `any`.",
        "status = [\"20x\"]" => "status = [\"2xx\", \"410\"]";
    CONTRADICTION = 38: "Two keys of the same table exclude each other.",
        "[step.for.acme]\nskip = \"no notes there\"\nsay = { by = \"bot\", text = \"…\" }" => "[step.for.acme]\nskip = \"no notes there\"";
    INVALID_FAULT = 39: "The fault is unknown or incomplete. A fault makes one delivery misbehave. Each has a name from a fixed list; some take a value after a colon. A delivery can have at most one fault of its order, one of its token or signature, and one of its encoding.",
        "fault = \"wrong_tokn\"" => "fault = \"wrong_token\"   # or [\"wrong_token\", \"slow_body\"], or \"delay:2s\"";
    INVALID_REGEX = 40: "The regular expression is invalid or too large. The syntax is that of the Rust crate `regex`, without lookaround and backreferences. In TOML, single quotes keep backslashes.",
        "{ regex = '(\\d+' }" => "{ regex = '(\\d+)' }";

    NO_SUCH_VALUE = 43: "A pointer of `patch` must match a value in at least one body that its step sends. `patch` changes or removes values; it does not add any.",
        "patch = { \"/data/txet\" = \"Hi\" }" => "patch = { \"/data/text\" = \"Hi\" }";
    INVALID_VARIABLE = 45: "The variable has no value of the right type, or reads an environment variable that the operator has not allowed.",
        "--set count=many   # with count = 3 in [vars]" => "--set count=4";

    PLACEHOLDER_SYNTAX = 50: "The placeholder is invalid. Write `${path}`, `${path?}` or `${path | filter}`. For a dollar sign write `$$`.",
        "text = \"Order ${fake.order_number\"" => "text = \"Order ${fake.order_number}\"";
    UNKNOWN_PATH = 51: "The path of the placeholder does not exist in this context.",
        "\"${conversation.idd}\"" => "\"${conversation.id}\"";
    OPTIONAL_PATH = 52: "The value can be absent. Write `${path?}` to omit the key then, or use the filter `or:` to set a default.",
        "\"${visitor.email}\"" => "\"${visitor.email | or:null}\"";
    NOT_OPTIONAL = 53: "The value is always present, so `?` and `or:` have no effect. Remove them.",
        "\"${conversation.channel?}\"" => "\"${conversation.channel}\"";
    UNKNOWN_FILTER = 54: "There is no filter with this name.",
        "\"${visitor.name | uper}\"" => "\"${visitor.name | upper}\"";
    INVALID_FILTER = 55: "The filter does not accept a value of this type, or its argument is missing.",
        "\"${visitor.name | cut}\"" => "\"${visitor.name | cut:20}\"";
    NOT_A_VALUE = 56: "The value cannot be written as it is. A time needs a filter that formats it; of a table, select a field.",
        "\"${event.at}\"" => "\"${event.at | iso_ms}\"";
    TEMPLATE_KEY = 57: "Keys that start with `$` are reserved for the template language: `$each`, `$do`, `$if`, `$is`, `$then`, `$else`, `$include`, `$with`, `$merge` and `$json`. To write such a key literally, start it with `$$`.",
        "{ \"$fi\": \"visitor.email\", \"$then\": 1 }" => "{ \"$if\": \"visitor.email\", \"$then\": 1 }";
    INCLUDE = 58: "The included file is missing, includes itself, or is nested too deeply; or a group of steps uses itself.",
        "{ \"$include\": \"haed.json\" }" => "{ \"$include\": \"head.json\" }";
    UNKNOWN_TABLE = 59: "The vendor has no `[words.…]` table with this name, or the table has no entry for a value that can occur.",
        "\"${by.role | word:rolls}\"" => "\"${by.role | word:roles}\"   # with [words.roles]";
    GENERATED_VALUE = 60: "`${new.…}` generates an id or a credential. It is valid in `[account]`, `[secret]` and `[ids]` and for the entry `*` of a `[words.…]` table only, with one of the listed formats.",
        "token = \"${new.uuid}\"" => "token = \"${new.uuid4}\"";
    OPTIONAL_IN_TEXT = 61: "`?` omits a whole value, so it cannot be part of a longer string. Use the filter `or:` there.",
        "\"mailto:${visitor.email?}\"" => "\"mailto:${visitor.email | or:\\\"\\\"}\"";

    UNCOVERED_ACTION = 70: "A vendor's folder must list each action exactly once: with an event, as silent, or as not supported. This action is listed twice or not at all.",
        "# neither an [[event]] for typing.changed nor a reason" => "[silent]\n\"typing.changed\" = \"there is no webhook for it\"";
    UNKNOWN_TEMPLATE = 71: "The vendor's folder does not contain this file.",
        "template = \"mesage.json\"" => "template = \"message.json\"";
    UNKNOWN_EVENT = 72: "There is no such event, or no vendor sends this event type.",
        "on = \"mesage.sent\"" => "on = \"message.sent\"";
    NO_SOURCE = 73: "Each section of a vendor's folder needs an entry in `[source]` that says where its facts come from.",
        "[header]   # without an entry in [source]" => "[source]\nheader = { status = \"assumed\" }";
    INVALID_CHOICE = 74: "The option does not accept this value.",
        "option = { token_in = \"cookie\" }" => "option = { token_in = \"header\" }";
    EXTENDS = 75: "The vendor extends another one that is missing or that extends this one in turn.",
        "extends = \"acmee\"" => "extends = \"acme\"";
    VENDOR_FOLDER = 76: "The folder is not a valid vendor, or contains no vendors.",
        "--templates vendors/acme" => "--templates vendors";
    UNKNOWN_COUNTER = 77: "The vendor declares no counter with this name.",
        "counter = \"sequnce\"" => "counter = \"sequence\"   # with [counter.sequence]";
    UNKNOWN_SAMPLE = 78: "`samples/index.toml` refers to a file that is missing from its folder, or to an event that the vendor does not send.",
        "[[sample]]\nfile = \"chat.clsoe.json\"" => "[[sample]]\nfile = \"chat.close.json\"";
    WIRE_ORDER = 79: "`wire` must list each header of the vendor's requests exactly once, in the order and case in which they are sent. It includes `Host` and `Content-Length`, which standin sets itself.",
        "[delivery]\nwire = [\"Host\"]" => "[delivery]\nwire = [\"Host\", \"X-Signature\", \"Content-Length\"]";

    INVALID_URL = 80: "The receiver's address must be an `http` or `https` URL without user name and password.",
        "url = \"localhost:3000\"" => "url = \"http://localhost:3000/\"";
    NO_RECEIVER = 81: "There is no receiver to send to. Use `--to URL`, or add an `[[endpoint]]` to the configuration.",
        "standin run handover --vendor acme" => "standin run handover --vendor acme --to http://localhost:3000/";
    SECRET_MISSING = 82: "The secret refers to an environment variable (`env:NAME`) or a file (`file:PATH`) that is missing, empty or shorter than 4 bytes. A shorter secret cannot be recognized in output and removed.",
        "secret = { token = \"env:ACME_TOKEN\" }   # the variable is not set" => "export ACME_TOKEN=…";
    NOTHING_TO_RUN = 83: "No scenario was found, no vendor can run it, or it is not clear which vendor should.",
        "standin run handover --to http://localhost:3000/" => "standin run handover --vendor acme --to http://localhost:3000/";
    UNKNOWN_SCENARIO = 84: "There is no file with this path, and no bundled scenario with this name.",
        "standin run handovr" => "standin run handover";
    FILE_EXISTS = 85: "The file exists already. standin does not overwrite files of the user.",
        "standin init acme story.toml   # the file exists" => "standin init acme another.toml";
    FORBIDDEN_ADDRESS = 86: "standin does not send requests to this address. Loopback and private addresses are always allowed, public ones with `--allow-public`. Link-local, multicast, reserved and cloud metadata addresses are never allowed.",
        "--to http://93.184.216.34/" => "--to http://93.184.216.34/ --allow-public";
    INVALID_HEADER = 87: "The header is invalid. A name consists of letters, digits and hyphens, and a value of printable characters. Headers that belong to the connection, such as `Host`, cannot be set.",
        "headers = { \"X Env\" = \"ci\" }" => "headers = { \"X-Env\" = \"ci\" }";

    INVALID_KEY = 88: "The key of a signature does not have the encoding that the vendor uses for keys.",
        "key = \"${new.uuid4}\"\nkey_encoding = \"base64\"" => "key = \"${secret.key}\"   # with key = \"${new.alnum:32}\" in [secret]\nkey_encoding = \"base64\"";
    UNVERIFIABLE = 89: "The signature covers a value that only the sender knows. A receiver could not compute the signature unless a header contains the value.",
        "content = \"${sent_at | epoch_secs}.${body}\"   # and no header with it" => "[[header]]\nname  = \"X-Timestamp\"\nvalue = \"${sent_at | epoch_secs}\"";

    INVALID_POINTER = 90: "A JSON pointer selects a value in a body. It must start with a slash. In a key, `~1` stands for a slash and `~0` for a tilde.",
        "event = [\"topic\"]" => "event = [\"/topic\"]";
    UNUSED_RECEIVER = 91: "Nothing is sent to a receiver of `--to`: its vendor is not emulated, or other receivers take precedence.",
        "standin run handover --vendor acme --to globex=http://localhost:3000/" => "standin run handover --vendor acme --to acme=http://localhost:3000/";
    ORIGIN_NOT_GRANTED = 92: "A scenario may send requests to the receiver, and to origins that the person who runs it has allowed. An origin is the scheme, host and port of a URL.",
        "eventually = { get = \"http://localhost:8080/orders/1\" }" => "eventually = { get = \"/orders/1\" }   # or --allow-origin http://localhost:8080";

    UNKNOWN_CALL = 93: "No vendor's API has a call with this neutral name. `standin vendors VENDOR --api` lists the calls of a vendor.",
        "expect = { call = \"send_mesage\" }" => "expect = { call = \"send_message\" }";
    API_NOT_SERVED = 94: "The scenario expects calls of the receiver to the vendor's API, so the API has to be served while the run lasts, at an address that the receiver knows.",
        "standin run story.toml --vendor acme --to http://localhost:3000/" => "standin run story.toml --vendor acme --to http://localhost:3000/ --listen --port acme=8080";
    INVALID_TLS_FILE = 95: "A file of `ca`, `cert` or `key` cannot be used. Certificates and keys must be in PEM format, the key without a password, and it must belong to the first certificate of `cert`.",
        "ca = \"ca.der\"" => "ca = \"ca.pem\"   # openssl x509 -inform der -in ca.der -out ca.pem";

    INVALID_ROUTE = 100: "A route, an operation or a credential of a vendor's API is not valid: its path, method or host name is malformed, or it refers to a route or credential that does not exist.",
        "path = \"v1/conversations\"" => "path = \"/v1/conversations\"";
    INVALID_ACT = 101: "An entry of `act` or `find` must have exactly one action or kind of thing, and must name people by a role, by `assignee` or by a name that `find` gives.",
        "act = [{ say = { by = \"caler\", text = \"…\" } }]" => "find = [{ visitor = { email = \"…\" }, as = \"caller\" }]\nact = [{ say = { by = \"caller\", text = \"…\" } }]";
    UNKNOWN_CONDITION = 102: "There is no such condition under which a call fails.",
        "when = \"not_fuond\"" => "when = \"not_found\"";
    UNANSWERED_CONDITION = 103: "A call of an operation can fail under a condition that has no response. Each condition needs one in the operation, in its route or in `[[api.error]]`. A word covers all conditions that begin with it and a dot.",
        "find = [{ conversation = { id = \"…\" } }]   # and no response to unknown.conversation" => "[[api.error]]\nwhen = \"unknown\"\nreply = { status = 404 }";
    EXAMPLE_FAILS = 104: "The example of an operation must be a call that succeeds.",
        "example = { path = { conversation = \"1\" } }" => "example = { path = { conversation = \"${conversation.id}\" } }";
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
    fn each_code_has_an_explanation_and_an_example() {
        for explained in CODES {
            assert!(explained.about.ends_with('.'), "{}", explained.code);
            assert_ne!(explained.invalid, explained.valid, "{}", explained.code);
        }
    }
}
