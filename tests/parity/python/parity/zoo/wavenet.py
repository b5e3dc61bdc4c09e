"""WaveNet's stack: gated causal convolutions whose reach doubles, with sums of what they skip."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Layer(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.dilation = dilation
        self.filter = nn.Conv2d(channels, channels, (1, 2), dilation=(1, dilation))
        self.gate = nn.Conv2d(channels, channels, (1, 2), dilation=(1, dilation))
        self.residual = nn.Conv2d(channels, channels, 1)
        self.skip = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        padded = F.pad(x, (self.dilation, 0))
        y = torch.tanh(self.filter(padded)) * torch.sigmoid(self.gate(padded))
        return x + self.residual(y), self.skip(y)


class WaveNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 1)
        self.layers = nn.ModuleList(Layer(6, d) for d in (1, 2, 4, 8))
        self.out1 = nn.Conv2d(6, 6, 1)
        self.out2 = nn.Conv2d(6, 8, 1)

    def forward(self, x):
        x = self.stem(x)
        total = 0
        for layer in self.layers:
            x, skip = layer(x)
            total = total + skip
        return self.out2(F.relu(self.out1(F.relu(total))))

    def loss(self, x, target):
        return F.cross_entropy(self(x), target)


def make():
    torch.manual_seed(13)
    target = torch.randint(0, 8, (2, 1, 20), dtype=torch.uint8)
    inputs = {"x": torch.randn(2, 1, 1, 20), "target": target}
    return record(WaveNet(), inputs, lambda net, x, target: {"y": net(x)})
