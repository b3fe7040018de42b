//! Reports: records told to people and to programs. They never run anything.

mod console;
mod json;
mod next;

use std::io::{self, Write};

use crate::record::Record;

pub use console::{Console, Detail};
pub use json::JsonLines;
pub use next::{Again, start_one};

/// Something that tells records as they come.
pub trait Report: Send {
    /// Tells one record.
    fn tell(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()>;
}
