//! A stand-in for chat vendors.
pub mod base;
pub mod config;
pub mod conversation;
pub mod diag;
pub mod policy;
pub mod template;
pub mod vendor;
