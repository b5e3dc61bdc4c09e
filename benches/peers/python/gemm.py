"""Matrix products: python3 gemm.py VARIANT THREADS, VARIANT one of torch, torch_tuned, torch_bf16, numpy, numpy_skx, jax.

Layouts: NN is A[M,K] B[K,N]; NT is A[M,K] B[N,K]^T (a forward Linear); TN is
A[K,M]^T B[K,N] (a weight gradient). The result is written into a fresh array,
as the frameworks do by default. numpy_skx makes OpenBLAS take its AVX-512 kernels,
which its detection of the processor misses on newer AMD parts; torch_tuned does the same
for MKL (see compare.py).
"""

import os
import sys

from harness import emit, emit_failure, measure, set_threads

VARIANT, THREADS = sys.argv[1], int(sys.argv[2])
set_threads(THREADS)

if VARIANT == "numpy_skx":
    os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
SQUARES = (32, 64, 128, 256, 512, 1024, 2048)
SHAPES = ((256, 2048, 784), (64, 128, 784), (768, 128, 512), (768, 65, 128))
CASES = [("NN", n, n, n) for n in SQUARES] + [(t, *s) for s in SHAPES for t in ("NN", "NT", "TN")]


def operands(layout, m, n, k):
    return ((k, m) if layout[0] == "T" else (m, k)), ((n, k) if layout[1] == "T" else (k, n))


def make(layout, m, n, k):
    a_shape, b_shape = operands(layout, m, n, k)
    if VARIANT.startswith("numpy"):
        import numpy as np

        rng = np.random.default_rng(0)
        a = rng.standard_normal(a_shape, dtype=np.float32)
        b = rng.standard_normal(b_shape, dtype=np.float32)
        a, b = (a.T if layout[0] == "T" else a), (b.T if layout[1] == "T" else b)
        return lambda: a @ b
    if VARIANT == "jax":
        import jax

        a = jax.random.normal(jax.random.key(0), a_shape)
        b = jax.random.normal(jax.random.key(1), b_shape)
        f = jax.jit(lambda a, b: (a.T if layout[0] == "T" else a) @ (b.T if layout[1] == "T" else b))
        return lambda: f(a, b).block_until_ready()
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    kind = torch.bfloat16 if VARIANT == "torch_bf16" else torch.float32
    a, b = torch.randn(a_shape).to(kind), torch.randn(b_shape).to(kind)
    a, b = (a.t() if layout[0] == "T" else a), (b.t() if layout[1] == "T" else b)
    return lambda: torch.mm(a, b)


import contextlib

guard = contextlib.nullcontext()
if VARIANT.startswith("torch"):
    import torch

    guard = torch.inference_mode()

for layout, m, n, k in CASES:
    name = f"gemm_{layout}_{m}x{n}x{k}"
    try:
        with guard:
            stats = measure(make(layout, m, n, k), target_s=0.4, warmup_s=0.2)
        flops = 2.0 * m * n * k
        emit(name, VARIANT, THREADS, stats, gflops=round(flops / stats["median_us"] * 1e-3, 1),
             gflops_best=round(flops / stats["min_us"] * 1e-3, 1))
    except Exception as error:
        emit_failure(name, VARIANT, THREADS, error)
