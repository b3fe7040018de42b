//! Entry point of the binary. All code is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    standin::cli::main()
}
