"""A vision Transformer with a class token."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.down(F.gelu(self.up(self.ln_2(x))))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, stride=4)
        self.cls = nn.Parameter(torch.randn(8))
        self.position = nn.Parameter(torch.randn(10, 8))
        self.blocks = nn.Sequential(Block(8, 2), Block(8, 2))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, image):
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), 1, -1), x], dim=1) + self.position
        return self.head(self.norm(self.blocks(x)[:, 0]))

    def loss(self, image, label):
        return F.cross_entropy(self(image), label)


def make():
    torch.manual_seed(14)
    label = torch.tensor([0, 3, 1], dtype=torch.uint8)
    inputs = {"image": torch.randn(3, 3, 12, 12), "label": label}
    return record(Vit(), inputs, lambda net, image, label: {"y": net(image)})
