"""2-D convolutions in PyTorch: python3 conv.py LAYOUT THREADS, LAYOUT one of nchw, cl (channels_last).

Forward, gradient of the input and gradient of the weights are timed separately,
through the same operators that autograd calls.
"""

import sys

from harness import emit, emit_failure, measure, set_threads

LAYOUT, THREADS = sys.argv[1], int(sys.argv[2])
set_threads(THREADS)

import torch

torch.set_num_threads(THREADS)
torch.manual_seed(0)

# name, batch, channels in, out, side, kernel, stride, padding
CASES = (
    ("stem_3to64_32", 32, 3, 64, 32, 3, 1, 1),
    ("64_32x32", 32, 64, 64, 32, 3, 1, 1),
    ("64to128_s2_32x32", 32, 64, 128, 32, 3, 2, 1),
    ("128_16x16", 32, 128, 128, 16, 3, 1, 1),
    ("256_8x8", 32, 256, 256, 8, 3, 1, 1),
    ("512_4x4", 32, 512, 512, 4, 3, 1, 1),
    ("64to128_1x1_s2_32x32", 32, 64, 128, 32, 1, 2, 0),
    ("lenet1_1to6_k5", 64, 1, 6, 28, 5, 1, 2),
    ("lenet2_6to16_k5", 64, 6, 16, 14, 5, 1, 0),
)

with torch.inference_mode():
    for name, batch, c_in, c_out, side, k, stride, pad in CASES:
        fmt = torch.channels_last if LAYOUT == "cl" else torch.contiguous_format
        x = torch.randn(batch, c_in, side, side).contiguous(memory_format=fmt)
        w = torch.randn(c_out, c_in, k, k).contiguous(memory_format=fmt)
        y = torch.nn.functional.conv2d(x, w, None, stride, pad)
        g = torch.randn_like(y)
        flops = 2.0 * y.numel() * c_in * k * k

        def back(mask):
            return torch.ops.aten.convolution_backward(
                g, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, mask)

        passes = {
            "fwd": lambda: torch.nn.functional.conv2d(x, w, None, stride, pad),
            "bwd_data": lambda: back([True, False, False]),
            "bwd_weight": lambda: back([False, True, False]),
        }
        for label, step in passes.items():
            try:
                stats = measure(step, target_s=0.4, warmup_s=0.2)
                emit(f"conv_{name}_{label}", "torch_" + LAYOUT, THREADS, stats,
                     gflops=round(flops / stats["median_us"] * 1e-3, 1),
                     gflops_best=round(flops / stats["min_us"] * 1e-3, 1))
            except Exception as error:
                emit_failure(f"conv_{name}_{label}", "torch_" + LAYOUT, THREADS, error)
