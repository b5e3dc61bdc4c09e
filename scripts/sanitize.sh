#!/usr/bin/env bash
# Runs tests under a sanitizer.
#
#     scripts/sanitize.sh [address | thread] [further test targets]
#
# AddressSanitizer, which is the default: the op harness, the parity runs, the arena tests, and sizes that
# are none. ThreadSanitizer, with a standard library that is built with it: the op harness with two and
# three threads, small models, and whole runs with as many threads as there are processors, at least two.
#
# Needs a nightly toolchain on x86-64 Linux, for threads with the source of the standard library:
# `rustup toolchain install nightly --component rust-src`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    printf 'sanitize: no nightly toolchain: rustup toolchain install nightly\n' >&2
    exit 1
fi
sanitizer=address
if [[ ${1:-} == address || ${1:-} == thread ]]; then
    sanitizer=$1
    shift
fi
if [[ $sanitizer == thread ]]; then
    targets=(ops sound parity "$@")
    build=(-Zbuild-std)
    # One report is enough to fail, and the whole of it is of use.
    export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1"
else
    targets=(ops sound kernel_allocations arena parity "$@")
    build=()
fi
# Panics are expected, and a trace of one takes longer than all else.
RUSTFLAGS="-Zsanitizer=$sanitizer" CARGO_TARGET_DIR="target/sanitize-$sanitizer" RUST_BACKTRACE=0 \
    cargo +nightly test --locked "${build[@]}" --target x86_64-unknown-linux-gnu "${targets[@]/#/--test=}"
