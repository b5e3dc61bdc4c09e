"""Three images through one tower, and the triplet loss of what comes out."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 8, 3, padding=1)
        self.fc = nn.Linear(32, 6)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.fc(x.flatten(1))
        return x / x.norm(dim=1, keepdim=True)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = Tower()

    def forward(self, a, b):
        return (self.tower(a) * self.tower(b)).sum(dim=1)

    def loss(self, anchor, positive, negative):
        towers = self.tower(anchor), self.tower(positive), self.tower(negative)
        return F.triplet_margin_loss(*towers, margin=0.5)


def make():
    torch.manual_seed(5)
    names = ["anchor", "positive", "negative"]
    inputs = {name: torch.randn(4, 1, 8, 8) for name in names}
    return record(Siamese(), inputs, lambda net, anchor, positive, negative: {
        "y": net(anchor, positive)
    })
