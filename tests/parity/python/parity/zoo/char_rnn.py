"""A recurrent network that writes text, letter by letter."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class CharRnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(11, 6)
        self.lstm = nn.LSTM(6, 8, num_layers=2, batch_first=True)
        self.head = nn.Linear(8, 11)

    def forward(self, token):
        y, _ = self.lstm(self.token(token))
        return self.head(y)

    def loss(self, token, target):
        return F.cross_entropy(self(token).flatten(0, 1), target.flatten())


def make():
    torch.manual_seed(10)
    text = torch.randint(0, 11, (3, 13), dtype=torch.uint8)
    inputs = {"token": text[:, :-1], "target": text[:, 1:]}
    return record(CharRnn(), inputs, lambda net, token, target: {"y": net(token)})
