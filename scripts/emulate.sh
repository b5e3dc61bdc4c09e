#!/usr/bin/env bash
# Runs a program that uses CUDA on the emulator, which needs g++ and no GPU.
#
#     scripts/emulate.sh [--order ORDER] [--sanitize address|thread] COMMAND…
#
# ORDER is the order of threads and blocks: forward, reversed or random:SEED. A sanitizer watches the
# kernels. The emulator is built in target/emulator.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
home=$root/target/emulator

sanitizer=
while [[ $# -gt 0 ]]; do
    case $1 in
        --order) export EMULATOR_ORDER=$2; shift 2 ;;
        --sanitize) sanitizer=$2; shift 2 ;;
        *) break ;;
    esac
done
[[ $# -gt 0 ]] || { printf 'emulate: no command to run\n' >&2; exit 2; }
command -v g++ >/dev/null || { printf 'emulate: g++ is needed and was not found\n' >&2; exit 2; }

mkdir -p "$home/lib"
(
    flock 9
    rm -rf "$home/include.new"
    cp -r "$root/emulator/include" "$home/include.new"
    if ! diff -rq "$home/include" "$home/include.new" >/dev/null 2>&1; then
        rm -rf "$home/include"
        mv "$home/include.new" "$home/include"
    fi
    for part in cuda:driver nvrtc:nvrtc cublasLt:cublaslt cudnn:cudnn; do
        name=lib${part%%:*}.so source=$root/emulator/${part##*:}.cpp
        if [[ ! -e $home/lib/$name || $source -nt $home/lib/$name ||
            $root/emulator/numbers.h -nt $home/lib/$name ||
            $root/emulator/failures.h -nt $home/lib/$name ]]; then
            g++ -O2 -std=c++17 -fPIC -shared -Wall -Wextra -Wl,-soname,"$name" "$source" \
                -o "$home/lib/$name.new" -ldl
            mv "$home/lib/$name.new" "$home/lib/$name"
        fi
    done
) 9>"$home/lock"

export EMULATOR_HOME=$home
export LD_LIBRARY_PATH=$home/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# What a real compiler made for a real GPU stays apart.
export XDG_CACHE_HOME=$home/xdg
export GRADIRON_REQUIRE_GPU=1
preload=()
case $sanitizer in
    '') ;;
    address)
        export EMULATOR_CXXFLAGS="-O1 -g -fsanitize=address -fsanitize-sections=emulator_shared"
        export ASAN_OPTIONS=detect_leaks=0
        preload=(LD_PRELOAD="$(g++ -print-file-name=libasan.so)")
        ;;
    thread)
        export EMULATOR_CXXFLAGS="-O1 -g -fsanitize=thread"
        # The program itself is not instrumented.
        export TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1"
        preload=(LD_PRELOAD="$(g++ -print-file-name=libtsan.so)")
        ;;
    *) printf 'emulate: expected --sanitize address or thread, found %s\n' "$sanitizer" >&2; exit 2 ;;
esac
[[ -z $sanitizer ]] || export XDG_CACHE_HOME=$home/xdg-$sanitizer
exec env "${preload[@]}" "$@"
