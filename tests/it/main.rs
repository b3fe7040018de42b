//! The integration tests, in one binary: public interface, real sockets, rules of the code base.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod addresses;
mod architecture;
mod coherence;
mod commands;
mod connections;
mod delivery;
mod diagnostics;
mod discovery;
mod docs;
mod emulator;
mod endpoints;
mod faults;
mod fidelity;
mod files;
mod golden;
mod handshake;
mod hostile;
mod journal;
mod leaks;
mod limits;
mod links;
mod model;
mod mutation;
mod payloads_ebbot;
mod payloads_erxes;
mod payloads_liveperson;
mod payloads_wotnot;
mod pipes;
mod policies;
mod resources;
mod revisions;
mod scenarios;
mod schema;
mod secrets;
mod sending;
mod signature;
mod simulator;
mod support;
mod template;
mod vendors;
mod watch;
mod wire;
mod wrong_input;
