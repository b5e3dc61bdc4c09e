"""Training steps in PyTorch: python3 train_torch.py WORKLOAD VARIANT THREADS

A step is zero_grad, forward, loss, backward and the optimizer's step on data
that is already in memory (eight different random batches in turn).

Variants, joined by '+':
  eager    plain modules, the optimizer's default implementation
  compile  torch.compile of forward and loss (backward follows), default mode
  fused    the optimizer's fused implementation
  cl       channels_last memory format (convolutional models)
  bf16     autocast of the forward pass to bfloat16
  tuned    the process runs with MKL's AVX-512 kernels and a keeping allocator (see compare.py)
"""

import sys

from harness import check_finite, emit, emit_failure, measure, set_threads

WORKLOAD, VARIANT, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
set_threads(THREADS)

import torch
import torch.nn as nn
import torch.nn.functional as F

import models_torch as m

torch.set_num_threads(THREADS)
torch.manual_seed(0)
BATCHES = 8


def ce(logits, y):
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))


def images(batch, *shape, classes=10):
    return torch.randn(batch, *shape), torch.randint(classes, (batch,))


def tokens(batch, block, vocab):
    data = torch.randint(vocab, (batch, block + 1))
    return data[:, :-1].contiguous(), data[:, 1:].contiguous()


def line(batch):
    x = torch.randn(batch, 1)
    return x, 3 * x + 2 + torch.randn(batch, 1)


def build(name):
    """Returns model, loss, a function making one batch, optimizer class and its arguments."""
    opt = torch.optim
    adam = (opt.Adam, dict(lr=1e-3))
    match name:
        case "linear_regression":
            return nn.Linear(1, 1), F.mse_loss, lambda: line(100), opt.SGD, dict(lr=1e-2)
        case "mlp":
            return m.mlp([784, 128, 10]), ce, lambda: images(64, 784), *adam
        case "mlp_large":
            return m.mlp([784, 2048, 2048, 10]), ce, lambda: images(256, 784), *adam
        case "lenet":
            return m.lenet(), ce, lambda: images(64, 1, 28, 28), *adam
        case "resnet18":
            return m.ResNet18Cifar(), ce, lambda: images(32, 3, 32, 32), opt.SGD, dict(lr=1e-2, momentum=0.9)
        case "gpt":
            return m.GPT(**m.GPT_SMALL), ce, lambda: tokens(12, 64, 65), opt.AdamW, dict(lr=1e-3)
        case "gpt_large":
            return m.GPT(**m.GPT_LARGE), ce, lambda: tokens(8, 256, 65), opt.AdamW, dict(lr=1e-3)
        case "lstm" | "gru":
            return m.RnnClassifier(name.upper()), ce, lambda: images(32, 64, 64), *adam
        case "unet":
            make = lambda: (torch.randn(8, 3, 64, 64), (torch.rand(8, 1, 64, 64) > 0.5).float())
            return m.UNet(), F.binary_cross_entropy_with_logits, make, *adam
    sys.exit(f"unknown workload {name}")


def count_flops(model, loss_fn, batch):
    """Multiply-add work of one step (2 a multiply-add) in GEMM-like operations."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        loss_fn(model(batch[0]), batch[1]).backward()
    model.zero_grad()
    return counter.get_total_flops()


def main():
    flags = VARIANT.split("+")
    model, loss_fn, make, optimizer, args = build(WORKLOAD)
    # Same inputs, different targets: they cannot be learnt by heart, so gradients do not
    # vanish (denormal numbers would slow the optimizer down). Buffers are all distinct.
    x0 = make()[0]
    batches = [(x0.clone(), make()[1]) for _ in range(BATCHES)]
    flops = count_flops(model, loss_fn, batches[0]) if "eager" in flags else None
    if "cl" in flags:
        model = model.to(memory_format=torch.channels_last)
        batches = [(x.contiguous(memory_format=torch.channels_last), y) for x, y in batches]
    if "fused" in flags:
        args["fused"] = True
    opt = optimizer(model.parameters(), **args)

    def forward(x, y):
        return loss_fn(model(x), y)

    if "compile" in flags:
        forward = torch.compile(forward)
    if "bf16" in flags:
        plain = forward

        def forward(x, y):
            with torch.autocast("cpu", torch.bfloat16):
                return plain(x, y)

    losses = [None, None]
    turn = 0

    def step():
        nonlocal turn
        x, y = batches[turn]
        turn = (turn + 1) % BATCHES
        opt.zero_grad()
        loss = forward(x, y)
        loss.backward()
        opt.step()
        losses[1] = loss
        if losses[0] is None:
            losses[0] = loss.item()

    stats = measure(step)
    check_finite(losses[0], losses[1].item())
    extra = dict(loss_first=round(losses[0], 4), loss_last=round(losses[1].item(), 4),
                 params=sum(p.numel() for p in model.parameters()))
    if flops:
        extra["flops"] = flops
    emit(WORKLOAD, "torch_" + VARIANT, THREADS, stats, **extra)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        emit_failure(WORKLOAD, "torch_" + VARIANT, THREADS, error)
