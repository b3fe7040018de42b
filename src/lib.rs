//! An emulator of chat vendors, for testing webhook receivers.
//!
//! standin runs scripted conversations and sends the webhooks that the real platform would send to
//! a receiver under test. It reports what the receiver did and whether it passed. A script contains
//! actions. A conversation turns actions into events, a platform turns events into signed requests,
//! and delivery turns requests into attempts. Every step is written as a record.
//!
//! Modules import from lower layers only. The groups below are the layers, the highest first;
//! `ARCHITECTURE.md` describes them.

pub mod cli;

pub mod listen;

pub mod server;

pub mod emulator;
pub mod fidelity;
pub mod run;

pub mod delivery;
pub mod journal;
pub mod report;
pub mod scenario;

pub mod platform;

pub mod conversation;
pub mod matcher;
pub mod policy;

pub mod config;
pub mod record;
pub mod template;

pub mod fault;

pub mod diag;

pub mod base;
