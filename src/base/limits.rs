//! Limits of standin. A value beyond a limit is reported as an error that names the limit.
//!
//! Sizes are in bytes unless the comment says otherwise.

use std::time::Duration;

use jiff::SignedDuration;

// Files

/// Maximum size of a scenario, vendor or configuration file.
// A parsed TOML tree takes up to 155 times the memory of its file, here about 40 MB.
pub const MAX_FILE: usize = 256 * 1024;
/// Maximum number of tokens in a TOML file, whitespace included.
// A file of punctuation only costs the most memory per byte; MAX_FILE alone does not bound it.
pub const MAX_TOKENS: usize = 150_000;
/// Maximum size of a TOML file whose syntax errors are all reported. For a larger file only the
/// first one is.
// Every byte of a file can be an error, and each error costs memory.
pub const MAX_ERROR_RECOVERY: usize = 64 * 1024;
/// Maximum number of keys in a table of a file.
// Looking up a key is a linear search.
pub const MAX_KEYS: usize = 1_000;
/// Maximum number of entries in a list of a file.
// Larger than MAX_STEPS, whose message is more precise.
pub const MAX_ENTRIES: usize = 20_000;

// Templates

/// Maximum size of one payload template.
pub const MAX_TEMPLATE: usize = 64 * 1024;
/// Maximum size of one template with its includes; a file counts each time it is included.
// Includes that include others several times grow exponentially; MAX_INCLUDES alone is not enough.
pub const MAX_WITH_INCLUDES: usize = 256 * 1024;
/// Maximum number of placeholders in one template, its includes counted.
pub const MAX_PLACEHOLDERS: usize = 1_024;
/// Maximum nesting depth of includes.
pub const MAX_INCLUDES: usize = 8;
/// Maximum number of combinations of a vendor's options.
// Checking a vendor tries each combination.
pub const MAX_OPTION_COMBINATIONS: usize = 4_096;
/// Maximum number of list elements that one body iterates over.
// Nested `$each` loops multiply. No body of at most MAX_BODY bytes has room for as many elements.
pub const MAX_ITERATIONS: usize = 100_000;

// Scenarios and runs

/// Maximum size of a file that a message of a scenario links to.
// Vendors accept uploads of 5 to 25 MB. The files stay in memory while standin runs.
pub const MAX_ATTACHMENT: usize = 8 * 1024 * 1024;
/// Maximum size of all files that the messages of a scenario link to.
pub const MAX_ATTACHMENTS: usize = 32 * 1024 * 1024;
/// Maximum length of the name of an uploaded file.
// The limit of common file systems.
pub const MAX_FILE_NAME: usize = 255;
/// Maximum number of files that a scenario includes.
// Each can have MAX_FILE bytes.
pub const MAX_SHARED_FILES: usize = 32;
/// Maximum size of one text in a scenario.
// Vendors accept messages of 5,000 characters, each of which has up to four bytes in UTF-8.
pub const MAX_TEXT: usize = 16 * 1024;
/// Maximum number of placeholders in one text of a scenario.
pub const MAX_TEXT_PLACEHOLDERS: usize = 64;
/// Maximum number of steps in a scenario.
pub const MAX_STEPS: usize = 10_000;
/// Maximum number of conversations of a scenario.
// More than a story has that a person can follow.
pub const MAX_SCRIPT_CONVERSATIONS: usize = 16;
/// Maximum size of a compiled regular expression.
// Counted repetitions such as `(a{1000}){1000}` multiply. Usual expressions need a few KiB.
pub const MAX_REGEX: usize = 1024 * 1024;
/// Maximum number of rows in the table of a scenario.
pub const MAX_ROWS: usize = 1_000;
/// Maximum number of people in a scenario's cast.
pub const MAX_CAST: usize = 100;
/// Maximum number of names of one kind in a scenario: entities it creates, labels it adds.
pub const MAX_NAMED: usize = 1_000;
/// Maximum number of conversations in a run.
pub const MAX_CONVERSATIONS: u32 = 10_000;
/// Maximum number of steps in a run: steps of the scenario times conversations.
pub const MAX_RUN_STEPS: usize = 1_000_000;
/// Maximum duration in a file, for example of the delay between two steps: 30 days.
pub const MAX_DELAY: SignedDuration = SignedDuration::from_hours(30 * 24);

// Requests and responses

