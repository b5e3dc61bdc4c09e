"""A feature pyramid of three levels with one head for all of them."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Fpn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.lateral1 = nn.Conv2d(4, 6, 1)
        self.lateral2 = nn.Conv2d(6, 6, 1)
        self.lateral3 = nn.Conv2d(8, 6, 1)
        self.smooth1 = nn.Conv2d(6, 6, 3, padding=1)
        self.smooth2 = nn.Conv2d(6, 6, 3, padding=1)
        self.tower = nn.Conv2d(6, 6, 3, padding=1)
        self.scores = nn.Conv2d(6, 5, 1)

    def head(self, x):
        return self.scores(F.relu(self.tower(x))).flatten(2)

    def forward(self, image):
        a = F.relu(self.conv1(image))
        b = F.relu(self.conv2(a))
        c = F.relu(self.conv3(b))
        c = self.lateral3(c)
        b = self.lateral2(b) + F.interpolate(c, scale_factor=2)
        a = self.lateral1(a) + F.interpolate(b, scale_factor=2)
        levels = [self.smooth1(a), self.smooth2(b), c]
        return torch.cat([self.head(x) for x in levels], dim=2)

    def loss(self, image, label):
        return F.cross_entropy(self(image), label)


def make():
    torch.manual_seed(20)
    inputs = {
        "image": torch.randn(2, 3, 16, 16),
        "label": torch.randint(0, 5, (2, 84), dtype=torch.uint8),
    }
    return record(Fpn(), inputs, lambda net, image, label: {"y": net(image)})
