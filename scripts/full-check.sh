#!/usr/bin/env bash
# What does not fit into `.ci/run` and is checked before a piece of work ends: 3 hours on two cores,
# with an empty target folder.
#
#     scripts/full-check.sh
#
# Takes what this machine has: a nightly Rust, g++, emulators of other platforms, data that was fetched. Goes on
# after a check that fails, and names at its end what failed and what was left out.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# What somebody set for programs of their own is not for these.
unset "${!GRADIRON_@}" TRYBUILD

failed=() left_out=()
# Prints a command, then runs it.
step() {
    local start=$SECONDS
    printf '\n==> %s\n' "$*"
    "$@" || failed+=("$*")
    printf '==> %s s\n' "$((SECONDS - start))"
}
# Remembers what is not checked on this machine, and says so.
leave_out() {
    left_out+=("$1")
    printf '\nfull-check: left out: %s\n' "$1"
}

# Everything as optimised code, in which small functions are one piece.
step cargo test --locked --release
# And the stack that a program takes in which nothing is.
step cargo test --locked --test stack --config profile.test.package.gradiron.opt-level=0

# Files with mistakes, more of them than the tests read.
step env GRADIRON_FUZZ_CASES=1000000 cargo test --locked --release --test memory fuzz
# What is there without features alone, of tests, examples and benchmarks too.
step cargo clippy --locked --workspace --all-targets -- -D warnings

# Random models, behind every pass of the compiler and through rustc.
step scripts/agree.sh 0.2

# Damaged models: in one process, and what the macro accepts of them through rustc.
step cargo run --locked --quiet --release --package gradiron-agree -- mutants 0 50000
step cargo run --locked --quiet --release --package gradiron-agree -- accepted 0 2000

# Sets of data and weights that `scripts/fetch-data.sh` fetches.
fetched() { [[ -d data/$1 ]] || { leave_out "$2: scripts/fetch-data.sh ${3:-$1}"; return 1; }; }
fetched mnist "the full MNIST" && step cargo test --locked --test data -- --ignored
fetched cifar-10-batches-bin "CIFAR-10" cifar10 && step cargo test --locked --test cifar10 -- --ignored
fetched minilm "the published weights of MiniLM" && step cargo test --locked --package minilm

# What an editor shows at the words of models.
if rust-analyzer --version >/dev/null 2>&1; then
    step cargo test --locked --test editor -- --ignored
else
    leave_out "what an editor shows, which needs \`rustup component add rust-analyzer\`"
fi

# What PyTorch computes here, beside what it computed when goldens were recorded.
if python3 -c 'import torch, safetensors' 2>/dev/null; then
    step env PYTHONPATH=tests/parity/python python3 -m parity check all
else
    leave_out "goldens, which need \`pip install -r tests/parity/python/requirements.txt\`"
fi

if cargo +nightly --version >/dev/null 2>&1 && [[ $(uname -sm) == "Linux x86_64" ]]; then
    step scripts/sanitize.sh address
    if cargo +nightly miri --version >/dev/null 2>&1; then
        # Needs the source of the standard library, as Miri does.
        step scripts/sanitize.sh thread
        step scripts/miri.sh
        step scripts/miri.sh --tree
        # The kernels of AVX2, and of small passes; sizes of 32 bits, and registers as arrays.
        step scripts/miri.sh --avx2 rooms::{attention,batch_norm,cross_entropy,elementwise,embedding,fill,layer_norm} \
            rooms::{matmul,nll_loss,recurrent,reduce,rotary,softmax} hostile
        step scripts/miri.sh --target i686-unknown-linux-gnu rooms::{cat,elementwise,fill,matmul,permute,reduce} hostile
    else
        leave_out "Miri and ThreadSanitizer: rustup toolchain install nightly --component miri,rust-src"
    fi
else
    leave_out "sanitizers and Miri, which need \`rustup toolchain install nightly\` on Linux and x86-64"
fi

# The kernels, three networks, files and a clock on other platforms. Emulators are slow, so tests are optimised
# a little; arithmetic that overflows still panics.
for target in aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf wasm32-wasip1; do
    if command -v rustup >/dev/null && rustup target add "$target" >/dev/null 2>&1 &&
        scripts/on.sh "$target" true; then
        step env CARGO_PROFILE_TEST_OPT_LEVEL=1 \
            scripts/on.sh "$target" cargo test --locked --no-fail-fast --test ops --test platforms
    else
        leave_out "programs for $target, of which scripts/on.sh says what they need"
    fi