/// Maximum size of a rendered body.
pub const MAX_BODY: usize = 1024 * 1024;
/// Maximum size of the text that the fault `huge` adds to a body.
pub const MAX_HUGE: usize = 16 * 1024 * 1024;
/// Maximum nesting depth of the lists that the fault `deep` adds to a body.
pub const MAX_DEEP: usize = 100_000;
/// Maximum size of a header value.
// Common servers reject longer header lines by default.
pub const MAX_HEADER: usize = 8 * 1024;
/// Maximum number of body bytes that are read from a response; the rest is not read.
pub const MAX_RESPONSE_BODY: usize = 64 * 1024;
/// Maximum size of the head of a response: status line and headers.
// The limit of hyper, a common HTTP library: 8 KiB + 100 * 4 KiB.
pub const MAX_RESPONSE_HEAD: usize = 408 * 1024;
/// Maximum number of headers in a response.
// Also the limit of hyper.
pub const MAX_RESPONSE_HEADERS: usize = 100;
/// Maximum size of the headers of a response that are kept: names and values together. Longer
/// ones are cut.
// The limit of Node.js for a whole head: a receiver that sends more is broken.
pub const MAX_KEPT_HEADERS: usize = 16 * 1024;
/// Maximum number of body bytes that are read from a response of the receiver's own API.
// The state of a receiver can be larger than its response to a webhook.
pub const MAX_STATE_BODY: usize = 1024 * 1024;
/// Maximum time of one request to the receiver's own API.
pub const STATE_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the bot of the bundled receiver waits for the API of a run that has not started yet.
pub const BOT_PATIENCE: Duration = Duration::from_secs(60);
/// First and longest pause between two requests to the receiver's own API. It doubles each time.
// Most receivers have stored an event within milliseconds; the others need not be hurried.
pub const STATE_PAUSES: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_millis(500));
/// Number of deliveries of an account that may wait before its scripts wait under a real clock.
// Each one holds its body. A receiver that is too slow for a run must not exhaust the memory.
pub const MAX_PENDING: usize = 10_000;
/// Maximum number of concurrent attempts to all receivers.
// Each one needs a socket; many systems allow 1,024 open files to a process.
pub const MAX_IN_FLIGHT: usize = 256;
/// Maximum number of concurrent attempts to one receiver.
pub const MAX_IN_FLIGHT_PER_HOST: usize = 32;
/// Maximum number of requests per second to one receiver at a public address.
// Keeps standin from being used as a load generator against other people's servers.
pub const MAX_PUBLIC_RATE: u32 = 50;
/// Maximum timeout of an attempt.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// Maximum number of redirects that one attempt follows, for vendors that follow redirects.
pub const MAX_REDIRECTS: u32 = 20;
/// Default maximum delay that a receiver can request with `Retry-After`; a vendor can override it.
pub const MAX_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Shortest delay between two attempts of a delivery.
// Without one, a retention would never expire under a virtual clock: no run time would pass.
pub const MIN_RETRY_DELAY: SignedDuration = SignedDuration::from_millis(1);
/// Maximum number of attempts of a delivery, whatever its policy says.
// The longest known schedule, three days with delays of up to five minutes, has 871 attempts.
pub const MAX_ATTEMPTS: u32 = 10_000;
/// Maximum size of a request that the bundled receiver reads.
pub const MAX_REQUEST: usize = 1024 * 1024;
/// Maximum size of the body of a call to a vendor's API that transfers no file.
pub const MAX_CALL_BODY: usize = 1024 * 1024;
/// Maximum number of body bytes that a record keeps of a response to such a call.
// Longer ones are lists and files. Every call is a record, and a server keeps up to MAX_KEPT_BYTES of them.
pub const MAX_KEPT_CALL_BODY: usize = 64 * 1024;
/// Maximum number of calls of a conversation that a script can still expect.
// More than any conversation has; a receiver in an endless loop must not exhaust the memory.
pub const MAX_KEPT_CALLS: usize = 1_000;
/// Maximum `limit` of a `[[throttle]]`. The time of each call is kept.
pub const MAX_THROTTLE: usize = 10_000;
/// Time after which a call gets its response that should never get one.
// Every client has given up by then, and a forgotten connection must not stay open forever.
pub const HANG: Duration = Duration::from_secs(600);
/// Maximum number of documents of a kind that calls create at an account; the oldest is removed.
// Each can have the size of a body.
pub const MAX_DOCUMENTS: usize = 100;
/// Maximum number of entries of a list in `[variants]` of a vendor.
// Each of them repeats what can be a whole file.
pub const MAX_VARIANTS: usize = 20;
/// Maximum number of values by which an entry of `find` with `all` finds things.
// Each is compared with everything at the account.
pub const MAX_FOUND_VALUES: usize = 1_000;
/// Maximum size of the body of a call to a vendor's API that transfers a file.
pub const MAX_UPLOAD: usize = 8 * 1024 * 1024;
/// Maximum size of all bodies together that the servers of this process are reading.
// MAX_CONNECTIONS uploads of MAX_UPLOAD would take 8 GiB.
pub const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;
/// Maximum number of concurrent connections to one of the servers.
// The others wait until one is closed, so that this must be more than a client leaves open by mistake.
pub const MAX_CONNECTIONS: usize = 1_024;
/// Maximum time that a server waits for the head of a request, and before that for the handshake of TLS.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time that a server waits for the body of a request.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

// Reports

/// Maximum number of actions, notes and deliveries of a run that a report in a file shows in full. The
/// others are counted.
// A page with more of them is slow in a browser.
pub const MAX_REPORT_ENTRIES: usize = 5_000;
/// Maximum size of the bodies of a run that a report in a file shows.
pub const MAX_REPORT_BYTES: usize = 8 * 1024 * 1024;

