"""Choices along axes and products of pairs: `where`, `masked_fill`, `cumsum`, `gather`, `argmax`."""

import torch

from .files import Tensors, parity

FILES = [parity("indexing-run")]


def forward(x, y, index):
    z = torch.bmm(x, y)
    z = torch.where(z > 0.5, z, z * z)
    z = z.masked_fill(z.lt(-0.2), 0.3).cumsum(1)
    chosen = z.gather(2, index)
    row = z.select(1, 2)[:, None].expand(-1, 4, -1)
    return torch.cat([chosen, row], 2) + z.argmax(2, keepdim=True)


def make():
    torch.manual_seed(15)
    x = torch.randn(3, 4, 6, requires_grad=True)
    y = torch.randn(3, 6, 5, requires_grad=True)
    index = torch.randint(0, 5, (3, 4, 7))
    out = forward(x, y, index)
    d_out = torch.randn_like(out)
    out.backward(d_out)
    run = {"x": x, "y": y, "index": index.to(torch.uint8), "out": out}
    run |= {"d_out": d_out, "d_x": x.grad, "d_y": y.grad}
    return {FILES[0]: Tensors(run)}
