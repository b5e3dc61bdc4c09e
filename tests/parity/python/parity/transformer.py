"""The layers of Transformers, with masks."""

import torch

from .files import Tensors, parity, state, trained

FILES = [parity("transformer"), parity("transformer-run")]


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


def make():
    torch.manual_seed(9)
    net = Both()
    for p in net.parameters():
        p.data += 0.2 * torch.randn_like(p)
    initial = state(net)
    x = torch.randn(3, 7, 12, requires_grad=True)
    target = torch.randn(3, 5, 12, requires_grad=True)
    padding = torch.zeros(3, 7)
    padding[0, 5:] = float("-inf")
    padding[2, :3] = float("-inf")
    bias = torch.randn(7, 7)
    d_y = torch.randn(3, 5, 12)
    y = net(x, target, padding, bias)
    y.backward(d_y)
    run = {"x": x, "target": target, "padding": padding, "bias": bias, "d_y": d_y, "y": y}
    run |= {"d_x": x.grad, "d_target": target.grad} | trained(net, 0.1)
    return dict(zip(FILES, [Tensors(initial), Tensors(run)]))
