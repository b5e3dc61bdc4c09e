"""MobileNetV2's inverted residuals, with few channels and for images of 16×16."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Inverted(nn.Module):
    def __init__(self, inputs, hidden, outputs, stride=1):
        super().__init__()
        self.expand = nn.Conv2d(inputs, hidden, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.depth = nn.Conv2d(
            hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False
        )
        self.bn2 = nn.BatchNorm2d(hidden)
        self.project = nn.Conv2d(hidden, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = F.relu6(self.bn1(self.expand(x)))
        y = F.relu6(self.bn2(self.depth(y)))
        y = self.bn3(self.project(y))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.blocks = nn.Sequential(
            Inverted(4, 12, 6),
            Inverted(6, 18, 6),
            Inverted(6, 18, 8, stride=2),
            Inverted(8, 24, 8),
            Inverted(8, 24, 8),
        )
        self.fc = nn.Linear(8, 5)

    def forward(self, image):
        x = F.relu6(self.bn(self.stem(image)))
        return self.fc(self.blocks(x).mean(dim=(2, 3)))

    def loss(self, image, label):
        return F.cross_entropy(self(image), label)


def make():
    torch.manual_seed(8)
    label = torch.tensor([0, 3, 1, 4, 2, 2], dtype=torch.uint8)
    inputs = {"image": torch.randn(6, 3, 16, 16), "label": label}
    return record(MobileNetV2(), inputs, lambda net, image, label: {"y": net(image)})
