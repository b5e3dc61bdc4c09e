"""Recurrent layers: several layers, both directions, samples of unequal lengths."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .files import Tensors, parity, state, trained

FILES = [parity("recurrent"), parity("recurrent-run")]
BATCH, STEPS = 5, 7


def packed(layer, x, lengths, state=None):
    x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, state = layer(x, state)
    return pad_packed_sequence(y, batch_first=True, total_length=STEPS)[0], state


def turned(state):
    """States have the samples first in the stored files."""
    return state.transpose(0, 1).contiguous()


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = torch.nn.GRU(12, 4, bidirectional=True, batch_first=True)
        self.rnn = torch.nn.RNN(8, 3, batch_first=True)
        self.one = torch.nn.LSTM(3, 4, batch_first=True)
        self.deep = torch.nn.GRU(4, 3, num_layers=2, batch_first=True)
        self.plain = torch.nn.RNN(3, 2, nonlinearity="relu", bias=False, batch_first=True)

    def forward(self, x, lengths, h0, c0, r0):
        y, (h, c) = packed(self.lstm, x, lengths, (turned(h0), turned(c0)))
        z, g = packed(self.gru, y, lengths)
        u, r = self.rnn(z, r0[None])
        o, (oh, oc) = self.one(u)
        d, dh = self.deep(o)
        v, s = self.plain(d)
        parts = [y, turned(h), turned(c), z, turned(g), u, r[0]]
        parts += [o, oh[0], oc[0], d, turned(dh), v, s[0]]
        return torch.cat([part.flatten(1) for part in parts], 1)


def make():
    torch.manual_seed(7)
    net = Recurrent()
    initial = state(net)
    lengths = torch.tensor([7, 4, 1, 6, 2])
    given = {
        "x": torch.randn(BATCH, STEPS, 5),
        "h0": torch.randn(BATCH, 4, 6),
        "c0": torch.randn(BATCH, 4, 6),
        "r0": torch.randn(BATCH, 3),
    }
    for tensor in given.values():
        tensor.requires_grad_()
    y = net(given["x"], lengths, given["h0"], given["c0"], given["r0"])
    d_y = torch.randn_like(y)
    y.backward(d_y)
    run = {name: tensor for name, tensor in given.items()}
    run |= {f"d_{name}": tensor.grad for name, tensor in given.items()}
    run |= {"lengths": lengths.to(torch.uint8), "y": y, "d_y": d_y} | trained(net, 0.5)
    return dict(zip(FILES, [Tensors(initial), Tensors(run)]))
