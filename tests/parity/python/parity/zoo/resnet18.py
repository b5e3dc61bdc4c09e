"""ResNet-18 with few channels, for images of 16×16."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.downsample is not None:
            x = self.downsample(x)
        return F.relu(y + x)


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(2)
        self.layer1 = nn.Sequential(BasicBlock(2, 2), BasicBlock(2, 2))
        self.layer2 = nn.Sequential(BasicBlock(2, 4, stride=2), BasicBlock(4, 4))
        self.layer3 = nn.Sequential(BasicBlock(4, 6, stride=2), BasicBlock(6, 6))
        self.layer4 = nn.Sequential(BasicBlock(6, 8, stride=2), BasicBlock(8, 8))
        self.fc = nn.Linear(8, 5)

    def forward(self, image):
        x = F.relu(self.bn1(self.conv1(image)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))

    def loss(self, image, label):
        return F.cross_entropy(self(image), label)


def make():
    torch.manual_seed(7)
    label = torch.tensor([0, 3, 1, 4, 2, 2], dtype=torch.uint8)
    inputs = {"image": torch.randn(6, 3, 16, 16), "label": label}
    return record(ResNet18(), inputs, lambda net, image, label: {"y": net(image)})
