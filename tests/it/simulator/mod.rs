//! Simulation tests of the delivery engine with thousands of seeds.

mod world;

use world::World;

/// Number of seeds per test run; `benches/simulator.rs` runs more.
const SEEDS: u64 = 4_000;

/// Set `STANDIN_SEED` to repeat one seed.
#[test]
fn every_invariant_holds_for_random_failures() {
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