done

# What does not work somewhere says so when it is compiled.
refused() {
    local found
    found=$(cargo check --locked --package gradiron --features cuda --target "$1" 2>&1) && return 1
    grep 'error: the feature `cuda` of gradiron needs' <<<"$found"
}
for target in aarch64-apple-darwin armv7-unknown-linux-gnueabihf wasm32-wasip1; do
    if command -v rustup >/dev/null && rustup target add "$target" >/dev/null 2>&1; then
        step refused "$target"
    else
        leave_out "that the feature cuda is refused on $target"
    fi
done

# The oldest Rust that `Cargo.toml` promises.
oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if command -v rustup >/dev/null && rustup toolchain install "$oldest" --profile minimal >/dev/null 2>&1; then
    step cargo "+$oldest" check --locked --package gradiron --features cudnn --target-dir target/oldest
    step cargo "+$oldest" test --locked --test platforms --target-dir target/oldest
    step cargo "+$oldest" check --locked --examples --target-dir target/oldest
else
    leave_out "Rust $oldest, which rustup did not find"
fi

# What is published: packages, licences and advisories of what they are made of, what a new version breaks.
step scripts/package.sh
if cargo deny --version >/dev/null 2>&1; then
    step cargo deny --all-features --locked check bans licenses sources
    # From the network.
    if cargo deny fetch db >/dev/null 2>&1; then
        step cargo deny --all-features --locked check advisories --disable-fetch
    else
        leave_out "advisories: cargo deny could not fetch the database of RustSec"
    fi
else
    leave_out "licences and advisories, which need \`cargo install cargo-deny --locked\`"
fi
last=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null)
if [[ -z $last ]]; then
    leave_out "what changed since the last version: there is none yet"
elif cargo semver-checks --version >/dev/null 2>&1; then
    step cargo semver-checks --package gradiron --baseline-rev "$last"
else
    leave_out "what changed since $last, which needs \`cargo install cargo-semver-checks --locked\`"
fi

# CUDA kernels in the emulator.
if command -v g++ >/dev/null && [[ $(uname -sm) == "Linux x86_64" ]]; then
    # emulated OPTIONS… -- OF THE TEST…
    emulated() {
        local options=()
        while [[ $1 != -- ]]; do options+=("$1"); shift; done
        shift
        step env CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$PWD/scripts/emulate.sh ${options[*]}" \
            cargo test --locked "$@"
    }
    export GRADIRON_STEPS=12 GRADIRON_OPS_EVERY=5 GRADIRON_OPS_LARGEST=200000 GRADIRON_FAILURES_EVERY=7
    emulated -- --features cuda --test ops --test cuda
    emulated -- --features cudnn --test ops conv2d
    export GRADIRON_STEPS=6 GRADIRON_OPS_EVERY=11 GRADIRON_OPS_LARGEST=60000
    for order in reversed random:1 random:2; do
        emulated --order "$order" -- --features cuda --test ops --test cuda
    done
    export GRADIRON_STEPS=2 GRADIRON_OPS_EVERY=300 GRADIRON_OPS_LARGEST=8000
    emulated --sanitize address -- --features cuda --test ops --test cuda
    # ThreadSanitizer keeps something of every thread there was: a process for each room whose threads
    # share memory.
    export GRADIRON_OPS_EVERY=1000
    rooms=(attention batch_norm conv2d_products cross_entropy embedding layer_norm permute recurrent reduce softmax)
    for room in "${rooms[@]}"; do
        emulated --sanitize thread -- --features cuda --test ops "$room::"
    done
    unset GRADIRON_STEPS GRADIRON_OPS_EVERY GRADIRON_OPS_LARGEST GRADIRON_FAILURES_EVERY
else
    leave_out "CUDA kernels in the emulator, which needs g++ on Linux and x86-64"
fi

printf '\n'
for what in "${left_out[@]}"; do
    printf 'full-check: NOT CHECKED: %s\n' "$what"
done
for what in "${failed[@]}"; do
    printf 'full-check: FAILED: %s\n' "$what"
done
printf 'full-check: %s failed, %s left out, %s minutes\n' "${#failed[@]}" "${#left_out[@]}" "$((SECONDS / 60))"
[[ ${#failed[@]} -eq 0 ]]
