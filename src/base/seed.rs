//! Reproducible random values. Each value has its own generator, seeded with a hash of the run's
//! seed, the scope and the value's name.
//!
//! No sequence is shared. Adding a step to a scenario therefore does not change the values of other
//! steps, and the values of a conversation do not depend on the thread that runs it. The generator
//! is `ChaCha8`, which `rand` guarantees to be portable and stable between releases.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A namespace for random values. The same scope and name always give the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedScope([u8; 32]);

impl SeedScope {
    /// Returns the scope of a whole run.
    pub fn of_run(seed: u64) -> Self {
        Self(digest(b"standin run", &seed.to_be_bytes()))
    }

    /// Returns a scope that does not depend on the seed, for example for a vendor's test account.
    pub fn fixed(name: &str) -> Self {
        Self(digest(b"standin fixed", name.as_bytes()))
    }

    /// Returns the scope with this name inside this one.
    #[must_use]
    pub fn within(&self, name: &str) -> Self {
        Self(digest(&self.0, name.as_bytes()))
    }

    /// Returns the random number generator for the value with this name.
    pub fn rng(&self, name: &str) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(digest(&self.0, name.as_bytes()))
    }
}

fn digest(scope: &[u8], name: &[u8]) -> [u8; 32] {
    // The zero byte separates scope and name: ("ab", "c") and ("a", "bc") must differ.
    Sha256::new().chain_update(scope).chain_update([0]).chain_update(name).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn values_are_stable_by_name_and_differ_between_names() {
        let seeds = SeedScope::of_run(1).within("conversation 1");
        assert_eq!(seeds.rng("a").next_u64(), seeds.rng("a").next_u64());
        assert_ne!(seeds.rng("a").next_u64(), seeds.rng("b").next_u64());
        assert_ne!(seeds.rng("a").next_u64(), SeedScope::of_run(2).rng("a").next_u64());
    }

    #[test]
    fn generated_numbers_do_not_change_between_releases() {
        assert_eq!(SeedScope::of_run(1).rng("golden").next_u64(), 11_177_905_424_744_104_429);
    }
}
