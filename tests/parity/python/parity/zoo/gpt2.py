"""GPT-2, whose last layer has the weight of the first."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.c_attn(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, t, d))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(13, 12)
        self.wpe = nn.Parameter(0.02 * torch.randn(8, 12))
        self.h = nn.ModuleList(Block(12, 3) for _ in range(2))
        self.ln_f = nn.LayerNorm(12)

    def forward(self, token):
        x = self.wte(token) + self.wpe
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight)

    def loss(self, token, target):
        return F.cross_entropy(self(token).flatten(0, 1), target.flatten())


def make():
    torch.manual_seed(3)
    text = torch.randint(0, 13, (3, 9), dtype=torch.uint8)
    inputs = {"token": text[:, :-1], "target": text[:, 1:]}
    return record(Gpt2(), inputs, lambda net, token, target: {"y": net(token)})
