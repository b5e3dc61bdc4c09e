"""Results of PyTorch's LSTMCell over time, for tests/parity: `python3 scripts/scan_parity.py`."""

import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(12)
FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "parity"
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


net = OverTime()
save_file(net.state_dict(), FOLDER / "scan.safetensors")
x = torch.randn(BATCH, T, SIZE, requires_grad=True)
h = torch.randn(BATCH, WIDTH, requires_grad=True)
c = torch.randn(BATCH, WIDTH, requires_grad=True)
results = net(x, h, c)
seeds = [torch.randn_like(r) for r in results]
torch.autograd.backward(results, seeds)
run = {"x": x.detach(), "h": h.detach(), "c": c.detach()}
run |= {f"y{i}": r.detach() for i, r in enumerate(results)}
run |= {f"d_y{i}": s for i, s in enumerate(seeds)}
run |= {"d_x": x.grad, "d_h": h.grad, "d_c": c.grad}
torch.optim.SGD(net.parameters(), lr=0.1).step()
run |= {f"after.{name}": p.detach() for name, p in net.named_parameters()}
save_file({name: t.contiguous() for name, t in run.items()}, FOLDER / "scan-run.safetensors")
