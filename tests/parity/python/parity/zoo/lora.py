"""Adapters of low rank in the attention of a small GPT-2 that is held fixed."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Lora(nn.Module):
    def __init__(self, inputs, outputs, rank):
        super().__init__()
        self.base = nn.Linear(inputs, outputs).requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, inputs) / math.sqrt(inputs))
        self.b = nn.Parameter(torch.randn(outputs, rank))

    def forward(self, x):
        return F.linear(x, self.base.weight + self.b @ self.a * 0.5, self.base.bias)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width).requires_grad_(False)
        self.c_attn = Lora(width, 3 * width, 2)
        self.c_proj = Lora(width, width, 2)
        self.ln_2 = nn.LayerNorm(width).requires_grad_(False)
        self.up = nn.Linear(width, 4 * width).requires_grad_(False)
        self.down = nn.Linear(4 * width, width).requires_grad_(False)

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.c_attn(self.ln_1(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class LoraGpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(13, 12).requires_grad_(False)
        self.wpe = nn.Parameter(0.02 * torch.randn(8, 12), requires_grad=False)
        self.h = nn.ModuleList(Block(12, 3) for _ in range(2))
        self.ln_f = nn.LayerNorm(12).requires_grad_(False)

    def forward(self, token):
        x = self.wte(token) + self.wpe
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight)

    def loss(self, token, target):
        return F.cross_entropy(self(token).flatten(0, 1), target.flatten())


def make():
    torch.manual_seed(4)
    text = torch.randint(0, 13, (3, 9), dtype=torch.uint8)
    inputs = {"token": text[:, :-1], "target": text[:, 1:]}
    return record(LoraGpt2(), inputs, lambda net, token, target: {"y": net(token)})
