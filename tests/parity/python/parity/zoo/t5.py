"""T5: an encoder and a decoder whose positions are biases of distances, shared by all layers."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width, bias=False)

    def forward(self, x, memory, mask=None):
        def split(y):
            return y.view(len(y), y.shape[1], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.q(x)), split(self.k(memory)), split(self.v(memory))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        return self.o(y.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.wi = nn.Linear(width, 2 * width, bias=False)
        self.wo = nn.Linear(2 * width, width, bias=False)

    def forward(self, x):
        return x + self.wo(F.relu(self.wi(self.norm(x))))


class EncoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ff = FeedForward(width)

    def forward(self, x, bias):
        y = self.norm(x)
        return self.ff(x + self.attn(y, y, bias))


class DecoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.RMSNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.RMSNorm(width, eps=1e-6)
        self.cross = Attention(width, heads)
        self.ff = FeedForward(width)

    def forward(self, x, memory, bias):
        y = self.norm1(x)
        x = x + self.attn(y, y, bias)
        return self.ff(x + self.cross(self.norm2(x), memory))


class T5(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(13, 8)
        self.near = nn.Embedding(6, 2)
        self.before = nn.Embedding(6, 2)
        self.encoder = nn.ModuleList(EncoderBlock(8, 2) for _ in range(2))
        self.norm1 = nn.RMSNorm(8, eps=1e-6)
        self.decoder = nn.ModuleList(DecoderBlock(8, 2) for _ in range(2))
        self.norm2 = nn.RMSNorm(8, eps=1e-6)

    def forward(self, source, target):
        x = self.token(source)
        bias = self.near(NEAR).permute(2, 0, 1)
        for block in self.encoder:
            x = block(x, bias)
        memory = self.norm1(x)
        x = self.token(target)
        bias = self.before(BEFORE).permute(2, 0, 1) + CAUSAL
        for block in self.decoder:
            x = block(x, memory, bias)
        return F.linear(self.norm2(x) / 8**0.5, self.token.weight)

    def loss(self, source, target, following):
        y = self(source, target)
        return F.cross_entropy(y.flatten(0, 1), following.flatten())


def distances(size):
    return torch.arange(size) - torch.arange(size)[:, None]


# Small buckets: the sign and up to two places, and up to five back.
NEAR = distances(7).clamp(-2, 2) + 2
BEFORE = (-distances(5)).clamp(0, 5)
CAUSAL = torch.where(distances(5) > 0, -1e9, 0.0)


def make():
    torch.manual_seed(18)
    text = torch.randint(0, 13, (3, 6), dtype=torch.uint8)
    inputs = {
        "source": torch.randint(0, 13, (3, 7), dtype=torch.uint8),
        "target": text[:, :-1],
        "following": text[:, 1:],
    }

    def forward(net, source, target, following):
        return {"y": net(source, target)}

    return record(T5(), inputs, forward)
