//! One binary of integration tests: the public surface, real sockets, the house rules.

mod architecture;
mod coherence;
mod commands;
mod delivery;
mod golden;
mod handshake;
mod model;
mod scenarios;
mod signature;
mod support;
mod template;
mod vendors;
