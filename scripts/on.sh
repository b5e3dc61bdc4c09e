#!/usr/bin/env bash
# Runs a Cargo command for another platform, whose programs run in an emulator of it.
#
#     scripts/on.sh TARGET cargo test --test platforms
#
# TARGET is aarch64-unknown-linux-gnu or armv7-unknown-linux-gnueabihf, which need Debian's qemu-user and
# gcc-aarch64-linux-gnu with libc6-dev-arm64-cross, or gcc-arm-linux-gnueabihf with libc6-dev-armhf-cross; or
# wasm32-wasip1, which needs Node 20. `scripts/on.sh TARGET true` says whether they are there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
[[ $# -ge 2 ]] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
target=$1
shift

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { printf 'on: %s needs `%s`\n' "$target" "$tool" >&2; exit 1; }
    done
}
case $target in
    aarch64-unknown-linux-gnu) linux=aarch64-linux-gnu emulator=qemu-aarch64 ;;
    armv7-unknown-linux-gnueabihf) linux=arm-linux-gnueabihf emulator=qemu-arm ;;
    wasm32-wasip1) linux="" ;;
    *) printf 'on: nothing here runs programs for %s\n' "$target" >&2; exit 1 ;;
esac
name=${target^^}
if [[ -n $linux ]]; then
    need "$emulator" "$linux-gcc"
    export "CARGO_TARGET_${name//-/_}_LINKER=$linux-gcc"
    export "CARGO_TARGET_${name//-/_}_RUNNER=$emulator -L /usr/$linux"
else
    need node
    node --eval 'process.exit(Number(process.versions.node.split(".")[0] < 20))' ||
        { printf 'on: %s needs Node 20 or later\n' "$target" >&2; exit 1; }
    export "CARGO_TARGET_${name//-/_}_RUNNER=$PWD/scripts/wasi.mjs"
fi
export CARGO_BUILD_TARGET=$target
exec "$@"
