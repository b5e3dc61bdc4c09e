#!/usr/bin/env bash
# Looks for undefined behaviour with Miri, an interpreter of Rust: every kernel at small sizes, five small
# models, and sizes that are none (`tests/sound`), and the library's own tests of its team of threads.
#
#     scripts/miri.sh [--tree] [--avx2] [--target TRIPLE] [rooms and models …]
#
# What is named is a part of a test's name: `rooms::matmul`, `models::a_transformer`, `threads`. Without a name
# all of them run, an hour on one core. `--tree` takes tree borrows in place of stacked borrows. `--avx2`
# takes the kernels of AVX2 beside the portable ones, and with them those of small passes. A target is
# another processor, `i686-unknown-linux-gnu` with sizes of 32 bits, for instance.
#
# Needs a nightly toolchain: `rustup toolchain install nightly --component miri,rust-src`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    printf 'miri: no nightly toolchain with Miri: rustup toolchain install nightly --component miri,rust-src\n' >&2
    exit 1
fi
# Models read and write files.
flags="-Zmiri-disable-isolation" rust="" target=() names=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --tree) flags+=" -Zmiri-tree-borrows" ;;
    --avx2) rust="-Ctarget-feature=+avx2,+fma,+bmi1,+bmi2" ;;
    --target) target=(--target "$2") && shift ;;
    -*) printf 'miri: %s is no option\n' "$1" >&2 && exit 2 ;;
    *) names+=("$1") ;;
    esac
    shift
done
[[ ${#names[@]} -gt 0 ]] || names=(threads rooms algorithms models hostile)

# A folder for each kind of code, so that one does not build the other's anew.
folder=target/miri${rust:+-avx2}
# Panics are expected, and a trace of one takes longer than all else.
export MIRIFLAGS="$flags" RUSTFLAGS="$rust" CARGO_TARGET_DIR="$folder" RUST_BACKTRACE=0
for name in "${names[@]}"; do
    printf '\n==> miri: %s (%s%s)\n' "$name" "$flags" "${rust:+ $rust}"
    if [[ $name == threads ]]; then
        # What panics as it is dropped is never dropped.
        MIRIFLAGS+=" -Zmiri-ignore-leaks" cargo +nightly miri test --locked --quiet "${target[@]}" --package gradiron --lib -- threads
    else
        cargo +nightly miri test --locked --quiet "${target[@]}" --package gradiron-tests --test sound -- "$name"
    fi
done