/// Maximum number of requests that the bundled receiver keeps.
pub const MAX_KEPT_REQUESTS: usize = 1_000;
/// Maximum size of the bodies of requests that the bundled receiver keeps.
// Bodies of usual size reach MAX_KEPT_REQUESTS first. As many of MAX_REQUEST would take 1 GB.
pub const MAX_KEPT_REQUEST_BYTES: usize = 64 * 1024 * 1024;

// Journal and shutdown

/// Number of records that may wait for the report or the journal before the engine waits.
pub const RECORD_QUEUE: usize = 1_024;
/// Size of the records that may wait for the report or the journal before the engine waits.
// Records of usual size reach RECORD_QUEUE first. Those with large bodies would take 100 MB.
pub const RECORD_QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// Maximum number of records that a subscriber reads at once.
pub const READ_BATCH: usize = 64;
/// Maximum number of records that the journal writes in one transaction.
pub const JOURNAL_BATCH: usize = 8 * READ_BATCH;
/// Maximum size of a journal in bytes: 2 GiB.
pub const MAX_JOURNAL_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Maximum time that attempts in flight may take to finish after an interrupt.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

// Server

/// Default port of `standin serve`.
pub const SERVER_PORT: u16 = 7878;
/// Minimum length of the token of the control API, in characters.
// 256 random bits in base64 have 43. Shorter ones that people choose can be guessed.
pub const MIN_API_TOKEN: usize = 32;
/// Maximum size of a request to the control API.
pub const MAX_API_REQUEST: usize = 1024 * 1024;
/// Time after which the server closes an idle connection.
pub const API_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Maximum number of streams of records.
pub const MAX_STREAMS: usize = 64;
/// Shortest time between two parts of a stream while records are appended.
// Each part costs two system calls and a wake-up of the client. People see no difference.
pub const STREAM_PAUSE: Duration = Duration::from_millis(20);
/// Bytes per second that all streams send together while records are appended.
// A run writes 50 MB of records a second. As many to 64 clients would need all of the CPU.
pub const STREAM_RATE: usize = 16_000_000;
/// Time after which a stream without records sends a sign of life.
// Proxies close idle connections, usually after a minute.
pub const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Maximum number of records that the server keeps in memory.
pub const MAX_KEPT_RECORDS: usize = 100_000;
/// Maximum number of records that a server reads from its journal at once.
pub const RECORD_PAGE: usize = 1_000;
/// Maximum length of the name of an uploaded scenario.
pub const MAX_SCENARIO_NAME: usize = 64;
/// Maximum length of an idempotency key in bytes.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;
/// Maximum number of idempotency keys that a server remembers.
pub const MAX_IDEMPOTENCY_KEYS: usize = 1_000;
/// Maximum time of a jump to a step, whose steps may wait for the receiver.
pub const MAX_JUMP: Duration = Duration::from_secs(20);
/// Maximum number of deliveries that one request reads from the journal of a server.
pub const MAX_DELIVERIES_READ: usize = 1_000;
/// Maximum number of calls that one request reads from the journal of a server.
// Each can have the size of a body.
pub const MAX_CALLS_READ: usize = 500;
/// Maximum size of the records that the server keeps in memory.
pub const MAX_KEPT_BYTES: usize = 64 * 1024 * 1024;
/// Maximum number of runs that the server keeps. The oldest finished ones are forgotten.
pub const MAX_KEPT_RUNS: usize = 1_000;
/// Maximum number of runs that a server with a journal keeps in memory. The others are restored when
/// somebody asks for them.
pub const MAX_RESTORED_RUNS: usize = 200;
/// Maximum number of finished runs that a server restores when it starts, so that receivers find their
/// conversations.
pub const MAX_RUNS_AT_START: usize = 50;
/// Maximum number of runs that one request restores.
pub const MAX_RUNS_PER_REQUEST: usize = 20;
/// Maximum number of conversations in a run of the server.
pub const MAX_LIVE_CONVERSATIONS: u32 = 1_000;
/// Maximum number of endpoints of a vendor at the server.
pub const MAX_ENDPOINTS: usize = 32;
/// Maximum number of actions in one request.
pub const MAX_ACTIONS: usize = 20;
/// Default number of entries in a page of a list.
pub const PAGE_SIZE: usize = 100;
/// Maximum number of entries in a page of a list.
pub const MAX_PAGE: usize = 500;
/// Maximum time that a request waits for the end of a run.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

// Diagnostics

/// Maximum number of problems that are printed with their source; the rest are counted.
pub const MAX_PRINTED_PROBLEMS: usize = 20;
/// Maximum width of printed source, in columns.
pub const MAX_LINE: usize = 200;
/// Maximum length of a printed message or help text, in characters.
pub const MAX_MESSAGE: usize = 600;

// GraphQL

/// Maximum depth of a GraphQL query: more than the introspection query of any client has.
pub const MAX_QUERY_DEPTH: usize = 30;

/// Maximum number of fields that a GraphQL query selects.
pub const MAX_QUERY_COMPLEXITY: usize = 5_000;
