#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: all tests there, NVIDIA's memory checker where it is found, and the
# benchmarks beside PyTorch where `python3` has it. Writes target/gpu.json and prints a table for
# benches/README.md.
#
#     scripts/gpu-check.sh
#
# CUDA's libraries are looked for where a program looks for them, and in PyTorch's installation.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

command -v nvidia-smi >/dev/null || { printf 'gpu-check: there is no NVIDIA driver here\n' >&2; exit 2; }
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
packages=$(python3 -c 'import nvidia, os; print(list(nvidia.__path__)[0])' 2>/dev/null || true)
if [[ -z ${CUDA_PATH:-} && -d $packages/cu13 ]]; then
    export CUDA_PATH=$packages/cu13
fi

export GRADIRON_REQUIRE_GPU=1
# The table of kernels is of one compiler, which may not be the one here.
cargo test --release --features cuda --test ops --test cuda -- --skip kernels::
if command -v compute-sanitizer >/dev/null; then
    program=$(cargo test --release --features cuda --test cuda --no-run 2>&1 | sed -n 's/.*(\(.*\))$/\1/p')
    GRADIRON_STEPS=3 compute-sanitizer --error-exitcode 1 "$program" models:: --test-threads 1
else
    printf 'gpu-check: left out: compute-sanitizer, which was not found\n'
fi

mkdir -p target
results=target/gpu.jsonl
cargo bench --features cuda --bench gpu -- --json | tee "$results"
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    for workload in mlp_large lenet resnet18 resnet50 lstm gru gpt gpt_large gpt2; do
        variants=(eager compile graphs eager+tf32 graphs+tf32 eager+bf16 graphs+bf16 eager+f16)
        if [[ $workload == resnet* ]]; then
            variants+=(eager+tf32+cl graphs+tf32+cl eager+bf16+cl graphs+bf16+cl)
        fi
        for variant in "${variants[@]}"; do
            python3 benches/peers/python/gpu_torch.py "$workload" "$variant" | tee -a "$results" ||
                printf 'gpu-check: PyTorch failed at %s %s\n' "$workload" "$variant" >&2
        done
    done
else
    printf 'gpu-check: left out: PyTorch, which was not found or sees no GPU\n'
fi
python3 - "$results" <<'PYTHON'
import datetime, json, subprocess, sys

lines = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
gpu = subprocess.run(
    ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
    capture_output=True, text=True, check=True,
).stdout.strip().splitlines()[0]
measured = dict(gpu=gpu, date=datetime.date.today().isoformat(), results=lines)
json.dump(measured, open("target/gpu.json", "w"), indent=1)
contestants = list(dict.fromkeys(line["contestant"] for line in lines))
workloads = list(dict.fromkeys(line["workload"] for line in lines))
times = {(line["workload"], line["contestant"]): line["median_us"] for line in lines}
print(f"\n{gpu}, {measured['date']}; µs a step.\n")
print("| | " + " | ".join(contestants) + " |")
print("|---|" + "---:|" * len(contestants))
for workload in workloads:
    cells = [times.get((workload, of)) for of in contestants]
    print(f"| {workload} | " + " | ".join("–" if c is None else f"{c:.1f}" for c in cells) + " |")
PYTHON
