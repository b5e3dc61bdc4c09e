"""Operations on images, with gradients. The file holds, for each case:

<case>.input     [2, 4, 3, 5]
<case>.output    the result
<case>.d_output  the gradient of the output
<case>.d_input   the gradient of the input

and for layers with parameters, one behind the other in the order of `parameters()`:

<case>.params    their values
<case>.d_params  their gradients

Operands are float32, but PyTorch computes in float64 and only results are rounded to float32.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .files import VERSION, Tensors, parity

FILES = [parity("images")]
SHAPE = (2, 4, 3, 5)


class Apply(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


CASES = {
    "conv_transpose2d": lambda: nn.ConvTranspose2d(4, 3, 3),
    "conv_transpose2d_double": lambda: nn.ConvTranspose2d(4, 3, 2, stride=2, bias=False),
    "conv_transpose2d_options": lambda: nn.ConvTranspose2d(
        4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2
    ),
    "conv_transpose2d_dilated": lambda: nn.ConvTranspose2d(4, 2, 2, padding=1, dilation=(2, 1)),
    "nearest": lambda: Apply(lambda x: F.interpolate(x, scale_factor=(2, 3))),
    "bilinear": lambda: Apply(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "bilinear_odd": lambda: Apply(lambda x: F.interpolate(x, scale_factor=(3, 4), mode="bilinear")),
    "bilinear_corners": lambda: Apply(
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=True)
    ),
    "global_average": lambda: nn.AdaptiveAvgPool2d(1),
    "adaptive_average": lambda: nn.AdaptiveAvgPool2d((3, 1)),
    "cat_1": lambda: Apply(lambda x: torch.cat([x, x * x, x], 1)),
    "cat_3": lambda: Apply(lambda x: torch.cat([x.exp(), x], dim=-1)),
}


def flat(tensors):
    return torch.cat([x.detach().flatten() for x in tensors]).float()


def make():
    torch.manual_seed(4)
    tensors = {}
    for name, build in CASES.items():
        module = build()
        params = [param.detach().clone() for param in module.parameters()]
        module = module.double()
        x = torch.randn(SHAPE)
        operand = x.double().requires_grad_()
        y = module(operand)
        d_y = torch.randn(y.shape)
        wanted = [operand, *module.parameters()]
        d_x, *d_params = torch.autograd.grad(y, wanted, d_y.double())
        tensors |= {
            f"{name}.input": x,
            f"{name}.output": y.float(),
            f"{name}.d_output": d_y,
            f"{name}.d_input": d_x.float(),
        }
        if params:
            tensors |= {f"{name}.params": flat(params), f"{name}.d_params": flat(d_params)}
    return {FILES[0]: Tensors(tensors, {"about": f"parity images, PyTorch {VERSION}"})}
