"""A U-Net of three resolutions, for images of 16×16 and of 8×8."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Double(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1 = nn.GroupNorm(2, outputs)
        self.norm2 = nn.GroupNorm(2, outputs)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = Double(3, 4)
        self.down2 = Double(4, 6)
        self.middle = Double(6, 8)
        self.up2 = Double(14, 6)
        self.up1 = Double(10, 4)
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, image):
        a = self.down1(image)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.middle(F.max_pool2d(b, 2))
        b = self.up2(torch.cat([F.interpolate(c, scale_factor=2), b], dim=1))
        a = self.up1(torch.cat([F.interpolate(b, scale_factor=2), a], dim=1))
        return self.head(a)

    def loss(self, image, mask):
        return F.binary_cross_entropy_with_logits(self(image), mask)


def make():
    torch.manual_seed(19)
    inputs = {
        "image": torch.randn(2, 3, 16, 16),
        "mask": torch.rand(2, 1, 16, 16),
        "small_image": torch.randn(2, 3, 8, 8),
        "small_mask": torch.rand(2, 1, 8, 8),
    }
    losses = {
        "loss": (lambda net, image, mask, **_: net.loss(image, mask), None),
        "small": (lambda net, small_image, small_mask, **_: net.loss(small_image, small_mask), None),
    }
    return record(UNet(), inputs, lambda net, image, **_: {"y": net(image)}, losses)
