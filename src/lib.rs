//! A stand-in for chat vendors.
//!
//! standin impersonates chat vendors: it plays scripted conversations and sends the webhooks that
//! the real platform would send, to a receiver under test, and says what the receiver did wrong.
//! A script makes people act; a conversation turns acts into events; a vendor turns events into
//! signed requests; delivery turns requests into attempts; everything that happened is a record.
//!
//! Modules import downwards only, in these layers; `ARCHITECTURE.md` has the picture.

pub mod cli;

pub mod listen;

pub mod server;

pub mod fidelity;
pub mod run;

pub mod delivery;
pub mod journal;
pub mod report;
pub mod scenario;

pub mod platform;

pub mod conversation;
pub mod policy;

pub mod config;
pub mod record;
pub mod template;

pub mod fault;

pub mod diag;

pub mod base;
