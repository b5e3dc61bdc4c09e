"""A generator and a critic that train by turns."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record, tensors


class Maker(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 64)
        self.conv1 = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.conv2 = nn.ConvTranspose2d(8, 1, 2, stride=2)

    def forward(self, z):
        x = F.relu(self.fc(z)).view(-1, 16, 2, 2)
        return torch.tanh(self.conv2(F.relu(self.conv1(x))))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc = nn.Linear(64, 1)

    def forward(self, x):
        x = F.leaky_relu(self.conv1(x), 0.2)
        x = F.leaky_relu(self.conv2(x), 0.2)
        return self.fc(x.flatten(1))


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.maker = Maker()
        self.critic = Critic()

    def critic_loss(self, z, image):
        made = self.critic(self.maker(z).detach())
        return (F.softplus(made) + F.softplus(-self.critic(image))).mean()

    def maker_loss(self, z):
        return F.softplus(-self.critic(self.maker(z))).mean()


def make():
    torch.manual_seed(6)
    net = Gan()
    inputs = {"z": torch.randn(4, 5), "image": torch.randn(4, 1, 8, 8)}
    losses = {
        "critic_loss": (lambda net, z, image: net.critic_loss(z, image), net.critic),
        "maker_loss": (lambda net, z, image: net.maker_loss(z), net.maker),
    }
    found = record(net, inputs, lambda net, z, image: {"y": net.maker(z)}, losses)
    return found | by_turns(net, inputs["z"].double(), inputs["image"].double())


def by_turns(net, z, image):
    """The parameters behind steps of one optimizer along both losses, on from there. What a loss
    does not train has the gradient `None`, so it does not decay and counts no step."""
    adam = torch.optim.AdamW(net.parameters(), lr=1e-2, eps=1e-2, weight_decay=0.1)
    for turn in "cmmcmccmm":
        net.maker.requires_grad_(turn == "m")
        net.critic.requires_grad_(turn == "c")
        adam.zero_grad()
        (net.critic_loss(z, image) if turn == "c" else net.maker_loss(z)).backward()
        adam.step()
    return tensors("turns.after.", net.named_parameters())
