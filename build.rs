//! Embedded folders are read by a macro, which does not see that a file was added to them.

fn main() {
    println!("cargo::rerun-if-changed=scenarios");
    println!("cargo::rerun-if-changed=templates");
}
