#!/usr/bin/env bash
# Records every snapshot anew: graphs, plans, Rust and messages of the compiler, messages of rustc, tables of
# the documentation, and where NVIDIA's compiler can be had, what kernels take. Then read the difference.
#
#     scripts/record.sh
#
# Numbers of PyTorch are recorded by `python -m parity write`, see tests/parity/README.md.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

export GRADIRON_UPDATE=1
cargo test --locked --quiet --package gradiron-compiler --lib
cargo test --locked --quiet --test ui --test tables
if scripts/nvrtc.sh true; then
    scripts/nvrtc.sh cargo test --locked --quiet --features cuda --test cuda kernels::
else
    printf 'record: left out: tests/cuda/kernels.txt, which needs Python with pip, and PyPI\n'
fi
git status --short
