"""Training steps in JAX: python3 train_jax.py WORKLOAD VARIANT THREADS

Variants:
  jit   one jitted step a call, buffers donated
  scan  64 steps a call in one lax.scan, batches in memory (the per-call cost spread)
"""

import sys

from harness import check_finite, emit, emit_failure, measure, set_threads

WORKLOAD, VARIANT, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
set_threads(THREADS)

import jax
import jax.numpy as jnp
from jax import lax

import models_jax as m

BATCHES, SCAN = 8, 64


def build(name, k):
    """Returns params, state, forward(params, state, x) -> (out, state), loss, make_batch, optimizer."""
    plain = lambda f: lambda p, s, x: (f(p, x), s)
    labels = lambda *shape: jax.random.randint(k(), shape, 0, 10)
    images = lambda b, *shape: (jax.random.normal(k(), (b, *shape)), labels(b))
    adam = m.adam(1e-3)
    match name:
        case "linear_regression":
            def line():
                x = jax.random.normal(k(), (100, 1))
                return x, 3 * x + 2 + jax.random.normal(k(), (100, 1))
            return m.linear_init(k, 1, 1), (), plain(m.linear), m.mse, line, m.sgd(1e-2)
        case "mlp":
            return m.mlp_init(k, [784, 128, 10]), (), plain(m.mlp), m.cross_entropy, lambda: images(64, 784), adam
        case "mlp_large":
            params = m.mlp_init(k, [784, 2048, 2048, 10])
            return params, (), plain(m.mlp), m.cross_entropy, lambda: images(256, 784), adam
        case "lenet":
            return m.lenet_init(k), (), plain(m.lenet), m.cross_entropy, lambda: images(64, 28, 28, 1), adam
        case "resnet18":
            forward = lambda p, s, x: m.resnet(p, s, x, True)
            make = lambda: images(32, 32, 32, 3)
            return *m.resnet_init(k), forward, m.cross_entropy, make, m.sgd(1e-2, 0.9)
        case "lstm":
            return m.rnn_init(k, 4), (), plain(m.lstm), m.cross_entropy, lambda: images(32, 64, 64), adam
        case "gru":
            return m.rnn_init(k, 3), (), plain(m.gru), m.cross_entropy, lambda: images(32, 64, 64), adam
        case "unet":
            forward = lambda p, s, x: m.unet(p, s, x, True)
            make = lambda: (jax.random.normal(k(), (8, 64, 64, 3)),
                            jax.random.bernoulli(k(), 0.5, (8, 64, 64, 1)).astype(jnp.float32))
            return *m.unet_init(k), forward, m.bce_with_logits, make, adam
    sys.exit(f"unknown workload {name}")


def main():
    params, state, forward, loss_fn, make, (opt_init, opt_update) = build(WORKLOAD, m.Keys())
    # Same inputs, different targets (see train_torch.py). Buffers are all distinct.
    x0 = make()[0]
    batches = [(jnp.array(x0, copy=True), make()[1]) for _ in range(BATCHES)]
    opt = opt_init(params)
    count = sum(p.size for p in jax.tree_util.tree_leaves(params))

    def loss(p, s, x, y):
        out, s = forward(p, s, x)
        return loss_fn(out, y), s

    def one(carry, x, y):
        p, s, o = carry
        (value, s), grads = jax.value_and_grad(loss, has_aux=True)(p, s, x, y)
        p, o = opt_update(p, grads, o)
        return (p, s, o), value

    carry = (params, state, opt)
    losses = [None, None]
    turn = 0
    if VARIANT == "jit":
        run = jax.jit(one, donate_argnums=0)

        def step():
            nonlocal carry, turn
            carry, losses[1] = run(carry, *batches[turn])
            turn = (turn + 1) % BATCHES
            if losses[0] is None:
                losses[0] = float(losses[1])
    else:
        xs = jnp.stack([b[0] for b in batches])
        ys = jnp.stack([b[1] for b in batches])
        body = lambda c, i: one(c, xs[i % BATCHES], ys[i % BATCHES])
        run = jax.jit(lambda c: lax.scan(body, c, jnp.arange(SCAN)), donate_argnums=0)

        def step():
            nonlocal carry
            carry, values = run(carry)
            losses[1] = values[-1]
            if losses[0] is None:
                losses[0] = float(values[0])

    stats = measure(step, sync=lambda: jax.block_until_ready((carry, losses[1])))
    if VARIANT == "scan":
        for key in ("median_us", "min_us", "p90_us"):
            stats[key] = round(stats[key] / SCAN, 3)
        stats["iters"] *= SCAN
    last = float(losses[1])
    check_finite(losses[0], last)
    emit(WORKLOAD, "jax_" + VARIANT, THREADS, stats, loss_first=round(losses[0], 4), loss_last=round(last, 4),
         params=count)


try:
    main()
except Exception as error:
    emit_failure(WORKLOAD, "jax_" + VARIANT, THREADS, error)
