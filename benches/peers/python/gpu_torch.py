"""Training steps in PyTorch on a GPU: python3 gpu_torch.py WORKLOAD VARIANT

Variants, joined by '+':
  eager    plain modules
  compile  torch.compile of forward and loss, default mode
  graphs   torch.compile with CUDA graphs (mode reduce-overhead)
  tf32     factors of products rounded to TF32
  bf16     autocast of the forward pass to bfloat16
  f16      autocast of the forward pass to float16, and a scaler of gradients
  cl       channels_last memory format (convolutional models)
Optimizers are fused. Steps are timed in groups of 16 between synchronisations.
"""

import json
import sys
import time

WORKLOAD, VARIANT = sys.argv[1], sys.argv[2]
sys.argv[3:] = ["1"]

import torch

import models_torch as m
import train_torch as train

STEPS, GROUPS = 16, 15
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
GPT2 = dict(vocab=50304, block=1024, n_layer=12, n_head=12, n_embd=768)


def build(name):
    if name == "gpt2":
        make = lambda: train.tokens(8, 1024, 50304)
        return m.GPT(**GPT2), train.ce, make, torch.optim.AdamW, dict(lr=1e-3)
    if name == "resnet50":
        make = lambda: train.images(64, 3, 224, 224)
        return m.ResNet50(), train.ce, make, torch.optim.SGD, dict(lr=1e-2, momentum=0.9)
    return train.build(name)


def main():
    flags = VARIANT.split("+")
    torch.backends.cuda.matmul.allow_tf32 = "tf32" in flags
    torch.backends.cudnn.allow_tf32 = "tf32" in flags
    model, loss_fn, make, optimizer, args = build(WORKLOAD)
    model = model.to(DEVICE)
    batches = [tuple(t.to(DEVICE) for t in make()) for _ in range(train.BATCHES)]
    if "cl" in flags:
        model = model.to(memory_format=torch.channels_last)
        batches = [(x.contiguous(memory_format=torch.channels_last), y) for x, y in batches]
    opt = optimizer(model.parameters(), fused=True, **args)

    half = torch.float16 if "f16" in flags else torch.bfloat16
    scaler = torch.amp.GradScaler(DEVICE, enabled="f16" in flags)

    def forward(x, y):
        with torch.autocast(DEVICE, half, enabled="bf16" in flags or "f16" in flags):
            return loss_fn(model(x), y)

    if "graphs" in flags:
        forward = torch.compile(forward, mode="reduce-overhead")
    elif "compile" in flags:
        forward = torch.compile(forward)

    turn = 0

    def group():
        nonlocal turn
        for _ in range(STEPS):
            x, y = batches[turn]
            turn = (turn + 1) % train.BATCHES
            opt.zero_grad()
            loss = forward(x, y)
            scaler.scale(loss).backward()
            scaler.step(opt)
            scaler.update()
        value = loss.item()
        assert value == value, "the loss is NaN"

    for _ in range(3):
        group()
    times = []
    for _ in range(GROUPS):
        start = time.perf_counter()
        group()
        times.append((time.perf_counter() - start) / STEPS * 1e6)
    median = sorted(times)[GROUPS // 2]
    print(json.dumps(dict(workload=WORKLOAD, contestant="torch_" + VARIANT, median_us=median)))


main()
