# Lists all recipes. `just` without a recipe runs this one.
_default:
    @just --list

# Check format, lints and docs, like CI
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet

# Run all tests
test:
    cargo test

# Run a vendor and a receiver in one terminal
demo VENDOR="":
    cargo run --release -- demo {{VENDOR}}

# Update the golden files; review the diff before you commit it
bless:
    STANDIN_BLESS=1 cargo test golden
    git diff --stat tests/golden

# Create a vendor from the test vendor that uses every feature
new-vendor NAME:
    cp -r tests/vendors/parlour templates/{{NAME}}
    sed -i 's/^id   = "parlour"/id   = "{{NAME}}"/; s/^name = "Parlour"/name = "{{NAME}}"/' templates/{{NAME}}/vendor.toml
    cargo run -- check templates/{{NAME}}

# Fuzz a parser for one minute: scenario, config or template
fuzz TARGET="scenario":
    cargo fuzz run -s none {{TARGET}} -- -max_total_time=60 -rss_limit_mb=512 -timeout=5

# Build a static binary for Linux; glibc links statically without another toolchain
dist:
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile dist --target x86_64-unknown-linux-gnu
    ls -l target/x86_64-unknown-linux-gnu/dist/standin

# CPU per request of the transport, and of whole runs beside `oha` (cargo install oha --locked)
bench REQUESTS="20000":
    cargo bench --bench transport -- {{REQUESTS}}

# Check licences, sources and forbidden features of dependencies
deny:
    cargo deny --offline check licenses bans sources
