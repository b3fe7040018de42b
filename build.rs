//! Build script: recompiles the crate when embedded files change.

fn main() {
    // The macro that embeds the folders tracks existing files, but not new ones.
    println!("cargo::rerun-if-changed=scenarios");
    println!("cargo::rerun-if-changed=templates");
}
