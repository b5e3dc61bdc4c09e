#!/usr/bin/env bash
# Shows that the emulator runs right kernels, and sees the mistakes of wrong ones.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# build NAME FLAGS…
build() {
    local name=$1
    shift
    g++ -std=c++17 -w -O1 -g "$@" -I"$here/include" "$here/tests/kernels.cpp" -o "$folder/$name"
}

# passes PROGRAM KERNEL; fails PROGRAM KERNEL TEXT, which the program must print.
passes() {
    "$folder/$1" "$2" || { printf 'emulator: %s %s failed\n' "$1" "$2" >&2; exit 1; }
}
fails() {
    local output
    if output=$("$folder/$1" "$2" 2>&1); then
        printf 'emulator: %s %s passed, but is wrong\n' "$1" "$2" >&2
        exit 1
    fi
    [[ $output == *"$3"* ]] || { printf 'emulator: %s does not say `%s`:\n%s\n' "$2" "$3" "$output" >&2; exit 1; }
}

build plain
build racing -DWITHOUT_BARRIER -fsanitize=thread
build watched -fsanitize=address -fsanitize-sections=emulator_shared
build racefree -fsanitize=thread
export ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1

for order in forward reversed random:1 random:2; do
    export EMULATOR_ORDER=$order
    passes plain sum_of_block
    passes plain matrix_product
    passes racefree sum_of_block
    passes watched sum_of_block
done
unset EMULATOR_ORDER
fails plain different_barriers 'threads of a block wait at different calls of __syncthreads'
fails plain incomplete_barrier 'a barrier is never complete'
fails plain unwritten_shared ''
fails racing sum_of_block 'data race'
fails watched beside_memory 'heap-buffer-overflow'
passes plain order_of_threads
EMULATOR_ORDER=reversed fails plain order_of_threads ''
printf 'emulator: all checks passed\n'
