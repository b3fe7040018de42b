//! Thousands of seeds of the world that the engine lives in.

mod world;

use world::World;

/// How many seeds a test run plays; `benches/simulator.rs` plays more.
const SEEDS: u64 = 4_000;

/// `STANDIN_SEED` plays one seed again.
#[test]
fn every_invariant_holds_whatever_goes_wrong() {
    let one = std::env::var("STANDIN_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = one.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    for seed in seeds {
        if let Err(broken) = World::of(seed).check() {
            panic!(
                "{broken}\nagain: STANDIN_SEED={seed} cargo test --test it every_invariant_holds"
            );
        }
    }
}
