//! One binary of integration tests: the public surface, real sockets, the house rules.

mod template;
