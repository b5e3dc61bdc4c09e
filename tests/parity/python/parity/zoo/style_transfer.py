"""An image that learns: the content of one, the style of another, as a fixed VGG sees them."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Vgg(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.conv3 = nn.Conv2d(6, 8, 3, padding=1)

    def forward(self, x):
        a = F.relu(self.conv1(x))
        b = F.relu(self.conv2(a))
        c = F.relu(self.conv3(F.max_pool2d(b, 2)))
        return a, b, c


def gram(x):
    x = x.flatten(2)
    return x @ x.transpose(1, 2) / (x.shape[1] * x.shape[2])


class StyleTransfer(nn.Module):
    def __init__(self):
        super().__init__()
        self.vgg = Vgg().requires_grad_(False)
        self.image = nn.Parameter(torch.randn(1, 3, 8, 8))

    def loss(self, content, style):
        a, b, c = self.vgg(self.image)
        seen = self.vgg(content)
        styles = self.vgg(style)
        loss = F.mse_loss(c, seen[2])
        for x, y in zip([a, b], styles):
            loss = loss + 100 * F.mse_loss(gram(x), gram(y))
        return loss


def make():
    torch.manual_seed(16)
    inputs = {name: torch.randn(1, 3, 8, 8) for name in ["content", "style"]}
    return record(StyleTransfer(), inputs)
