# `just` lists what there is.
_default:
    @just --list

# Format, lints and docs, as CI has them
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet

# All tests
test:
    cargo test

# The vendor and a receiver in one terminal
demo VENDOR="":
    cargo run --release -- demo {{VENDOR}}

# Record golden bytes anew; read the difference before you commit it
bless:
    STANDIN_BLESS=1 cargo test golden
    git diff --stat tests/golden

# A new vendor, as a copy of the one that uses every primitive
new-vendor NAME:
    cp -r tests/vendors/parlour templates/{{NAME}}
    sed -i 's/^id   = "parlour"/id   = "{{NAME}}"/; s/^name = "Parlour"/name = "{{NAME}}"/' templates/{{NAME}}/vendor.toml
    cargo run -- check templates/{{NAME}}

# Any text as a scenario, config or template, for a minute
fuzz TARGET="scenario":
    cargo fuzz run -s none {{TARGET}} -- -max_total_time=60 -rss_limit_mb=512 -timeout=5

# A static binary for any Linux on this architecture: glibc's own static linking, which needs no other toolchain
dist:
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --target x86_64-unknown-linux-gnu
    ls -l target/x86_64-unknown-linux-gnu/release/standin

# Licences, sources and forbidden features of what is depended on
deny:
    cargo deny --offline check licenses bans sources
