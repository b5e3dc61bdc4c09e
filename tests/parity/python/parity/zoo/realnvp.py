"""A flow of affine couplings, forwards with its log-determinant and backwards."""

import math

import torch
from torch import nn

from .record import record


class Coupling(nn.Module):
    def __init__(self, half):
        super().__init__()
        self.fc1 = nn.Linear(half, 16)
        self.fc2 = nn.Linear(16, 16)
        self.scale = nn.Linear(16, half)
        self.shift = nn.Linear(16, half)

    def affine(self, a):
        x = torch.relu(self.fc2(torch.relu(self.fc1(a))))
        return torch.tanh(self.scale(x)), self.shift(x)

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        s, t = self.affine(a)
        return torch.cat([b * torch.exp(s) + t, a], dim=1), s.sum(dim=1)

    def inverse(self, z):
        b, a = z.chunk(2, dim=1)
        s, t = self.affine(a)
        return torch.cat([a, (b - t) * torch.exp(-s)], dim=1)


class RealNvp(nn.Module):
    def __init__(self):
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(3) for _ in range(4))

    def forward(self, x):
        log_det = 0
        for coupling in self.couplings:
            x, s = coupling(x)
            log_det = log_det + s
        return x, log_det

    def inverse(self, z):
        for coupling in reversed(self.couplings):
            z = coupling.inverse(z)
        return z

    def loss(self, x):
        z, log_det = self(x)
        log_p = -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1)
        return -(log_p + log_det).mean()


def make():
    torch.manual_seed(2)
    inputs = {"x": torch.randn(5, 6)}

    def forward(net, x):
        z, log_det = net(x)
        return {"z": z, "log_det": log_det, "inverse": net.inverse(x)}

    return record(RealNvp(), inputs, forward)
