"""An encoder in both directions and a decoder with Luong's general attention."""

import torch
import torch.nn.functional as F
from torch import nn

from .record import record


class Encoder(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.token = nn.Embedding(words, width)
        self.gru = nn.GRU(width, width, bidirectional=True, batch_first=True)
        self.bridge = nn.Linear(2 * width, width)

    def forward(self, source):
        y, h = self.gru(self.token(source))
        return y, torch.tanh(self.bridge(torch.cat([h[0], h[1]], dim=1)))


class Decoder(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.token = nn.Embedding(words, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.score = nn.Linear(width, 2 * width, bias=False)
        self.combine = nn.Linear(3 * width, width)
        self.head = nn.Linear(width, words)

    def forward(self, target, memory, h):
        y, _ = self.gru(self.token(target), h.unsqueeze(0))
        weights = torch.softmax(self.score(y) @ memory.transpose(1, 2), dim=-1)
        y = torch.cat([weights @ memory, y], dim=2)
        return self.head(torch.tanh(self.combine(y)))


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder(11, 6)
        self.decoder = Decoder(9, 6)

    def forward(self, source, target):
        memory, h = self.encoder(source)
        return self.decoder(target, memory, h)

    def loss(self, source, target, following):
        logits = self(source, target)
        return F.cross_entropy(logits.flatten(0, 1), following.flatten())


def make():
    torch.manual_seed(12)
    text = torch.randint(0, 9, (3, 6), dtype=torch.uint8)
    inputs = {
        "source": torch.randint(0, 11, (3, 7), dtype=torch.uint8),
        "target": text[:, :-1],
        "following": text[:, 1:],
    }
    return record(Seq2Seq(), inputs, lambda net, source, target, following: {
        "y": net(source, target)
    })
