//! Seeded values: each is drawn from a hash of the seed, the scope and the value's own name.
//!
//! Nothing is drawn in sequence, so adding a step to a scenario does not reshuffle the values of
//! the others, and a conversation's values do not depend on which thread plays it. The generator
//! is `ChaCha8`, whose numbers do not change between releases.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A scope that values are drawn from, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedScope([u8; 32]);

impl SeedScope {
    /// The scope of a whole run.
    pub fn of_run(seed: u64) -> Self {
        Self(digest(b"standin run", &seed.to_be_bytes()))
    }

    /// A scope that is the same in every run, such as a vendor's test account.
    pub fn fixed(name: &str) -> Self {
        Self(digest(b"standin fixed", name.as_bytes()))
    }

    /// A scope inside this one.
    #[must_use]
    pub fn within(&self, name: &str) -> Self {
        Self(digest(&self.0, name.as_bytes()))
    }

    /// The generator for the value of this name.
    pub fn rng(&self, name: &str) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(digest(&self.0, name.as_bytes()))
    }
}

fn digest(scope: &[u8], name: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(scope).chain_update([0]).chain_update(name).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn a_name_always_draws_the_same_value_and_another_name_another() {
        let seeds = SeedScope::of_run(1).within("conversation 1");
        assert_eq!(seeds.rng("a").next_u64(), seeds.rng("a").next_u64());
        assert_ne!(seeds.rng("a").next_u64(), seeds.rng("b").next_u64());
        assert_ne!(seeds.rng("a").next_u64(), SeedScope::of_run(2).rng("a").next_u64());
    }

    #[test]
    fn the_numbers_never_change_between_releases() {
        assert_eq!(SeedScope::of_run(1).rng("golden").next_u64(), 11_177_905_424_744_104_429);
    }
}
