//! Throughput of the delivery simulation: `cargo bench --bench simulator [SEEDS]`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may panic and prints its result"
)]

#[path = "../tests/it/simulator/world.rs"]
mod world;

use std::thread;
use std::time::Instant;

use world::World;

fn main() {
    let seeds: u64 = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let began = Instant::now();
    let steps: u64 = thread::scope(|scope| {
        let run = |first: u64| {
            let seeds = (first..seeds).step_by(usize::try_from(threads).unwrap());
            seeds
                .map(|seed| {
                    World::of(seed).check().unwrap_or_else(|broken| panic!("{broken}, seed {seed}"))
                })
                .sum::<u64>()
        };
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        workers.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap();
    println!(
        "{seeds} seeds, {steps} steps in {millis} ms on {threads} threads: {} seeds per second",
        seeds * 1000 / millis
    );
}
