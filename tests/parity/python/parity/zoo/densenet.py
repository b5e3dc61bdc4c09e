"""DenseNet with bottlenecks, two blocks of three layers, for images of 8×8."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Dense(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        return torch.cat([x, y], dim=1)


class Transition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.block1 = nn.Sequential(*[Dense(4 + 2 * i, 2) for i in range(3)])
        self.transition = Transition(10, 5)
        self.block2 = nn.Sequential(*[Dense(5 + 2 * i, 2) for i in range(3)])
        self.norm = nn.BatchNorm2d(11)
        self.fc = nn.Linear(11, 5)

    def forward(self, image):
        x = self.transition(self.block1(self.stem(image)))
        x = F.relu(self.norm(self.block2(x)))
        return self.fc(x.mean(dim=(2, 3)))

    def loss(self, image, label):
        return F.cross_entropy(self(image), label)


def make():
    torch.manual_seed(9)
    label = torch.tensor([0, 3, 1], dtype=torch.uint8)
    inputs = {"image": torch.randn(3, 3, 8, 8), "label": label}
    return record(DenseNet(), inputs, lambda net, image, label: {"y": net(image)})
