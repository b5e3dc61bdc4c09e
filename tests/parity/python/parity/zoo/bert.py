"""BERT with its masked language model, of texts whose ends are masked."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(13, 8)
        self.position = nn.Parameter(torch.randn(7, 8))
        self.segment = nn.Embedding(2, 8)
        self.norm = nn.LayerNorm(8, eps=1e-12)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                8, 2, 32, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
            )
            for _ in range(2)
        )
        self.dense = nn.Linear(8, 8)
        self.norm2 = nn.LayerNorm(8, eps=1e-12)
        self.bias = nn.Parameter(torch.randn(13))

    def forward(self, token, segment, seen):
        x = self.norm(self.token(token) + self.segment(segment) + self.position)
        padding = (seen - 1) * 1e9
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        x = self.norm2(F.gelu(self.dense(x)))
        return F.linear(x, self.token.weight, self.bias)

    def loss(self, token, segment, seen, target):
        y = self(token, segment, seen)
        losses = F.cross_entropy(y.transpose(1, 2), target, reduction="none")
        return (losses * seen).sum() / seen.sum()


def make():
    torch.manual_seed(17)
    seen = (torch.arange(7) < torch.tensor([7, 4, 1, 6])[:, None]).float()
    classes = {"token": 13, "segment": 2, "target": 13}
    inputs = {n: torch.randint(0, k, (4, 7), dtype=torch.uint8) for n, k in classes.items()}
    inputs["seen"] = seen
    return record(Bert(), inputs, lambda net, token, segment, target, seen: {
        "y": net(token, segment, seen)
    })
