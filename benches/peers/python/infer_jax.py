"""Inference latency at batch 1 in JAX (jit): python3 infer_jax.py WORKLOAD VARIANT THREADS

Variants: jit (parameters are arguments), const (parameters are constants of the program).
"""

import sys

from harness import emit, emit_failure, measure, set_threads

WORKLOAD, VARIANT, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
set_threads(THREADS)

import jax
import jax.numpy as jnp

import models_jax as m


def build(name, k):
    """Returns parameters, function of parameters and input, input."""
    normal = lambda *shape: jax.random.normal(k(), shape)
    match name:
        case "control_mlp":
            return m.mlp_init(k, [4, 32, 32, 2]), lambda p, x: m.mlp(p, x, jnp.tanh), normal(1, 4)
        case "mlp":
            return m.mlp_init(k, [784, 128, 10]), m.mlp, normal(1, 784)
        case "lenet":
            return m.lenet_init(k), m.lenet, normal(1, 28, 28, 1)
        case "resnet18":
            return m.resnet_init(k), lambda p, x: m.resnet(*p, x, False)[0], normal(1, 32, 32, 3)
    sys.exit(f"unknown workload {name}")


def main():
    params, f, x = build(WORKLOAD, m.Keys())
    if VARIANT == "const":
        run = jax.jit(lambda x: f(params, x))
        args = (x,)
    else:
        run = jax.jit(f)
        args = (params, x)

    def step():
        step.out = run(*args).block_until_ready()

    stats = measure(step, target_s=1.0)
    assert bool(jnp.isfinite(step.out).all())
    emit("infer_" + WORKLOAD, "jax_" + VARIANT, THREADS, stats)


try:
    main()
except Exception as error:
    emit_failure("infer_" + WORKLOAD, "jax_" + VARIANT, THREADS, error)
