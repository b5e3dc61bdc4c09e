"""Llama's blocks: rotary positions, grouped queries, gated units, norms by the root of the mean."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


def rotary(x):
    t, d = x.shape[-2:]
    frequency = 10_000.0 ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
    angle = torch.outer(torch.arange(t, dtype=x.dtype), frequency).repeat(1, 2)
    a, b = x.chunk(2, dim=-1)
    return x * angle.cos() + torch.cat([-b, a], dim=-1) * angle.sin()


class Attention(nn.Module):
    def __init__(self, width, heads, groups):
        super().__init__()
        self.heads, self.groups, self.dim = heads, groups, width // heads
        self.q_proj = nn.Linear(width, heads * self.dim, bias=False)
        self.k_proj = nn.Linear(width, groups * self.dim, bias=False)
        self.v_proj = nn.Linear(width, groups * self.dim, bias=False)
        self.o_proj = nn.Linear(heads * self.dim, width, bias=False)

    def forward(self, x):
        b, t, _ = x.shape
        q = self.q_proj(x).view(b, t, self.heads, self.dim).transpose(1, 2)
        k = self.k_proj(x).view(b, t, self.groups, self.dim).transpose(1, 2)
        v = self.v_proj(x).view(b, t, self.groups, self.dim).transpose(1, 2)
        q, k = rotary(q), rotary(k)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class Block(nn.Module):
    def __init__(self, width, heads, groups, hidden):
        super().__init__()
        self.norm1 = nn.RMSNorm(width, eps=1e-5)
        self.attn = Attention(width, heads, groups)
        self.norm2 = nn.RMSNorm(width, eps=1e-5)
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(13, 16)
        self.blocks = nn.Sequential(Block(16, 4, 2, 20), Block(16, 4, 2, 20))
        self.norm = nn.RMSNorm(16, eps=1e-5)
        self.head = nn.Linear(16, 13, bias=False)

    def forward(self, token):
        return self.head(self.norm(self.blocks(self.token(token))))

    def loss(self, token, target):
        return F.cross_entropy(self(token).flatten(0, 1), target.flatten())


def make():
    torch.manual_seed(15)
    text = torch.randint(0, 13, (3, 8), dtype=torch.uint8)
    inputs = {"token": text[:, :-1], "target": text[:, 1:]}
    return record(Llama(), inputs, lambda net, token, target: {"y": net(token)})
