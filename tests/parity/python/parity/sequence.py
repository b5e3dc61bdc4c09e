"""Layers for sequences: tables, normalisation of rows, attention."""

import torch

from .files import Tensors, parity, state, trained

FILES = [parity(name) for name in ["sequence", "sequence-run", "attention", "attention-run"]]


class Normed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.token = torch.nn.Embedding(11, 12, padding_idx=2)
        self.ln = torch.nn.LayerNorm(12)
        self.plane = torch.nn.LayerNorm([5, 12], eps=1e-3)
        self.rms = torch.nn.RMSNorm(12)
        self.bare = torch.nn.LayerNorm(12, elementwise_affine=False)
        self.scaled = torch.nn.LayerNorm(12, bias=False)

    def forward(self, index, x):
        y = self.ln(self.token(index) + x)
        y = self.plane(y + x)
        y = self.rms(y * x)
        return self.scaled(self.bare(y) + x)


class Attending(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = torch.nn.MultiheadAttention(12, 3, batch_first=True)
        self.cross = torch.nn.MultiheadAttention(12, 2, batch_first=True)
        self.plain = torch.nn.MultiheadAttention(12, 4, bias=False, batch_first=True)

    def forward(self, x, memory, padding, bias):
        mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
        y = self.attn(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)[0]
        y = y + self.cross(y, memory, memory, key_padding_mask=padding, need_weights=False)[0]
        y = y + self.plain(y, y, y, attn_mask=bias, need_weights=False)[0]
        q = y.reshape(-1, 5, 3, 4).transpose(1, 2)
        k = memory.narrow(2, 0, 4).reshape(-1, 1, 7, 4)
        v = memory.narrow(2, 8, 4).reshape(-1, 1, 7, 4)
        z = torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=0.7, enable_gqa=True)
        return z.transpose(1, 2).reshape(-1, 5, 12)


def rows():
    net = Normed()
    for p in net.parameters():
        p.data += 0.3 * torch.randn_like(p)
    initial = state(net)
    index = torch.randint(0, 11, (4, 5))
    index[1, 3] = 2
    x = torch.randn(4, 5, 12, requires_grad=True)
    d_y = torch.randn(4, 5, 12)
    y = net(index, x)
    y.backward(d_y)
    run = {"index": index.to(torch.uint8), "x": x, "d_y": d_y, "y": y, "d_x": x.grad}
    return Tensors(initial), Tensors(run | trained(net, 0.5))


def attention():
    net = Attending()
    for p in net.parameters():
        p.data += 0.2 * torch.randn_like(p)
    initial = state(net)
    x = torch.randn(3, 5, 12, requires_grad=True)
    memory = torch.randn(3, 7, 12, requires_grad=True)
    padding = torch.zeros(3, 7)
    padding[0, 5:] = float("-inf")
    padding[2, :3] = float("-inf")
    bias = torch.randn(5, 5)
    d_y = torch.randn(3, 5, 12)
    y = net(x, memory, padding, bias)
    y.backward(d_y)
    run = {"x": x, "memory": memory, "padding": padding, "bias": bias, "d_y": d_y, "y": y}
    run |= {"d_x": x.grad, "d_memory": memory.grad}
    return Tensors(initial), Tensors(run | trained(net, 0.5))


def make():
    torch.manual_seed(4)
    return dict(zip(FILES, [*rows(), *attention()]))
