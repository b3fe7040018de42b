//! Entry point of the binary. All code is in the library.

use std::process::ExitCode;

// A run allocates many small texts on one thread and frees them on another, which is slow with the
// allocator of glibc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    standin::cli::main()
}
