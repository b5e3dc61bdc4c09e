"""PyTorch's LSTMCell in a loop over time."""

import torch

from .files import Tensors, parity, state, trained

FILES = [parity("scan"), parity("scan-run")]
T, BATCH, SIZE, WIDTH = 6, 3, 5, 4


class OverTime(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.LSTMCell(SIZE, WIDTH)
        self.head = torch.nn.Linear(WIDTH, 2)

    def forward(self, x, h, c):
        rows = []
        for t in range(T):
            h, c = self.cell(x[:, t], (h, c))
            rows.append(h)
        return self.head(torch.stack(rows, 1)), h, c


def make():
    torch.manual_seed(12)
    net = OverTime()
    initial = state(net)
    x = torch.randn(BATCH, T, SIZE, requires_grad=True)
    h = torch.randn(BATCH, WIDTH, requires_grad=True)
    c = torch.randn(BATCH, WIDTH, requires_grad=True)
    results = net(x, h, c)
    seeds = [torch.randn_like(r) for r in results]
    torch.autograd.backward(results, seeds)
    run = {"x": x, "h": h, "c": c}
    run |= {f"y{i}": r for i, r in enumerate(results)}
    run |= {f"d_y{i}": s for i, s in enumerate(seeds)}
    run |= {"d_x": x.grad, "d_h": h.grad, "d_c": c.grad} | trained(net, 0.1)
    return dict(zip(FILES, [Tensors(initial), Tensors(run)]))
