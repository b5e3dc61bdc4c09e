"""Timing harness shared by every Python baseline.

A measurement runs in its own process: `set_threads` before the framework is
imported, `measure` to time a callable in steady state, `emit` to print the one
JSON line of the result. Only the standard library is used here.
"""

import json
import math
import os
import sys
import time


def set_threads(n):
    """Limits every math library to n threads; call before importing any of them.

    XLA sizes its pool by the CPU affinity, so the process is also bound to the
    first n CPUs that it may run on.
    """
    for var in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[var] = str(n)
    cpus = sorted(os.sched_getaffinity(0))[:n]
    os.sched_setaffinity(0, cpus)


def measure(step, sync=None, target_s=1.3, warmup_s=0.6, sample_s=2e-3, min_samples=9, max_samples=1500):
    """Times `step()` in steady state.

    Steps are grouped into samples of at least `sample_s`; `sync()` ends a sample
    (for frameworks that return before the work is done). Returns microseconds a
    step: median, min and 90th percentile over the samples.
    """
    sync = sync or (lambda: None)
    scale = float(os.environ.get("BENCH_TIME_SCALE", 1))  # e.g. 0.05 for a smoke test
    target_s, warmup_s = target_s * scale, warmup_s * scale
    clock = time.perf_counter
    begin, calls = clock(), 0
    step()
    sync()
    first_s = clock() - begin  # contains lazy initialisation and compilation
    begin = clock()
    while calls < 3 or clock() - begin < warmup_s:
        step()
        sync()
        calls += 1
    per_step = (clock() - begin) / calls
    inner = max(1, math.ceil(sample_s / per_step))

    times = []
    begin = clock()
    while len(times) < max_samples and (len(times) < min_samples or clock() - begin < target_s):
        t0 = clock()
        for _ in range(inner):
            step()
        sync()
        times.append((clock() - t0) / inner * 1e6)
    times.sort()
    return {
        "median_us": round(times[len(times) // 2], 3),
        "min_us": round(times[0], 3),
        "p90_us": round(times[min(len(times) - 1, int(len(times) * 0.9))], 3),
        "iters": len(times) * inner,
        "first_call_s": round(first_s, 3),
    }


def emit(workload, contestant, threads, stats, **extra):
    """Prints the JSON line of one measurement."""
    stats = dict(stats)
    first = stats.pop("first_call_s", None)
    if first is not None:
        extra["first_call_s"] = first
    line = {"workload": workload, "contestant": contestant, "threads": threads, **stats, "extra": extra}
    print(json.dumps(line), flush=True)


def emit_failure(workload, contestant, threads, error):
    """Records that a measurement could not be made, and why."""
    text = f"{type(error).__name__}: {error}".strip().splitlines()
    line = {"workload": workload, "contestant": contestant, "threads": threads, "error": " ".join(text)[:300]}
    print(json.dumps(line), flush=True)


def check_finite(first, last):
    """Ends the process if a loss is not finite."""
    if not (math.isfinite(first) and math.isfinite(last)):
        sys.exit(f"loss is not finite: first {first}, last {last}")
