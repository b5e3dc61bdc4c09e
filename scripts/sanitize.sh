#!/usr/bin/env bash
# Runs the op harness, the parity runs and the arena tests under AddressSanitizer.
#
#     scripts/sanitize.sh [further test targets]
#
# Needs a nightly toolchain (`rustup toolchain install nightly`) on x86-64 Linux. ThreadSanitizer
# would need the standard library built with it as well, and reports its threads otherwise.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    printf 'sanitize: no nightly toolchain: rustup toolchain install nightly\n' >&2
    exit 1
fi
targets=(ops kernel_allocations arena parity "$@")
RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=target/sanitize \
    cargo +nightly test --target x86_64-unknown-linux-gnu "${targets[@]/#/--test=}"
