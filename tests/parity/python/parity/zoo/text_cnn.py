"""Convolutions over two, three and four words, the largest of each, and a classifier."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class TextCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(20, 6)
        self.convs = nn.ModuleList(nn.Conv2d(1, 5, (k, 6)) for k in (2, 3, 4))
        self.fc = nn.Linear(15, 3)

    def forward(self, token):
        x = self.token(token).unsqueeze(1)
        parts = [F.relu(conv(x)).squeeze(3) for conv in self.convs]
        parts = [F.max_pool1d(part, part.shape[2]).squeeze(2) for part in parts]
        return self.fc(torch.cat(parts, dim=1))

    def loss(self, token, label):
        return F.cross_entropy(self(token), label)


def make():
    torch.manual_seed(11)
    label = torch.tensor([0, 2, 1, 2], dtype=torch.uint8)
    inputs = {"token": torch.randint(0, 20, (4, 9), dtype=torch.uint8), "label": label}
    return record(TextCnn(), inputs, lambda net, token, label: {"y": net(token)})
