"""Bahdanau's decoder: each word looks back at the source, by the state before it."""

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


class Cell(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.gru = nn.GRU(3 * width, width, batch_first=True)

    def forward(self, x, h, memory, keys):
        scores = self.score(torch.tanh(self.query(h).unsqueeze(1) + keys))
        seen = (torch.softmax(scores, dim=1) * memory).sum(1)
        y, h = self.gru(torch.cat([x, seen], dim=1).unsqueeze(1), h.unsqueeze(0))
        return y.squeeze(1), h.squeeze(0)


class Decoder(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.token = nn.Embedding(words, width)
        self.key = nn.Linear(2 * width, width, bias=False)
        self.cell = Cell(width)
        self.head = nn.Linear(width, words)

    def forward(self, target, memory, h):
        x, keys = self.token(target), self.key(memory)
        rows = []
        for t in range(x.shape[1]):
            y, h = self.cell(x[:, t], h, memory, keys)
            rows.append(y)
        return self.head(torch.stack(rows, dim=1))


class Translator(nn.Module):
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
    torch.manual_seed(21)
    text = torch.randint(0, 9, (3, 6), dtype=torch.uint8)
    inputs = {
        "source": torch.randint(0, 11, (3, 7), dtype=torch.uint8),
        "target": text[:, :-1],
        "following": text[:, 1:],
    }

    def forward(net, source, target, following):
        return {"y": net(source, target)}

    return record(Translator(), inputs, forward)
