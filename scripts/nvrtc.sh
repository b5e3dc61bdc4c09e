#!/usr/bin/env bash
# Runs a command with NVIDIA's compiler for kernels, which needs no GPU. It is fetched once, with
# Python's pip (90 MB), to target/nvrtc.
#
#     scripts/nvrtc.sh COMMAND…
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
folder=$root/target/nvrtc
if [[ ! -d $folder/nvidia ]]; then
    command -v python3 >/dev/null || { printf 'nvrtc: python3 is needed and was not found\n' >&2; exit 2; }
    rm -rf "$folder.new"
    mkdir -p "$folder.new"
    python3 -m pip download --quiet --no-deps --dest "$folder.new" nvidia-cuda-nvrtc==13.0.88
    python3 -m zipfile -e "$folder.new"/*.whl "$folder.new"
    rm -rf "$folder" "$folder.new"/*.whl
    mv "$folder.new" "$folder"
fi
export CUDA_PATH=$folder/nvidia/cu13
export GRADIRON_REQUIRE_NVRTC=1
exec "$@"
