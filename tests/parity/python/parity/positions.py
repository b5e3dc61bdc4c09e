"""Rotary and sinusoidal positions.

The rotation of halves is that of Llama's published code, the one of neighbours that of torchtune's
`RotaryPositionalEmbeddings`, the sinusoidal encoding that of PyTorch's tutorial on Transformers.
"""

import torch

from .files import Tensors, parity

FILES = [parity("positions-run")]
T, HEADS, DIM = 9, 2, 8


def angles(dim, base):
    frequency = 1.0 / base ** (torch.arange(0, dim, 2).float() / dim)
    return torch.outer(torch.arange(T).float(), frequency)


def by_halves(x, base=10_000.0):
    angle = torch.cat([angles(DIM, base)] * 2, dim=-1)
    turned = torch.cat([-x[..., DIM // 2 :], x[..., : DIM // 2]], dim=-1)
    return x * angle.cos() + turned * angle.sin()


def by_neighbours(x, base):
    angle = angles(DIM, base)[:, None, :]
    a, b = x[..., 0::2], x[..., 1::2]
    turned = [a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()]
    return torch.stack(turned, dim=-1).flatten(-2)


def encoding(dim):
    angle = angles(dim, 10_000.0)
    table = torch.zeros(T, dim)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
    return table


def forward(x):
    x = x + encoding(HEADS * DIM)
    q = by_halves(x.reshape(-1, T, HEADS, DIM).transpose(1, 2))
    k = by_neighbours(x.reshape(-1, T, HEADS, DIM), 100.0).transpose(1, 2)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, k)
    return y.transpose(1, 2).reshape(-1, T, HEADS * DIM)


def make():
    torch.manual_seed(6)
    x = torch.randn(3, T, HEADS * DIM, requires_grad=True)
    d_y = torch.randn(3, T, HEADS * DIM)
    y = forward(x)
    y.backward(d_y)
    return {FILES[0]: Tensors({"x": x, "d_y": d_y, "y": y, "d_x": x.grad})}
