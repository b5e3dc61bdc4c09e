"""ResNet-50 with few channels, for images of 48×48."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride=stride, bias=False),
                nn.BatchNorm2d(4 * width),
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.downsample is not None:
            x = self.downsample(x)
        return F.relu(y + x)


def layer(inputs, width, count, stride):
    blocks = [Bottleneck(inputs, width, stride)]
    blocks += [Bottleneck(4 * width, width) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = layer(4, 2, 3, 1)
        self.layer2 = layer(8, 3, 4, 2)
        self.layer3 = layer(12, 4, 6, 2)
        self.layer4 = layer(16, 5, 3, 2)
        self.fc = nn.Linear(20, 5)

    def forward(self, image):
        x = F.relu(self.bn1(self.conv1(image)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))

    def loss(self, image, label):
        return F.cross_entropy(self(image), label)


def make():
    torch.manual_seed(20)
    net = ResNet50()
    # Blocks that change little, as at the start of a training with `zero_init_residual`: else a
    # rounding grows by a half in each.
    for module in net.modules():
        if isinstance(module, Bottleneck):
            nn.init.uniform_(module.bn3.weight, 0.1, 0.3)
    label = torch.tensor([0, 3, 1, 4, 2, 2], dtype=torch.uint8)
    inputs = {"image": torch.randn(6, 3, 48, 48), "label": label}
    return record(net, inputs, lambda net, image, label: {"y": net(image)}, deep=True)
