"""The benchmark models in JAX: parameters are dicts of arrays, models are functions.

Layout is what XLA's CPU backend prefers: NHWC images, HWIO kernels, [in, out]
matrices. Shapes and sizes are those of models_torch.py.
"""

import jax
import jax.numpy as jnp
from jax import lax, nn


class Keys:
    def __init__(self, seed=0):
        self.key = jax.random.key(seed)

    def __call__(self):
        self.key, k = jax.random.split(self.key)
        return k


def uniform(k, shape, fan_in):
    bound = fan_in**-0.5
    return jax.random.uniform(k(), shape, minval=-bound, maxval=bound)


def linear_init(k, a, b):
    return {"w": uniform(k, (a, b), a), "b": uniform(k, (b,), a)}


def linear(p, x):
    return x @ p["w"] + p["b"]


# ------------------------------------------------------------------- MLP, LeNet


def mlp_init(k, sizes):
    return [linear_init(k, a, b) for a, b in zip(sizes, sizes[1:])]


def mlp(params, x, act=nn.relu):
    for p in params[:-1]:
        x = act(linear(p, x))
    return linear(params[-1], x)


def conv(x, w, stride=1, pad="SAME"):
    return lax.conv_general_dilated(x, w, (stride, stride), pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv_init(k, size, a, b):
    return uniform(k, (size, size, a, b), size * size * a)


def max_pool2(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def lenet_init(k):
    return {"c1": conv_init(k, 5, 1, 6), "b1": jnp.zeros(6), "c2": conv_init(k, 5, 6, 16), "b2": jnp.zeros(16),
            "fc": mlp_init(k, [400, 120, 84, 10])}


def lenet(p, x):
    x = max_pool2(nn.relu(conv(x, p["c1"], 1, [(2, 2), (2, 2)]) + p["b1"]))
    x = max_pool2(nn.relu(conv(x, p["c2"], 1, "VALID") + p["b2"]))
    return mlp(p["fc"], x.reshape(x.shape[0], -1))


# --------------------------------------------- batch norm with running statistics


def bn_init(c):
    return {"g": jnp.ones(c), "b": jnp.zeros(c)}, {"mean": jnp.zeros(c), "var": jnp.ones(c)}


def bn(p, s, x, train):
    if train:
        n = x.shape[0] * x.shape[1] * x.shape[2]
        mean = x.mean((0, 1, 2))
        var = jnp.square(x - mean).mean((0, 1, 2))
        s = {"mean": 0.9 * s["mean"] + 0.1 * mean, "var": 0.9 * s["var"] + 0.1 * var * n / (n - 1)}
    else:
        mean, var = s["mean"], s["var"]
    return (x - mean) * (lax.rsqrt(var + 1e-5) * p["g"]) + p["b"], s


RESNET = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]


def resnet_init(k):
    p, s = {"stem": conv_init(k, 3, 3, 64), "fc": linear_init(k, 512, 10)}, {}
    p["bn"], s["bn"] = bn_init(64)
    for i, (a, b, stride) in enumerate(RESNET):
        p[f"{i}c1"], p[f"{i}c2"] = conv_init(k, 3, a, b), conv_init(k, 3, b, b)
        p[f"{i}b1"], s[f"{i}b1"] = bn_init(b)
        p[f"{i}b2"], s[f"{i}b2"] = bn_init(b)
        if stride != 1:
            p[f"{i}c3"] = conv_init(k, 1, a, b)
            p[f"{i}b3"], s[f"{i}b3"] = bn_init(b)
    return p, s


def resnet(p, s, x, train):
    new = {}

    def norm(name, y):
        y, new[name] = bn(p[name], s[name], y, train)
        return y

    x = nn.relu(norm("bn", conv(x, p["stem"])))
    for i, (_, _, stride) in enumerate(RESNET):
        pad = [(1, 1), (1, 1)]
        y = nn.relu(norm(f"{i}b1", conv(x, p[f"{i}c1"], stride, pad)))
        y = norm(f"{i}b2", conv(y, p[f"{i}c2"], 1, pad))
        x = nn.relu(y + (norm(f"{i}b3", conv(x, p[f"{i}c3"], stride, "VALID")) if stride != 1 else x))
    return linear(p["fc"], x.mean((1, 2))), new


UNET = [16, 32, 64, 128]


def unet_init(k):
    p, s = {"out": conv_init(k, 1, 16, 1), "outb": jnp.zeros(1)}, {}

    def double(name, a, b):
        for j, c in enumerate((a, b)):
            p[f"{name}c{j}"] = conv_init(k, 3, c, b)
            p[f"{name}n{j}"], s[f"{name}n{j}"] = bn_init(b)

    for i, (a, b) in enumerate(zip([3] + UNET, UNET)):
        double(f"d{i}", a, b)
    for i, w in enumerate(UNET[:-1]):
        p[f"u{i}"], p[f"u{i}b"] = uniform(k, (2, 2, 2 * w, w), 8 * w), jnp.zeros(w)
        double(f"m{i}", 2 * w, w)
    return p, s


def unet(p, s, x, train):
    new = {}

    def double(name, x):
        for j in range(2):
            y, new[f"{name}n{j}"] = bn(p[f"{name}n{j}"], s[f"{name}n{j}"], conv(x, p[f"{name}c{j}"]), train)
            x = nn.relu(y)
        return x

    skips = []
    for i in range(3):
        x = double(f"d{i}", x)
        skips.append(x)
        x = max_pool2(x)
    x = double("d3", x)
    for i in (2, 1, 0):
        up = lax.conv_transpose(x, p[f"u{i}"], (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = double(f"m{i}", jnp.concatenate((skips[i], up + p[f"u{i}b"]), -1))
    return conv(x, p["out"]) + p["outb"], new


# -------------------------------------------------------------------- LSTM, GRU


def rnn_init(k, gates, n_in=64, h=128):
    return {"wx": uniform(k, (n_in, gates * h), h), "wh": uniform(k, (h, gates * h), h),
            "bx": uniform(k, (gates * h,), h), "bh": uniform(k, (gates * h,), h), "fc": linear_init(k, h, 10)}


def lstm(p, x):
    def cell(state, gx):
        h, c = state
        i, f, g, o = jnp.split(gx + h @ p["wh"] + p["bh"], 4, -1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    gates = (x @ p["wx"] + p["bx"]).swapaxes(0, 1)
    zero = jnp.zeros((x.shape[0], p["wh"].shape[0]))
    (h, _), _ = lax.scan(cell, (zero, zero), gates)
    return linear(p["fc"], h)


def gru(p, x):
    def cell(h, gx):
        rx, zx, nx = jnp.split(gx, 3, -1)
        rh, zh, nh = jnp.split(h @ p["wh"] + p["bh"], 3, -1)
        r, z = nn.sigmoid(rx + rh), nn.sigmoid(zx + zh)
        n = jnp.tanh(nx + r * nh)
        return (1 - z) * n + z * h, None

    gates = (x @ p["wx"] + p["bx"]).swapaxes(0, 1)
    h, _ = lax.scan(cell, jnp.zeros((x.shape[0], p["wh"].shape[0])), gates)
    return linear(p["fc"], h)


# ------------------------------------------------------------ losses, optimizers


def cross_entropy(logits, y):
    logits = logits.reshape(-1, logits.shape[-1])
    picked = jnp.take_along_axis(nn.log_softmax(logits), y.reshape(-1, 1), 1)
    return -picked.mean()


def mse(pred, y):
    return jnp.square(pred - y).mean()


def bce_with_logits(z, y):
    return (jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))).mean()


tree = jax.tree_util.tree_map


def sgd(lr, momentum=0.0):
    if not momentum:
        return lambda p: (), lambda p, g, s: (tree(lambda a, b: a - lr * b, p, g), s)

    def update(p, g, m):
        m = tree(lambda a, b: momentum * a + b, m, g)
        return tree(lambda a, b: a - lr * b, p, m), m

    return lambda p: tree(jnp.zeros_like, p), update


def adam(lr, decay=0.0, b1=0.9, b2=0.999, eps=1e-8):
    def init(p):
        return tree(jnp.zeros_like, p), tree(jnp.zeros_like, p), jnp.zeros((), jnp.int32)

    def update(p, g, state):
        m, v, t = state
        t = t + 1
        m = tree(lambda a, b: b1 * a + (1 - b1) * b, m, g)
        v = tree(lambda a, b: b2 * a + (1 - b2) * b * b, v, g)
        c1, c2 = 1 - b1**t, 1 - b2**t
        p = tree(lambda w, a, b: w * (1 - lr * decay) - lr * (a / c1) / (jnp.sqrt(b / c2) + eps), p, m, v)
        return p, (m, v, t)

    return init, update
