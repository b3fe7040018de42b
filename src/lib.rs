//! A stand-in for chat vendors.
pub mod base;
pub mod conversation;
pub mod diag;
pub mod template;
