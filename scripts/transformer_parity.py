"""Results of PyTorch's Transformer layers, for tests/parity: `python3 scripts/transformer_parity.py`."""

import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(9)
FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "parity"


class Both(torch.nn.Module):
    def __init__(self):
        super().__init__()
        common = {"dropout": 0.0, "batch_first": True}
        self.encoder = torch.nn.TransformerEncoderLayer(12, 3, 20, **common)
        self.first = torch.nn.TransformerEncoderLayer(
            12, 2, 16, activation="gelu", norm_first=True, layer_norm_eps=1e-4, bias=False, **common
        )
        self.decoder = torch.nn.TransformerDecoderLayer(12, 4, 20, **common)

    def forward(self, x, target, padding, bias):
        mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
        memory = self.encoder(x, src_key_padding_mask=padding)
        memory = self.first(memory, src_mask=bias)
        return self.decoder(
            target, memory, tgt_mask=mask, tgt_is_causal=True, memory_key_padding_mask=padding
        )


net = Both()
for p in net.parameters():
    p.data += 0.2 * torch.randn_like(p)
save_file(net.state_dict(), FOLDER / "transformer.safetensors")
x = torch.randn(3, 7, 12, requires_grad=True)
target = torch.randn(3, 5, 12, requires_grad=True)
padding = torch.zeros(3, 7)
padding[0, 5:] = float("-inf")
padding[2, :3] = float("-inf")
bias = torch.randn(7, 7)
d_y = torch.randn(3, 5, 12)
y = net(x, target, padding, bias)
y.backward(d_y)
run = {"x": x.detach(), "target": target.detach(), "padding": padding, "bias": bias, "d_y": d_y}
run |= {"y": y.detach(), "d_x": x.grad, "d_target": target.grad}
torch.optim.SGD(net.parameters(), lr=0.1).step()
run |= {f"after.{name}": p.detach() for name, p in net.named_parameters()}
save_file({name: t.contiguous() for name, t in run.items()}, FOLDER / "transformer-run.safetensors")
