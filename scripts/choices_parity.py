"""Choices and products of pairs as PyTorch makes them: `python3 scripts/choices_parity.py`."""

import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(15)
FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "parity"


def forward(x, y, index):
    z = torch.bmm(x, y)
    z = torch.where(z > 0.5, z, z * z)
    z = z.masked_fill(z.lt(-0.2), 0.3).cumsum(1)
    chosen = z.gather(2, index)
    return torch.cat([chosen, z.select(1, 2)[:, None].expand(-1, 4, -1)], 2) + z.argmax(2, keepdim=True)


x = torch.randn(3, 4, 6, requires_grad=True)
y = torch.randn(3, 6, 5, requires_grad=True)
index = torch.randint(0, 5, (3, 4, 7))
out = forward(x, y, index)
d_out = torch.randn_like(out)
out.backward(d_out)
run = {"x": x.detach(), "y": y.detach(), "index": index.to(torch.uint8), "out": out.detach()}
run |= {"d_out": d_out, "d_x": x.grad, "d_y": y.grad}
save_file({name: t.contiguous() for name, t in run.items()}, FOLDER / "choices-run.safetensors")
