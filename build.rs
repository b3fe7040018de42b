//! Build script: recompiles the crate when embedded files change, and tells the tests which programming
//! languages are installed.

use std::env;
use std::path::Path;

/// Programs that run the snippets, by the name of their configuration value.
const LANGUAGES: [(&str, &str); 6] = [
    ("has_node", "node"),
    ("has_python", "python3"),
    ("has_go", "go"),
    ("has_php", "php"),
    ("has_csharp", "dotnet"),
    ("has_java", "javac"),
];

fn main() {
    // The macro that embeds the folders tracks existing files, but not new ones.
    println!("cargo::rerun-if-changed=scenarios");
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-env-changed=PATH");
    let folders = env::var_os("PATH").unwrap_or_default();
    for (name, program) in LANGUAGES {
        println!("cargo::rustc-check-cfg=cfg({name})");
        let is_program = |folder: &Path| folder.join(program).is_file();
        if env::split_paths(&folders).any(|folder| is_program(&folder)) {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
