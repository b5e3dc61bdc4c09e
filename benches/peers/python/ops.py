"""Single operators, forward and backward: python3 ops.py VARIANT THREADS, VARIANT eager, eager+tuned or compile.

GB/s counts the bytes that an ideal fused kernel has to move (inputs read once,
outputs written once), so it may be compared with the measured bandwidth.
"""

import sys

from harness import emit, emit_failure, measure, set_threads

VARIANT, THREADS = sys.argv[1], int(sys.argv[2])
set_threads(THREADS)

import torch
import torch.nn.functional as F

torch.set_num_threads(THREADS)
torch.manual_seed(0)
MB = 1e6


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


def fwd_bwd(f, inputs, grad):
    """Forward and backward of f with a given output gradient."""

    def step():
        for t in inputs:
            t.grad = None
        f(*inputs).backward(grad)

    return step


def maybe(f):
    return torch.compile(f) if VARIANT == "compile" else f


def layer_norm():
    x, w, b = leaf(2048, 384), leaf(384), leaf(384)
    f = maybe(lambda x, w, b: F.layer_norm(x, (384,), w, b))
    n = x.numel() * 4
    return [("layernorm_2048x384_fwd", lambda: f(x, w, b), 2 * n, 0),
            ("layernorm_2048x384_fwd_bwd", fwd_bwd(f, (x, w, b), torch.randn(2048, 384)), 5 * n, 0)]


def cross_entropy():
    cases = []
    for rows, cols in ((2048, 65), (512, 10000)):
        x, y = leaf(rows, cols), torch.randint(cols, (rows,))
        f = maybe(lambda x, y=y: F.cross_entropy(x, y))
        n = x.numel() * 4
        cases += [(f"softmax_ce_{rows}x{cols}_fwd", lambda f=f, x=x: f(x), n, 0),
                  (f"softmax_ce_{rows}x{cols}_fwd_bwd", fwd_bwd(f, (x,), torch.tensor(1.0)), 3 * n, 0)]
    return cases


def gelu():
    x = leaf(2048, 1536)
    f = maybe(lambda x: F.gelu(x))
    n = x.numel() * 4
    return [("gelu_2048x1536_fwd", lambda: f(x), 2 * n, 0),
            ("gelu_2048x1536_fwd_bwd", fwd_bwd(f, (x,), torch.randn(2048, 1536)), 5 * n, 0)]


def adam():
    cases = []
    for label, args in (("default", {}), ("foreach", dict(foreach=True)), ("fused", dict(fused=True))):
        p = leaf(10_000_000)
        p.grad = torch.randn(10_000_000)
        opt = torch.optim.Adam([p], lr=1e-3, **args)
        # reads p, g, m, v; writes p, m, v
        cases.append((f"adam_10M_{label}", maybe(opt.step), 7 * 4 * 10_000_000, 0))
    return cases[:1] if VARIANT == "compile" else cases


for group in (layer_norm, cross_entropy, gelu, adam):
    try:
        for name, step, moved, flops in group():
            stats = measure(step, target_s=0.6, warmup_s=0.3)
            extra = dict(gbs=round(moved / stats["median_us"] * 1e-3, 1))
            if flops:
                extra["gflops"] = round(flops / stats["median_us"] * 1e-3, 1)
            emit("" + name, "torch_" + VARIANT, THREADS, stats, **extra)
    except Exception as error:
        emit_failure("" + group.__name__, "torch_" + VARIANT, THREADS, error)
