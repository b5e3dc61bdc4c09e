#!/usr/bin/env python3
"""Runs this library and others in turns, and writes the table of benches/README.md.

    python3 benches/compare.py [--rounds N] [--threads N] [--only REGEX] [--raw FILE] [--write]

Every measurement is a process of its own; a round measures every contestant of every workload
once, so that what disturbs the machine disturbs all. Contestants that are not there are left out
with a word: PyTorch, JAX and ONNX Runtime where this Python can import them, and the Rust
libraries where `cargo build --release` was run in benches/peers/rust. The table shows the median
of the rounds' medians, and how many times this library's it is; --write puts it into the README.
"""

import argparse
import collections
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHON_PEERS = HERE / "peers" / "python"
RUST_PEERS = HERE / "peers" / "rust"
TRAIN = ("linear_regression", "mlp", "mlp_large", "lenet", "resnet18", "unet", "lstm", "gru", "gpt", "gpt_large")
INFER = ("control_mlp", "mlp", "lenet", "resnet18", "gpt", "gpt_step")
# What gains from storing and multiplying bf16, and what from the channels-last layout.
BF16 = ("mlp_large", "resnet18", "gpt_large")
CHANNELS_LAST = ("resnet18", "unet")
# What the peers in Rust and in JAX have no program for.
TORCH_ONLY = ("gpt", "gpt_large", "gpt_step")


def tuned():
    """What a knowing user sets for PyTorch: MKL's AVX-512 kernels on AMD, and a malloc that keeps."""
    library = pathlib.Path(tempfile.gettempdir()) / "gradiron-mkl_as_on_intel.so"
    source = PYTHON_PEERS / "mkl_as_on_intel.c"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", source, "-o", library], check=True)
    keep = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
            "MALLOC_TOP_PAD_": str(64 << 20)}
    return {"LD_PRELOAD": str(library), **keep}


def our_binary(bench):
    """Builds a benchmark of this library and returns its path."""
    build = ["cargo", "bench", "--bench", bench, "--no-run", "--message-format", "json"]
    lines = subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    made = (json.loads(line) for line in lines)
    return next(m["executable"] for m in made if m.get("executable") and m["target"]["name"] == bench)


def commands(threads):
    """(workload, command) of every measurement; the command says how to run it."""
    ours = {"train": our_binary("training_steps"), "infer": our_binary("latency")}
    have = {name: importlib.util.find_spec(name) is not None for name in ("torch", "jax", "onnxruntime")}
    rust = {name: RUST_PEERS / "target" / "release" / f"peer-{name}" for name in ("candle", "burn", "dfdx")}
    for name in [n for n, found in have.items() if not found] + [n for n, p in rust.items() if not p.exists()]:
        print(f"without {name}: not installed or not built", file=sys.stderr)

    def python(script, workload, variant):
        return [sys.executable, PYTHON_PEERS / script, workload, variant, str(threads)]

    for w in TRAIN:
        yield w, [ours["train"], "--json", "--threads", str(threads), w]
        if have["torch"]:
            variants = ["eager+fused", "compile+fused", "eager+fused+tuned"]
            variants += ["eager+fused+cl", "eager+fused+cl+tuned"] * (w in CHANNELS_LAST)
            variants += ["eager+fused+bf16"] * (w in BF16)
            for variant in variants:
                yield w, python("train_torch.py", w, variant)
        if have["jax"] and w not in TORCH_ONLY:
            yield w, python("train_jax.py", w, "scan" if w in ("linear_regression", "mlp") else "jit")
        for name, binary in rust.items():
            if binary.exists() and w not in ("unet", "lstm", "gru", *TORCH_ONLY) and (name != "dfdx" or w in ("linear_regression", "mlp", "mlp_large")):
                yield w, [binary, w]
    for w in INFER:
        yield "infer_" + w, [ours["infer"], "--json", "--threads", str(threads), "infer_" + w]
        if have["torch"]:
            for variant in ("eager",) if w == "gpt_step" else ("eager", "compile"):
                yield "infer_" + w, python("infer_torch.py", w, variant)
        if have["torch"] and have["onnxruntime"] and w != "gpt_step":
            yield "infer_" + w, python("infer_torch.py", w, "ort")
        if have["jax"] and w not in TORCH_ONLY:
            yield "infer_" + w, python("infer_jax.py", w, "jit")
        for name, binary in rust.items():
            if binary.exists() and w not in TORCH_ONLY and (name != "dfdx" or w in ("control_mlp", "mlp")):
                yield "infer_" + w, [binary, "infer_" + w]


