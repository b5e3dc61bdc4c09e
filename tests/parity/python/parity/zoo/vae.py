"""A variational autoencoder; the noise is an input."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Encoder(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.fc = nn.Linear(16, 12)
        self.mean = nn.Linear(12, code)
        self.log_var = nn.Linear(12, code)

    def forward(self, x):
        x = F.relu(self.fc(x))
        return self.mean(x), self.log_var(x)


class Decoder(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.fc1 = nn.Linear(code, 12)
        self.fc2 = nn.Linear(12, 16)

    def forward(self, z):
        return self.fc2(F.relu(self.fc1(z)))


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder(3)
        self.decoder = Decoder(3)

    def forward(self, x, noise):
        mean, log_var = self.encoder(x)
        z = mean + torch.exp(0.5 * log_var) * noise
        return self.decoder(z), mean, log_var

    def loss(self, x, noise):
        y, mean, log_var = self(x, noise)
        kl = -0.5 * torch.sum(1 + log_var - mean.square() - log_var.exp())
        return (F.binary_cross_entropy_with_logits(y, x, reduction="sum") + kl) / x.shape[0]


def make():
    torch.manual_seed(1)
    inputs = {"x": torch.rand(5, 16), "noise": torch.randn(5, 3)}
    names = ["y", "mean", "log_var"]
    return record(Vae(), inputs, lambda net, x, noise: dict(zip(names, net(x, noise))))
