#!/usr/bin/env python3
"""Times training steps in PyTorch, for comparison with this library's benchmarks.

    python3 benches/pytorch.py [--threads N] [--steps N]

Needs torch; runs eagerly on the CPU, in 2 threads unless told otherwise, and prints a table
of microseconds per training step: the median, and the 10th and 90th percentile. A step is
forward, mean cross-entropy, backward and Adam (lr 0.001) on a batch of 64 random images of
28 x 28 that is in memory already. Each model first takes steps for 2 seconds that do not
count. Close other programs: a busy machine shows as a wide gap between the percentiles.
"""

import argparse
import statistics
import time

import torch
from torch import nn

BATCH = 64
WARM_UP_SECONDS = 2.0


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def measure(model, steps):
    """Microseconds of each of `steps` training steps, after warming up."""
    images = torch.randn(BATCH, 1, 28, 28)
    digits = torch.randint(10, (BATCH,))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        start = time.perf_counter_ns()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), digits).backward()
        optimizer.step()
        return (time.perf_counter_ns() - start) / 1000

    end = time.perf_counter() + WARM_UP_SECONDS
    while time.perf_counter() < end:
        step()
    return [step() for _ in range(steps)]


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main():
    parser = argparse.ArgumentParser(description="Times training steps in PyTorch.")
    parser.add_argument("--threads", type=positive, default=2, help="default: 2")
    parser.add_argument("--steps", type=positive, default=1000, help="timed steps; default: 1000")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    print(f"PyTorch {torch.__version__}, eager, {arguments.threads} threads, {arguments.steps} steps")
    print(f"{'training step':<32}{'median µs':>12}{'10 %':>10}{'90 %':>10}")
    models = {"LeNet": lenet, "MLP 784-128-10": mlp}
    for name, build in models.items():
        times = sorted(measure(build(), arguments.steps))
        low, high = times[len(times) // 10], times[len(times) * 9 // 10]
        label = f"{name}, batch {BATCH}, Adam"
        print(f"{label:<32}{statistics.median(times):>12.0f}{low:>10.0f}{high:>10.0f}")


if __name__ == "__main__":
    main()
