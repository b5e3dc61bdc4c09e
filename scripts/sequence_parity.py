"""Results of PyTorch's layers for sequences, for tests/parity: `python3 scripts/sequence_parity.py`."""

import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(4)
FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "parity"


class Normed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.token = torch.nn.Embedding(11, 12, padding_idx=2)
        self.ln = torch.nn.LayerNorm(12)
        self.plane = torch.nn.LayerNorm([5, 12], eps=1e-3)
        self.rms = torch.nn.RMSNorm(12)
        self.bare = torch.nn.LayerNorm(12, elementwise_affine=False)
        self.scaled = torch.nn.LayerNorm(12, bias=False)

    def forward(self, index, x):
        y = self.ln(self.token(index) + x)
        y = self.plane(y + x)
        y = self.rms(y * x)
        return self.scaled(self.bare(y) + x)


net = Normed()
for p in net.parameters():
    p.data += 0.3 * torch.randn_like(p)
save_file(net.state_dict(), FOLDER / "sequence.safetensors")
index = torch.randint(0, 11, (4, 5))
index[1, 3] = 2
x = torch.randn(4, 5, 12, requires_grad=True)
d_y = torch.randn(4, 5, 12)
y = net(index, x)
y.backward(d_y)
run = {"index": index.to(torch.uint8), "x": x.detach(), "d_y": d_y, "y": y.detach(), "d_x": x.grad}
torch.optim.SGD(net.parameters(), lr=0.5).step()
run |= {f"after.{name}": p.detach() for name, p in net.named_parameters()}
save_file({name: tensor.contiguous() for name, tensor in run.items()}, FOLDER / "sequence-run.safetensors")
