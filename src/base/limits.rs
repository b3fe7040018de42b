//! Every limit, named: a value beyond one is an error that says so, never a slow surprise.

use std::time::Duration;

use jiff::SignedDuration;

/// Bytes of a scenario, vendor or configuration file. A TOML tree costs up to 155 bytes of memory
/// for each byte of its file.
pub const MAX_FILE: usize = 256 * 1024;
/// Names, values, signs and blanks of a TOML file. A file of nothing but signs costs most memory.
pub const MAX_TOKENS: usize = 150_000;
/// Bytes of a TOML file whose syntax errors are all told; of a larger one the first is, since each
/// byte of it can be one.
pub const MAX_RECOVERED: usize = 64 * 1024;
/// Keys of a table in a file.
pub const MAX_KEYS: usize = 1_000;
/// Entries of a list in a file.
pub const MAX_ENTRIES: usize = 20_000;
/// Bytes of one payload template.
pub const MAX_TEMPLATE: usize = 64 * 1024;
/// Bytes of one template, its includes counted each time that they are included.
pub const MAX_WITH_INCLUDES: usize = 256 * 1024;
/// Holes of one template, its includes counted.
pub const MAX_PLACEHOLDERS: usize = 1_024;
/// How deep includes may nest.
pub const MAX_INCLUDES: usize = 8;
/// Bytes of one text of a scenario.
pub const MAX_TEXT: usize = 4 * 1024;
/// Holes of one text of a scenario.
pub const MAX_TEXT_PLACEHOLDERS: usize = 64;
/// Ways to choose among a vendor's options; each of them is tried.
pub const MAX_CHOICES: usize = 1_024;
/// Steps of a scenario.
pub const MAX_STEPS: usize = 10_000;
/// People of a scenario's cast.
pub const MAX_CAST: usize = 100;
/// Things of one sort that a scenario names: what it creates, the labels it puts on.
pub const MAX_NAMED: usize = 1_000;
/// Conversations of a run.
pub const MAX_CONVERSATIONS: u32 = 10_000;
/// Steps of a run: those of its scenario, in each of its conversations.
pub const MAX_PLAYED_STEPS: usize = 1_000_000;
/// The longest delay between two steps.
pub const MAX_DELAY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Bytes of a rendered body.
pub const MAX_BODY: usize = 1024 * 1024;
/// Elements of lists that one body walks through; more than any body has room for.
pub const MAX_WALKED: usize = 100_000;
/// Bytes of the text that the fault `huge` puts into a body.
pub const MAX_HUGE: usize = 16 * 1024 * 1024;
/// How deep the fault `deep` nests lists.
pub const MAX_DEEP: usize = 100_000;
/// Bytes of a header's value.
pub const MAX_HEADER: usize = 8 * 1024;
/// Bytes of a receiver's answer that are read; the rest is left unread.
pub const MAX_ANSWER: usize = 64 * 1024;
/// Bytes of the head of a receiver's answer; as many as the default transport takes.
pub const MAX_ANSWER_HEAD: usize = 408 * 1024;
/// Headers of a receiver's answer.
pub const MAX_ANSWER_HEADERS: usize = 100;
/// Attempts under way at once, over all receivers.
pub const MAX_IN_FLIGHT: usize = 256;
/// Attempts under way at once to one receiver.
pub const MAX_IN_FLIGHT_PER_HOST: usize = 32;
/// Requests per second to one receiver that may be somebody else's.
pub const MAX_PUBLIC_RATE: u32 = 50;
/// The longest time limit that an attempt can have.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// Redirects of one attempt that are followed, where a vendor follows them.
pub const MAX_REDIRECTS: u32 = 20;
/// How long a receiver's `Retry-After` may make a delivery wait, unless its vendor says otherwise.
pub const RETRY_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Records that may wait for the report before the engine waits.
pub const RECORD_QUEUE: usize = 1_024;
/// Records that the journal writes in one transaction.
pub const JOURNAL_BATCH: usize = 512;
/// Pages of 4 KiB that a journal may have: 2 GiB.
pub const MAX_JOURNAL_PAGES: u32 = 524_288;
/// How long attempts that are under way may take to end once somebody interrupts.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Problems of one check that are drawn; the rest are counted.
pub const MAX_DRAWN: usize = 20;
/// Characters of a source line that are drawn.
pub const MAX_LINE: usize = 200;
/// Characters of a problem's message, or of its help, that are shown.
pub const MAX_MESSAGE: usize = 600;
/// Bytes of a request that the bundled receiver reads.
pub const MAX_REQUEST: usize = 1024 * 1024;
/// How long the bundled receiver waits for a request's body.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
