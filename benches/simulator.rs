//! How many seeds of the simulated world a second plays: `cargo bench --bench simulator [SEEDS]`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends where it cannot go on")]

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
        let play = |first: u64| {
            let own = (first..seeds).step_by(usize::try_from(threads).unwrap());
            own.map(|seed| {
                World::of(seed).check().unwrap_or_else(|broken| panic!("{broken}, seed {seed}"))
            })
            .sum::<u64>()
        };
        let playing: Vec<_> = (0..threads).map(|first| scope.spawn(move || play(first))).collect();
        playing.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap();
    println!(
        "{seeds} seeds, {steps} steps in {millis} ms on {threads} threads: {} seeds a second",
        seeds * 1000 / millis
    );
}
