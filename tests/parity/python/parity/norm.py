"""A small network with batch normalisation in training, its state included.

norm.safetensors
    The initial `state_dict`, running statistics and `num_batches_tracked` included.

norm-trained.safetensors
    The same after 5 steps of SGD (lr 0.05, momentum 0.9) in float64, rounded to float32.

norm-run.safetensors
    `image` [8, 2, 6, 6] and `target` [8, 3], the `loss` of each step before its update, and what
    the trained network makes of the images in evaluation mode, `evaluated` [8, 3].
"""

import torch
import torch.nn.functional as F
from torch import nn

from .files import Tensors, parity, state

FILES = [parity("norm"), parity("norm-trained"), parity("norm-run")]
STEPS = 5


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(144, 3)
        self.bn1 = nn.BatchNorm1d(3)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        return self.bn1(self.fc(x.flatten(1)))


def rounded(tensors):
    return {name: x.float() if x.is_floating_point() else x for name, x in tensors.items()}


def make():
    torch.manual_seed(5)
    net = Net()
    initial = state(net)
    image, target = torch.randn(8, 2, 6, 6) + 0.5, torch.randn(8, 3)
    net = net.double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.mse_loss(net(image.double()), target.double())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    trained = rounded(state(net))
    net.eval()
    with torch.no_grad():
        evaluated = net(image.double()).float()
    run = {"image": image, "target": target, "loss": torch.tensor(losses), "evaluated": evaluated}
    published = {"format": "pt"}
    contents = [Tensors(initial, published), Tensors(trained, published), Tensors(run)]
    return dict(zip(FILES, contents))