def measure(command, threads, tuning):
    """The lines of JSON that a command prints."""
    env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    if any("tuned" in str(part) for part in command):
        env.update(tuning)
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=PYTHON_PEERS, timeout=600)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        if "error" in line:
            print(f"{line['workload']} {line['contestant']}: {line['error']}", file=sys.stderr)
    if not lines:
        print(f"{' '.join(map(str, command))}: {done.stderr[-300:]}", file=sys.stderr)
    return [line for line in lines if "error" not in line]


# A column of the table, and the contestants whose best it shows.
COLUMNS = (
    ("Gradiron", r"gradiron"),
    ("Gradiron bf16", r"gradiron_bf16"),
    ("PyTorch", r"torch_(eager|compile|eager\+fused|compile\+fused|eager\+fused\+cl)"),
    ("PyTorch tuned", r"torch_.*tuned"),
    ("PyTorch bf16", r"torch_.*bf16"),
    ("ONNX Runtime", r"ort"),
    ("JAX", r"jax_.*"),
    ("burn", r"burn"),
    ("candle", r"candle"),
    ("dfdx", r"dfdx"),
)


def amount(us):
    for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1), ("ns", 1e-3)):
        if us >= size or unit == "ns":
            return f"{us / size:.3g} {unit}"


def table(lines):
    """The table as Markdown."""
    times = {}
    for line in lines:
        times.setdefault((line["workload"], line["contestant"]), []).append(line["median_us"])
    spread = {key: (max(t) - min(t)) / statistics.median(t) for key, t in times.items()}
    times = {key: statistics.median(t) for key, t in times.items()}
    text = []
    for title, names in (("training step", TRAIN), ("inference, batch 1", ["infer_" + w for w in INFER])):
        rows = [w for w in names if (w, "gradiron") in times]
        best = {}
        for w in rows:
            for column, pattern in COLUMNS:
                found = [(t, c) for (v, c), t in times.items() if v == w and re.fullmatch(pattern, c)]
                if found:
                    best[w, column] = min(found)
        shown = [c for c, _ in COLUMNS if any((w, c) in best for w in rows)]
        if not rows:
            continue
        text += [f"| {title} | " + " | ".join(shown) + " |", "|---|" + "---:|" * len(shown)]
        for w in rows:
            own = times[w, "gradiron"]
            cells = []
            for column in shown:
                if (w, column) not in best:
                    cells.append("–")
                    continue
                us, contestant = best[w, column]
                if column != "Gradiron":
                    note = f" ({us / own:.0f}×)" if us > 10 * own else f" ({us / own:.2g}×)"
                else:
                    note = f" ± {50 * spread[w, contestant]:.0f} %" if spread[w, contestant] else ""
                cells.append(amount(us) + note)
            text.append(f"| {w.removeprefix('infer_')} | " + " | ".join(cells) + " |")
        text.append("")
    return "\n".join(text)


def machine(threads):
    """One line that says what was measured on."""
    model = platform.processor() or platform.machine()
    flags = ""
    for line in open("/proc/cpuinfo") if os.path.exists("/proc/cpuinfo") else ():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
        if line.startswith("flags"):
            flags = ", ".join(f for f in ("avx2", "avx512f", "avx512_bf16") if f in line.split())
    versions = []
    for name in ("torch", "jax", "onnxruntime"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            pass
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.split()[1]
    return f"{model}, {os.cpu_count()} CPUs ({flags}), {threads} threads; rustc {rustc}, {', '.join(versions)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="a pattern of workloads")
    parser.add_argument("--raw", type=pathlib.Path, help="a file to which every measurement is added; the table shows what it has")
    parser.add_argument("--write", action="store_true", help="write the table into benches/README.md")
    args = parser.parse_args()
    tuning, lines = tuned(), []
    if args.raw and args.raw.exists():
        lines = [json.loads(line) for line in args.raw.read_text().splitlines()]
    plan = [c for c in commands(args.threads) if re.search(args.only, c[0])]
    for number in range(args.rounds):
        for workload, command in plan:
            for line in measure(command, args.threads, tuning):
                lines.append(dict(line, round=number))
                print(f"{number} {line['workload']:22} {line['contestant']:24} {line['median_us']:12.3f} µs", flush=True)
                if args.raw:
                    with open(args.raw, "a") as file:
                        file.write(json.dumps(lines[-1]) + "\n")
    rounds = collections.Counter(line["workload"] for line in lines if line["contestant"] == "gradiron").values()
    often = " to ".join(str(n) for n in sorted({min(rounds), max(rounds)})) + (" round" if max(rounds) == 1 else " rounds")
    text = f"{machine(args.threads)}; {often}.\n\n{table(lines)}"
    print("\n" + text)
    if args.write:
        readme = HERE / "README.md"
        head, rest = readme.read_text().split("<!-- table -->\n", 1)
        tail = rest.split("<!-- end -->", 1)[1]
        readme.write_text(f"{head}<!-- table -->\n{text}<!-- end -->{tail}")


if __name__ == "__main__":
    main()
